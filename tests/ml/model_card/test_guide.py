"""The guide to the models: its marked parts are those that the registry makes."""

from pathlib import Path

import pytest

from ml.features.registry import FEATURES
from ml.learning.estimators import ESTIMATORS
from ml.model_card import guide

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "ML_GUIDE.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")


def test_the_guide_has_the_parts_of_the_registry():
    """`./run.sh manage model_guide --registry` writes them anew."""
    assert guide.with_parts(GUIDE, guide.registry_parts(EXAMPLE)) == GUIDE


def test_every_feature_estimator_and_setting_stands_in_its_part_once():
    parts = guide.registry_parts(EXAMPLE)
    for part, names in (("features", FEATURES), ("estimators", ESTIMATORS), ("settings", guide.SETTINGS)):
        assert [name for name in names if parts[part].count(f"`{name}`") != 1] == []


def test_the_weights_of_a_heads_members_add_up():
    rows = guide.members_table(ESTIMATORS["ensemble"]).splitlines()[2:]
    assert len([row for row in rows if row.startswith("| return head | 1/3 |")]) == 3
    assert len([row for row in rows if row.startswith("| rank head | 1/4 |")]) == 4


def test_settings_share_the_comment_before_the_first():
    example = (
        "# --- orders\n# what it costs\n# and where\n# TICKET_BROKER=zerodha\n# TICKET_RUPEES=50000\n\n# OTHER=1\n"
    )
    assert guide.settings_table(example).splitlines()[2:] == [
        "| `TICKET_BROKER`, `TICKET_RUPEES` | `zerodha`, `50000` | what it costs and where |"
    ]


def test_a_part_replaces_what_stood_between_its_marks_and_nothing_else():
    text = "a\n<!-- one -->\nold\n<!-- /one -->\nb\n<!-- two -->\nkept\n<!-- /two -->\n"
    assert guide.with_parts(text, {"one": r"new \1"}) == text.replace("old", r"new \1")


@pytest.mark.parametrize("text", ["no marks", "<!-- one -->\n<!-- /one -->\n" * 2, "<!-- one -->\nnever ends\n"])
def test_without_its_marks_a_part_has_no_place(text):
    with pytest.raises(guide.GuideUnmarked, match="<!-- one --> and <!-- /one --> once"):
        guide.with_parts(text, {"one": "new"})
