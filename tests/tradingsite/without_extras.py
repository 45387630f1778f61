"""Runs manage.py as in the image: only modules of its dependencies can be imported.

`python without_extras.py check --deploy`
"""

import re
import sys
import tomllib
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from types import ModuleType
from typing import ClassVar

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


def normalized(name: str) -> str:
    """Return the normalized name of a distribution."""
    return re.sub(r"[-_.]+", "-", name).lower()


def image_distributions() -> set[str]:
    """Return the dependencies that the image installs and everything they depend on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = re.findall(r"--extra (\S+)", (ROOT / "Dockerfile").read_text())
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    queue = [Requirement(line) for line in lines]
    installed: set[str] = set()
    visited: set[tuple[str, frozenset[str]]] = set()
    while queue:
        requirement = queue.pop()
        key = (normalized(requirement.name), frozenset(requirement.extras))
        if key in visited:
            continue
        visited.add(key)
        try:
            further = requires(requirement.name) or []
        except PackageNotFoundError:
            continue  # for another platform or Python
        installed.add(key[0])
        for line in further:
            dependency = Requirement(line)
            wanted = requirement.extras or {""}
            if dependency.marker is None or any(dependency.marker.evaluate({"extra": extra}) for extra in wanted):
                queue.append(dependency)
    return installed


def foreign_modules() -> set[str]:
    """Return the top-level modules of all other installed distributions."""
    image = image_distributions()
    return {
        module
        for module, distributions in packages_distributions().items()
        if not image & {normalized(name) for name in distributions}
    }


class VisibleModules(PathFinder):
    """Finds installed modules but the hidden ones, as if they were not there: `find_spec` gives None for them too."""

    hidden: ClassVar[set[str]] = set()

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Nothing for a hidden module."""
        return None if fullname.partition(".")[0] in cls.hidden else super().find_spec(fullname, path, target)


if __name__ == "__main__":
    VisibleModules.hidden = foreign_modules()
    sys.meta_path[:] = [VisibleModules if finder is PathFinder else finder for finder in sys.meta_path]
    sys.path.insert(0, str(ROOT))
    from manage import main

    main()
