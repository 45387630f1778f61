"""The project's own source files, read once for all rules."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
APPS = ("tradingsite", "portfolio", "ml", "market_data", "stocks", "brokers")
SOURCE_FOLDERS = (*APPS, "tests", "tools")


def source_files() -> list[Path]:
    """Every Python file of ours but migrations, relative to the root."""
    paths = [path for folder in SOURCE_FOLDERS for path in (ROOT / folder).rglob("*.py")]
    paths += ROOT.glob("*.py")
    return sorted(path.relative_to(ROOT) for path in paths if "migrations" not in path.parts)


def app_files() -> list[Path]:
    """The files of the apps alone."""
    return [path for path in source_files() if path.parts[0] in APPS]


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse((ROOT / path).read_text(), str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def module_name(path: Path) -> str:
    """Dotted name of a file's module."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imported_modules(path: Path) -> set[str]:
    """Dotted names that a file imports, wherever in it; both the module and what is taken from it."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names
