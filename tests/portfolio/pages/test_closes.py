"""Closes for sparklines: nothing later than the date, all on one scale."""

from datetime import date, timedelta

import pytest

from market_data.models import DailyBar
from portfolio.pages.closes import recent_closes
from stocks.models import Stock

pytestmark = pytest.mark.django_db
UNTIL = date(2026, 4, 30)


def store(symbol: str, closes: list[tuple[float, float]], last: date = UNTIL) -> None:
    Stock.objects.get_or_create(symbol=symbol)
    days = [last - timedelta(days=back) for back in range(len(closes))][::-1]
    DailyBar.objects.bulk_create(
        DailyBar(
            symbol_id=symbol, date=day, series="EQ", open=c, high=c, low=c, close=c, adj_close=a, volume=1, source="t"
        )
        for day, (c, a) in zip(days, closes, strict=True)
    )


def test_the_line_is_on_the_scale_of_its_last_close_and_has_no_step():
    # A 2-for-1 split on the last day; a later one halved every stored adjusted close again.
    store("AAA", [(100.0, 25.0), (104.0, 26.0), (53.0, 26.5)])
    assert recent_closes(["AAA"], UNTIL) == {"AAA": [50.0, 52.0, 53.0]}


def test_nothing_later_and_at_most_sixty_closes():
    store("AAA", [(10.0, 10.0)] * 5, last=UNTIL + timedelta(days=2))
    store("BBB", [(10.0 + n, 10.0 + n) for n in range(80)])
    closes = recent_closes(["AAA", "BBB", "NONE"], UNTIL)
    assert len(closes["AAA"]) == 3
    assert len(closes["BBB"]) == 60
    assert closes["BBB"][-1] == 89.0
    assert "NONE" not in closes


def test_the_close_replaces_a_missing_adjusted_close():
    store("AAA", [(10.0, None), (11.0, None)])  # type: ignore[list-item]
    assert recent_closes(["AAA"], UNTIL)["AAA"] == [10.0, 11.0]


def test_it_is_one_query(django_assert_num_queries):
    store("AAA", [(10.0, 10.0)])
    with django_assert_num_queries(1) as queries:
        recent_closes(["AAA", "BBB"], UNTIL)
    assert "JOIN" not in queries.captured_queries[0]["sql"]
