"""Static files inside Python packages that are not Django apps: Bootstrap, and TradingView's chart library.

Only the files that the pages load are served, not the megabytes beside them. The packages are located, never imported:
the Python half of `lightweight-charts` opens desktop windows and needs libraries that are not installed here.
"""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.contrib.staticfiles import utils
from django.contrib.staticfiles.finders import BaseFinder
from django.core.checks import CheckMessage, Error
from django.core.files.storage import FileSystemStorage, Storage


class PackageFiles(NamedTuple):
    """Files of one package, served under one prefix, with the source maps that they refer to."""

    package: str
    folder: str
    prefix: str
    names: tuple[str, ...]


PACKAGES: Final = (
    PackageFiles("bootstrap", "css", "bootstrap", ("bootstrap.min.css", "bootstrap.min.css.map")),
    PackageFiles("lightweight_charts", "js", "lightweight-charts", ("lightweight-charts.js",)),
)


def package_folder(files: PackageFiles) -> Path | None:
    """Return the folder of a package's files, or None if it is not installed."""
    spec = find_spec(files.package)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    return Path(locations[0]) / files.folder if locations else None


# Inside the class, `list` is the finder's method.
CheckMessages = list[CheckMessage]


class PackageFileFinder(BaseFinder):
    """Finds the files of PACKAGES as `<prefix>/<name>`."""

    def find(self, path: str, find_all: bool = False, **_kwargs: Any) -> Any:
        """Return the path of a file, or with `find_all` a list of paths."""
        prefix, _, name = path.partition("/")
        for files in PACKAGES:
            folder = package_folder(files)
            if folder and prefix == files.prefix and name in files.names and (folder / name).is_file():
                return [str(folder / name)] if find_all else str(folder / name)
        return []

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:
        for files in PACKAGES:
            storage: Any = FileSystemStorage(location=package_folder(files))
            storage.prefix = files.prefix
            for name in files.names:
                if not utils.matches_patterns(name, list(ignore_patterns or ())):
                    yield name, storage

    def check(self, **_kwargs: Any) -> CheckMessages:
        paths = [f"{files.prefix}/{name}" for files in PACKAGES for name in files.names]
        missing = [path for path in paths if not self.find(path)]
        if not missing:
            return []
        message = f"Static files from Python packages are missing: {', '.join(missing)}. Install them: ./run.sh install"
        return [Error(message, id="site.E022")]
