"""Names that say nothing are refused, and each module says what it is for."""

import ast
import re
from collections import Counter

from tests.architecture.sources import app_files, source_files, tree

EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "core", "manager", "handler", "processor"}
PARTICIPLES = {"told", "said", "seen", "found", "one", "asked", "judged"}
WIDEST_FOLDER = 24


def words(name: str) -> set[str]:
    """`OrderBookManager` and `order_book_manager` both give order, book, manager."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_no_file_or_folder_has_an_empty_name():
    named = {str(path) for path in source_files() for part in path.with_suffix("").parts if words(part) & EMPTY_WORDS}
    assert named == set()


def test_no_class_or_function_has_an_empty_name():
    named = {
        f"{path}:{node.lineno} {node.name}"
        for path in app_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and words(node.name) & EMPTY_WORDS
    }
    assert named == set()


def test_every_module_says_what_it_is_for():
    silent = {str(path) for path in app_files() if tree(path).body and not ast.get_docstring(tree(path))}
    assert silent == set()


def comprehension_targets(module: ast.Module) -> set[ast.AST]:
    """The names that comprehensions and lambdas bind: short-lived ones may be short."""
    targets = [
        generator.target
        for node in ast.walk(module)
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)
        for generator in node.generators
    ]
    bound = {name for target in targets for name in ast.walk(target)}
    return bound | {arg for node in ast.walk(module) if isinstance(node, ast.Lambda) for arg in ast.walk(node.args)}


def bound_names(module: ast.Module) -> list[tuple[int, str]]:
    """Line and name of each variable, parameter, function and class that a module binds."""
    short_lived = comprehension_targets(module)
    names = []
    for node in ast.walk(module):
        if node in short_lived:
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append((node.lineno, node.id))
        elif isinstance(node, ast.arg):
            names.append((node.lineno, node.arg))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append((node.lineno, node.name.lstrip("_").lower()))
    return names


def test_a_name_says_what_a_thing_is_not_what_happened_to_it():
    named = {
        f"{path}:{line} {name}"
        for path in source_files()
        if re.search(rf"\b_*({'|'.join(PARTICIPLES)})_*\b", path.read_text(), re.IGNORECASE)
        for line, name in bound_names(tree(path))
        if name.strip("_") in PARTICIPLES
    }
    assert named == set()


def test_a_folder_is_narrow_enough_to_know():
    folders = Counter(path.parent for path in app_files() if path.name != "__init__.py")
    assert {str(folder): count for folder, count in folders.items() if count > WIDEST_FOLDER} == {}
