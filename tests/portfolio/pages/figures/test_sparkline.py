"""The coordinates of a sparkline stay in its box and keep the order of prices."""

from hypothesis import given
from hypothesis import strategies as st

from portfolio.pages.figures.sparkline import HEIGHT, WIDTH, sparkline

prices = st.floats(0.05, 1e6)
levels = st.none() | prices


@given(st.lists(prices, min_size=2, max_size=60), levels, levels)
def test_all_coordinates_are_in_the_box(closes, target, stop):
    spark = sparkline(closes, target, stop)
    assert spark is not None
    points = [tuple(map(float, point.split(","))) for point in spark.points.split()]
    assert len(points) == len(closes)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert points == sorted(points, key=lambda point: point[0])
    for level in (spark.target_y, spark.stop_y):
        assert level is None or 0 <= level <= HEIGHT


def test_higher_prices_are_drawn_higher():
    spark = sparkline([100.0, 110.0], 120.0, 90.0)
    assert spark is not None
    assert spark.target_y == 3.0
    assert spark.stop_y == HEIGHT - 3.0
    assert spark.target_y < spark.now_y < spark.stop_y
    assert "+10.0 %" in spark.description


def test_a_line_needs_two_closes_and_may_be_flat():
    assert sparkline([100.0], 120.0, 90.0) is None
    assert sparkline([], None, None) is None
    assert sparkline([5.0, 5.0], None, None) is not None
