"""Short files, short functions (their complexity is ruff's to watch)."""

import ast

from tests.architecture.sources import ROOT, functions, source_files

LONGEST_FILE = 400
LONGEST_FUNCTION = 50


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators and its docstring, which may be as long as it must."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) and isinstance(first, ast.Expr):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def test_files_are_short():
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in source_files()}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_functions_are_short():
    too_long = {
        f"{path}:{function.lineno} {function.name}": code_lines(function)
        for path in source_files()
        for function in functions(path)
        if code_lines(function) > LONGEST_FUNCTION
    }
    assert too_long == {}
