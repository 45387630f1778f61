"""Stored figures and their wording."""

import json

import pytest

from ml.model_card.figure import STYLES, UNITS, Figure, Part

STORED = {
    "net": {"mean": 12.3456789, "low_90": -1.25, "high_90": 25.0, "days": 240},
    "rank": {"mean": 0.0678, "low_95": 0.05, "high_95": 0.08, "standard_error": 0.01},
    "short": {"mean": 1.0, "low_90": None, "high_90": None},
    "curve": [{"stated": 0.45}],
    "passed": True,
    "note": "a baseline",
}
PART = Part(STORED, "report")


@pytest.mark.parametrize(
    ("style", "value", "text"),
    [
        ("yearly", 12.3456, "+12.3 %"),
        ("yearly", -0.04, "0.0 %"),
        ("yearly", -3.26, "−3.3 %"),
        ("move", 1.006, "+1.01 %"),
        ("cost", 6.55, "6.5 %"),
        ("cost", -4.3, "−4.3 %"),
        ("share", 0.7912, "79.1 %"),
        ("correlation", 0.06789, "+0.068"),
        ("correlation", -0.0612, "−0.061"),
        ("error", 0.00384, "0.0038"),
        ("ratio", -0.125, "−0.12"),
        ("rupees", 843_000_000, "₹84.3 crore"),
        ("count", 962138, "962,138"),
    ],
)
def test_each_style_has_its_wording(style, value, text):
    assert Figure("", value, style).text == text


def test_every_style_has_a_unit():
    assert set(STYLES) == set(UNITS)


def test_a_figure_keeps_its_path_and_every_digit():
    figure = PART.figure("yearly", "net", "mean")
    assert (figure.path, figure.value, figure.stored) == ("report/net/mean", 12.3456789, "12.3456789")
    assert json.loads(figure.stored) == 12.3456789
    assert PART.figure("share", "curve", 0, "stated") == Figure("report/curve/0/stated", 0.45, "share")


def test_what_is_missing_or_no_number_is_a_dash():
    for keys in (("nothing",), ("net", "median"), ("curve", 7, "stated"), ("passed",), ("note",), ("note", "x")):
        figure = PART.figure("yearly", *keys)
        assert (figure.value, figure.text) == (None, "–")
    assert not PART.at("nothing")
    assert PART.at("nothing").names() == []
    assert PART.text("nothing") == ""


def test_an_estimate_takes_the_interval_that_is_stored():
    net, rank, short = (PART.estimate("yearly", name) for name in ("net", "rank", "short"))
    assert (net.level, net.low.value, net.high.value) == (90, -1.25, 25.0)
    assert (rank.level, rank.low.value) == (95, 0.05)
    assert not short.has_interval
    assert short.text == "+1.0 %"
    assert net.text == "+12.3 % [−1.2 %, +25.0 %]"
    assert net.includes_zero()
    assert not rank.includes_zero()
    assert not short.includes_zero()
