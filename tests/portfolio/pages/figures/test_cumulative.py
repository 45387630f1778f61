"""The picture of a cumulative return."""

from datetime import date

from portfolio.pages.figures.cumulative import HEIGHT, WIDTH, cumulative

DAYS = [date(2026, 4, day) for day in (6, 7, 8)]


def test_the_line_lies_in_the_box_with_zero_where_it_belongs():
    picture = cumulative(list(zip(DAYS, (1.0, 3.0, -1.0), strict=True)))
    assert picture is not None
    assert picture.points == f"6.0,{HEIGHT / 2} {WIDTH / 2},6.0 {WIDTH - 6}.0,{HEIGHT - 6}.0"
    assert picture.zero_y == 102.0  # three quarters of the way down
    assert (picture.last_pct, picture.low_pct, picture.high_pct) == (-1.0, -1.0, 3.0)
    assert picture.description == "3 lists from 2026-04-06 to 2026-04-08: -1.00 %, lowest -1.00 %, highest +3.00 %"


def test_zero_is_always_in_the_picture_and_needs_no_span():
    gains = cumulative([(DAYS[0], 2.0), (DAYS[1], 4.0)])
    assert gains is not None
    assert gains.zero_y == HEIGHT - 6
    flat = cumulative([(DAYS[0], 0.0), (DAYS[1], 0.0)])
    assert flat is not None
    assert flat.zero_y == flat.last_y


def test_one_list_is_no_line():
    assert cumulative([(DAYS[0], 1.0)]) is cumulative([]) is None
