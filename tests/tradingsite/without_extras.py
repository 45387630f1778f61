"""Runs manage.py as in the image: only what the core dependencies bring can be imported.

`python without_extras.py check --deploy`; a module of any other installed package is missing, as it would be there.
"""

import re
import sys
import tomllib
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


def plain(name: str) -> str:
    """A distribution's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def core_distributions() -> set[str]:
    """The distributions that the core dependencies bring, directly or not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    open_ends = [Requirement(line) for line in project["dependencies"]]
    found: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    while open_ends:
        wanted = open_ends.pop()
        key = (plain(wanted.name), frozenset(wanted.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            lines = requires(wanted.name) or []
        except PackageNotFoundError:
            continue  # for another platform or Python
        found.add(key[0])
        for line in lines:
            below = Requirement(line)
            extras = wanted.extras or {""}
            if below.marker is None or any(below.marker.evaluate({"extra": extra}) for extra in extras):
                open_ends.append(below)
    return found


def foreign_modules() -> set[str]:
    """Top-level modules that no core distribution brings."""
    core = core_distributions()
    return {
        module
        for module, distributions in packages_distributions().items()
        if not core & {plain(one) for one in distributions}
    }


class Missing(MetaPathFinder):
    """Says of the given modules that they are not installed."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse a foreign module; leave the others to the finders behind."""
        if fullname.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


if __name__ == "__main__":
    sys.meta_path.insert(0, Missing(foreign_modules()))
    sys.path.insert(0, str(ROOT))
    from manage import main

    main()
