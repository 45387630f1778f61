"""Sector names: spellings of sources, and aliases that people type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocks.universe.sectors import exchange_spelling, same_sector


@pytest.mark.parametrize(
    ("screener", "exchange"),
    [
        ("Oil & Gas", "Oil Gas & Consumable Fuels"),
        ("FMCG", "Fast Moving Consumer Goods"),
        ("Automobiles", "Automobile and Auto Components"),
        ("Automobile & Auto Components", "Automobile and Auto Components"),
        ("Telecom", "Telecommunication"),
        ("Media", "Media Entertainment & Publication"),
        ("Chemicals", "Chemicals"),
    ],
)
def test_other_sources_names_get_the_exchanges_spelling(screener, exchange):
    assert exchange_spelling(screener) == exchange
    assert same_sector(screener, exchange)


@pytest.mark.parametrize("name", ["Healthcare Services", "Construction", "Food Products", "Petroleum Products"])
def test_a_part_of_a_sector_does_not_match_it(name):
    assert exchange_spelling(name) == name


@given(st.text(max_size=40))
def test_the_exchanges_spelling_is_a_fixed_point(text):
    assert exchange_spelling(exchange_spelling(text)) == exchange_spelling(text)
    assert same_sector(text, exchange_spelling(text))
