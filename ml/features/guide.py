"""The features as a table for people; the guide to the models holds it, and a test compares."""

from ml.features.registry import FEATURES


def feature_table() -> str:
    """Every feature with its group, unit, window, inputs and missing rule, as Markdown; a line each."""
    lines = ["| feature | group | unit | sessions back | inputs | missing when |", "|---|---|---|---|---|---|"]
    for name, feature in FEATURES.items():
        inputs = ", ".join(f"`{column}`" for column in feature.inputs)
        cells = (f"`{name}`", feature.group, feature.unit, str(feature.window_sessions), inputs, feature.missing)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
