"""A tree map fills its box, with areas in proportion to sizes."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.pages.figures.tree_map import rectangles

ROUNDING = 1e-3
"""In units of the drawing."""
SIZES = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=40).map(lambda sizes: sorted(sizes, reverse=True))


@given(SIZES)
def test_areas_are_in_proportion_and_inside(sizes):
    placed = rectangles(sizes, 960.0, 440.0)
    scale = 960.0 * 440.0 / sum(sizes)
    for size, box in zip(sizes, placed, strict=True):
        assert box.width * box.height == pytest.approx(size * scale, rel=1e-6)
        assert box.x >= -ROUNDING
        assert box.y >= -ROUNDING
        assert box.x + box.width <= 960.0 + ROUNDING
        assert box.y + box.height <= 440.0 + ROUNDING


@given(SIZES)
def test_rectangles_do_not_overlap(sizes):
    for a, b in combinations(rectangles(sizes, 960.0, 440.0), 2):
        wide = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
        high = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
        assert wide <= ROUNDING or high <= ROUNDING


def test_equal_sizes_become_squares():
    for box in rectangles([1.0] * 4, 100.0, 100.0):
        assert box.width == pytest.approx(50.0)
        assert box.height == pytest.approx(50.0)


def test_the_paper_s_example():
    # Bruls, Huizing and van Wijk (2000), figure 4: 6, 6, 4, 3, 2, 2, 1 in a box of 6 × 4.
    first, second, third = rectangles([6, 6, 4, 3, 2, 2, 1], 6.0, 4.0)[:3]
    assert (first.width, first.height) == pytest.approx((3.0, 2.0))
    assert (second.width, second.height) == pytest.approx((3.0, 2.0))
    assert (third.width, third.height) == pytest.approx((12 / 7, 7 / 3))


def test_no_sizes_give_no_rectangles_and_zero_is_refused():
    assert rectangles([], 10.0, 10.0) == []
    with pytest.raises(ValueError, match="above 0"):
        rectangles([1.0, 0.0], 10.0, 10.0)
