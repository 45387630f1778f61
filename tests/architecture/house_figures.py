"""Size and shape of the product's Python: `python -m tests.architecture.house_figures` prints a table.

Counted are all modules outside `tests/` and migrations.
"""

import ast
import io
import statistics
import sys
import tokenize
from collections import Counter
from pathlib import Path

from tests.architecture.sources import ROOT, functions, source_files, tree

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def figures(paths: list[Path]) -> dict[str, str]:
    """Return label → figure over the given files, named relative to the root."""
    texts = [(ROOT / path).read_text() for path in paths]
    lengths = sorted(len(text.splitlines()) for text in texts)
    nodes = [node for path in paths for node in functions(path)]
    sizes = sorted((node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes)
    private = sum(node.name.startswith("_") and not node.name.startswith("__") for node in nodes)
    lines = sum(lengths)
    docstrings = sum(_docstring_lines(tree(path)) for path in paths)
    comments = sum(_comment_lines(text) for text in texts)
    widest, modules = Counter(path.parent for path in paths if path.name != "__init__.py").most_common(1)[0]
    return {
        "files": f"{len(paths)}",
        "lines": f"{lines:,}",
        "lines of a file: median, 90 %, longest": f"{statistics.median(lengths):.0f}, {_high(lengths)}, {lengths[-1]}",
        "functions": f"{len(nodes):,}",
        "lines of a function: median, 90 %, longest": f"{statistics.median(sizes):.0f}, {_high(sizes)}, {sizes[-1]}",
        "private functions": f"{private} ({private / len(nodes):.0%})",
        "docstring lines": f"{docstrings:,} ({docstrings / lines:.1%})",
        "comment lines": f"{comments:,} ({comments / lines:.1%})",
        "modules in the widest folder": f"{modules} ({widest})",
    }


def _high(values: list[int]) -> int:
    return values[int(0.9 * len(values))]


def _docstring_lines(module: ast.Module) -> int:
    first = [node.body[0] for node in ast.walk(module) if isinstance(node, DOCUMENTED) and ast.get_docstring(node)]
    return sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in first)


def _comment_lines(text: str) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(token.type == tokenize.COMMENT and token.line.strip().startswith("#") for token in tokens)


if __name__ == "__main__":
    product = [path for path in source_files() if path.parts[0] != "tests"]
    for label, figure in figures(product).items():
        sys.stdout.write(f"| {label} | {figure} |\n")
