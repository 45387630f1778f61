"""How figures are written."""

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
    assert figures.from_price(None, 10.0) == figures.from_price(10.0, None) == ""


def test_levels_are_told_from_the_price_with_their_sign():
    assert figures.from_price(110.0, 100.0) == "+10.0 %"
    assert figures.from_price(95.0, 100.0) == "−5.0 %"


@pytest.mark.parametrize(("value", "length"), [(None, 0), (-1, 0), (0.5, 50), (7, 100)])
def test_a_bar_stays_in_its_track(value, length):
    assert figures.hundredths(value) == length


def test_constants_become_words():
    assert figures.wording("STRONG_BUY") == "Strong buy"
