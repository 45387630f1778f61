"""The one table."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.measuring import Figure


def as_json(figures: Sequence[Figure], facts: dict[str, Any]) -> str:
    """Everything as one JSON object."""
    return json.dumps(facts | {"figures": [figure.as_json() for figure in figures]}, indent=2)


def show(figures: Sequence[Figure], facts: dict[str, Any], console: Console) -> None:
    """Print the table and, below it, what one must know to read it."""
    table = Table(title="Benchmarks: each figure a ratio in one run, A and B alternated; median (min–max)")
    for heading in ("what", "ratio", "spread", "target", "aim", "verdict", "A", "B"):
        table.add_column(heading, justify="left" if heading in ("what", "verdict") else "right", no_wrap=True)
    for figure in figures:
        low, high = figure.spread
        bound = "≥" if figure.at_least else "≤"
        table.add_row(
            figure.name,
            _number(figure.median),
            f"{_number(low)}–{_number(high)}" if len(figure.ratios) > 1 else "",
            f"{bound} {figure.target:g}" if figure.target is not None else "",
            f"{figure.aim:g}" if figure.aim is not None else "",
            figure.verdict,
            figure.ours,
            figure.theirs,
        )
    console.print(table)
    for figure in figures:
        console.print(f"{figure.name}: {figure.note}", style="dim")
    console.print(", ".join(f"{name} {value}" for name, value in facts.items()))


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
