"""Formatting of figures on the pages."""

import pytest

from portfolio.templatetags import figures


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "₹0.00"),
        (999.5, "₹999.50"),
        (1000, "₹1,000.00"),
        (123456.789, "₹1,23,456.79"),
        (1234567.5, "₹12,34,567.50"),
        (-1234.5, "−₹1,234.50"),
    ],
)
def test_rupees_are_grouped_the_indian_way(value, text):
    assert figures.rupees(value) == text


def test_a_missing_value_is_a_dash_and_never_zero():
    assert figures.decimals(None) == figures.percent(None) == figures.wording(None) == "–"
    assert figures.from_entry(None, {"expected_entry": 10.0, "current_price": 10.0}) == ""
    assert figures.from_entry(10.0, {"expected_entry": None, "current_price": None}) == ""


@pytest.mark.parametrize(
    ("chance", "text"),
    [(0.5, "5 of 10 cases"), (0.7, "7 of 10 cases"), (0.25, "25 of 100 cases"), (0.05, "5 of 100 cases"), (None, "–")],
)
def test_a_chance_is_a_number_of_cases(chance, text):
    assert figures.cases(chance) == text


def test_levels_are_signed_distances_from_the_expected_entry():
    assert figures.from_entry(110.0, {"expected_entry": 100.0, "current_price": 99.0}) == "+10.0 %"
    assert figures.from_entry(95.0, {"expected_entry": None, "current_price": 100.0}) == "−5.0 %"


def test_what_is_shown_as_nothing_has_no_sign():
    assert figures.from_entry(99.98, {"expected_entry": 100.0, "current_price": 99.0}) == "0.0 %"
    assert (figures.decimals(-0.001), figures.percent(-0.001), figures.change(-0.001)) == ("0.00", "0 %", "0.00 %")
    assert (figures.decimals(-1.5), figures.percent(-0.25)) == ("−1.50", "−25 %")


@pytest.mark.parametrize(("value", "length"), [(None, 0), (-1, 0), (0.5, 50), (7, 100)])
def test_a_bar_is_limited_to_its_track(value, length):
    assert figures.hundredths(value) == length


def test_constants_become_words():
    assert figures.wording("STRONG_BUY") == "Strong buy"


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (1.234, "+1.23 %"), (-0.5, "−0.50 %"), (0.001, "0.00 %")])
def test_moves_have_their_sign(value, text):
    assert figures.change(value) == text


@pytest.mark.parametrize(("value", "name"), [(None, ""), (0.001, ""), (0.01, "up"), (-0.01, "down")])
def test_only_a_move_has_a_colour(value, name):
    assert figures.tone(value) == name


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("rupees", "₹1,234.50"),
        ("crores", "₹1,234.50 cr"),
        ("whole", "1,234"),
        ("plain", "1,234.50"),
        ("pct", "1,234.50 %"),
        ("fine", "1,234.5000"),
    ],
)
def test_each_style_has_its_unit_and_a_dash_for_none(style, text):
    assert figures.styled(1234.5, style) == text
    assert figures.styled(None, style) == "–"


@pytest.mark.parametrize(("value", "text"), [(100000.0, "1,00,000"), (0.5, "0.5"), (-50.0, "−50"), (2.0, "2")])
def test_thresholds_are_written_short(value, text):
    assert figures.limit(value) == text


def test_a_product_with_a_missing_factor_is_missing():
    assert figures.times(2.0, 0.5) == 1.0
    assert figures.times(None, 0.5) is None
