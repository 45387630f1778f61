"""The features as a table for people; the guide to the models holds it, and a test compares."""

from itertools import groupby

from ml.features.feature import Feature
from ml.features.registry import FEATURES


def feature_table() -> str:
    """Every feature with its group, unit, window, inputs and missing rule, as Markdown.

    Neighbours of the same group, unit and inputs share a line; windows and rules stand in the order of their names.
    """
    lines = ["| feature | group | unit | sessions back | inputs | missing when |", "|---|---|---|---|---|---|"]
    for (group, unit, inputs), members in groupby(FEATURES.items(), key=lambda entry: _shared(entry[1])):
        named = list(members)
        names = ", ".join(f"`{name}`" for name, _ in named)
        windows = ", ".join(str(feature.window_sessions) for _, feature in named)
        sources = ", ".join(f"`{column}`" for column in inputs)
        rules = [feature.missing for _, feature in named]
        missing = rules[0] if len(set(rules)) == 1 else "; ".join(rules)
        lines.append(f"| {' | '.join((names, group, unit, windows, sources, missing))} |")
    return "\n".join(lines)


def _shared(feature: Feature) -> tuple[str, str, tuple[str, ...]]:
    return feature.group, feature.unit, tuple(feature.inputs)
