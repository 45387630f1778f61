from pathlib import Path

from ml.features.guide import feature_table
from ml.features.registry import FEATURES

GUIDE = Path(__file__).parents[3] / "docs" / "ML_GUIDE.md"


def test_the_guide_has_the_registrys_table():
    """Print it anew with `python -c "from ml.features.guide import feature_table; print(feature_table())"`."""
    assert feature_table() in GUIDE.read_text(encoding="utf-8")


def test_a_line_a_feature():
    lines = feature_table().splitlines()
    assert len(lines) == 2 + len(FEATURES)
    assert {line.count("|") for line in lines} == {7}
    assert "| `return_5` | returns | log return | 5 | `close` | no price at the window's start" in lines[3]
