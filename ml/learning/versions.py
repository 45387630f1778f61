"""What a model was fitted with: this system and the libraries whose results end up in its files; pure."""

import tomllib
from functools import cache
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = ("lightgbm", "numpy", "scikit-learn")
_PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@cache
def software_versions() -> dict[str, str]:
    """Name → version; the system itself is not installed as a package, so its version is that of its project file."""
    project = tomllib.loads(_PROJECT.read_text())["project"]
    return {project["name"]: project["version"], **{name: version(name) for name in _LIBRARIES}}
