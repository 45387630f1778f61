"""Boxes of sectors: only those with a market cap, coloured relative to the length of the horizon."""

import pytest

from portfolio.pages.figures.breadth import Moves, Sector
from portfolio.pages.figures.sector_map import scale, sector_map, shade


def sector(name, cap, move):
    return Sector(name, 3, cap, None, (Moves(3, 1, 2, 0, move, move),))


def test_a_sector_without_a_market_cap_has_no_box():
    boxes = sector_map([sector("Banks", 100.0, 1.0), sector("Realty", None, 1.0)], 0)
    assert [box.sector.name for box in boxes] == ["Banks"]


def test_a_long_name_is_broken_between_words_and_never_cut():
    sectors = [sector("Banks", 10_000.0, 1.0), sector("Oil Gas & Consumable Fuels", 2500.0, 1.0)]
    banks, fuels = sector_map(sectors, 0)
    assert [line.text for line in banks.lines] == ["Banks"]
    assert len(fuels.lines) > 1
    assert " ".join(line.text for line in fuels.lines) == "Oil Gas & Consumable Fuels"
    assert fuels.move_y <= fuels.place.height


def test_a_name_that_does_not_fit_is_named_by_a_number():
    names = ["Banks", "Telecommunication", "Media Entertainment & Publication"]
    boxes = sector_map([sector(name, cap, 1.0) for name, cap in zip(names, (100_000.0, 90.0, 60.0), strict=True)], 0)
    assert [(bool(box.lines), box.key) for box in boxes] == [(True, None), (False, 1), (False, 2)]


def test_the_scale_has_every_colour_once_from_fall_to_rise():
    swatches = scale(1)
    assert [swatch.shade for swatch in swatches] == ["down-3", "down-2", "down-1", "flat", "up-1", "up-2", "up-3"]
    falls = ["below −1.50 %", "−0.75 to 1.50 %", "−0.25 to 0.75 %"]
    assert [swatch.words for swatch in swatches][:4] == [*falls, "within ±0.25 %"]


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
