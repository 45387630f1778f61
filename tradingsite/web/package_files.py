"""Static files that lie inside Python packages which are no Django apps: Bootstrap, and TradingView's chart library.

Only the files that the pages load are found, not the megabytes beside them. The packages are located, never imported:
the Python half of `lightweight-charts` opens windows on a desktop and needs libraries that are not installed here.
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
    """Files of one package, served under one prefix; source maps are named in the files and must be there too."""

    package: str
    folder: str
    prefix: str
    names: tuple[str, ...]


PACKAGES: Final = (
    PackageFiles("bootstrap", "css", "bootstrap", ("bootstrap.min.css", "bootstrap.min.css.map")),
    PackageFiles("lightweight_charts", "js", "lightweight-charts", ("lightweight-charts.js",)),
)


def package_folder(files: PackageFiles) -> Path | None:
    """Return where a package's files lie, or None where it is not installed."""
    spec = find_spec(files.package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) / files.folder if places else None


# Inside the class `list` is its method.
CheckMessages = list[CheckMessage]


class PackageFileFinder(BaseFinder):
    """Finds the files of PACKAGES as `<prefix>/<name>`."""

    def find(self, path: str, find_all: bool = False, **_kwargs: Any) -> Any:
        """Return a file's place; a list of places with `find_all`."""
        prefix, _, name = path.partition("/")
        for files in PACKAGES:
            folder = package_folder(files)
            if folder and prefix == files.prefix and name in files.names and (folder / name).is_file():
                return [str(folder / name)] if find_all else str(folder / name)
        return []

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:
        """Yield each file's name and the storage that opens it."""
        for files in PACKAGES:
            storage: Any = FileSystemStorage(location=package_folder(files))
            storage.prefix = files.prefix
            for name in files.names:
                if not utils.matches_patterns(name, list(ignore_patterns or ())):
                    yield name, storage

    def check(self, **_kwargs: Any) -> CheckMessages:
        """Name the files that are missing."""
        missing = [
            f"{files.prefix}/{name}"
            for files in PACKAGES
            for name in files.names
            if not self.find(f"{files.prefix}/{name}")
        ]
        if not missing:
            return []
        message = f"Static files of packages are missing: {', '.join(missing)}. Install them: ./run.sh install"
        return [Error(message, id="site.E022")]
