"""A tree map fills its box, and areas stand for sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.pages.figures.tree_map import rectangles

SEEN = 1e-3
"""Of a unit of the drawing: what rounding may shift."""
SIZES = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=40).map(lambda sizes: sorted(sizes, reverse=True))


@given(SIZES)
def test_areas_are_in_proportion_and_inside(sizes):
    placed = rectangles(sizes, 960.0, 440.0)
    scale = 960.0 * 440.0 / sum(sizes)
    for size, box in zip(sizes, placed, strict=True):
        assert box.width * box.height == pytest.approx(size * scale, rel=1e-6)
        assert box.x >= -SEEN
        assert box.y >= -SEEN
        assert box.x + box.width <= 960.0 + SEEN
        assert box.y + box.height <= 440.0 + SEEN


@given(SIZES)
def test_none_lies_on_another(sizes):
    placed = rectangles(sizes, 960.0, 440.0)
    for place, one in enumerate(placed):
        for other in placed[place + 1 :]:
            wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert wide <= SEEN or high <= SEEN


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


def test_nothing_has_no_place():
    assert rectangles([], 10.0, 10.0) == []
    with pytest.raises(ValueError, match="above 0"):
        rectangles([1.0, 0.0], 10.0, 10.0)
