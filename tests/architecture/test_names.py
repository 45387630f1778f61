"""Names that say nothing are refused, and each module says what it is for."""

import ast
import re

from tests.architecture.sources import app_files, source_files, tree

EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "core", "manager", "handler", "processor"}


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
