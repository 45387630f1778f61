"""Boxes of sectors: only those with a market cap, coloured relative to the length of the horizon."""

import pytest

from portfolio.pages.figures.breadth import Moves, Sector
from portfolio.pages.figures.sector_map import sector_map, shade


def sector(name, cap, move):
    return Sector(name, 3, cap, None, (Moves(3, 1, 2, 0, move, move),))


def test_a_sector_without_a_market_cap_has_no_box():
    boxes = sector_map([sector("Banks", 100.0, 1.0), sector("Realty", None, 1.0)], 0)
    assert [box.sector.name for box in boxes] == ["Banks"]
    assert boxes[0].has_text


def test_a_long_name_is_cut_to_fit():
    banks, fuels = sector_map([sector("Banks", 10_000.0, 1.0), sector("Oil Gas & Consumable Fuels", 900.0, 1.0)], 0)
    assert fuels.label.endswith("…")
    assert banks.label == "Banks"


@pytest.mark.parametrize(
    ("move", "sessions", "name"),
    [
        (None, 1, "unknown"),
        (0.1, 1, "flat"),
        (0.3, 1, "up-1"),
        (-0.8, 1, "down-2"),
        (9.0, 1, "up-3"),
        (1.6, 1, "up-3"),
        (1.6, 63, "flat"),
    ],
)
def test_shades(move, sessions, name):
    assert shade(move, sessions) == name
