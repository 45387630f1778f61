"""The market of stored bars: what it answers, and that nothing of it is known before its moment."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest

from brokers.charges import Side
from brokers.prices import Bands, Price
from brokers.protocol import IST
from market_data.models import DailyBar, TradingLimits
from portfolio.paper.prices import StoredBars
from tests.portfolio.backtest.markets import START, Day, one_price
from tests.portfolio.backtest.stored import store

pytestmark = pytest.mark.django_db
NEXT = START + timedelta(days=1)


def at(clock: str, day: date = START) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), IST)


def test_a_session_has_its_opening_for_a_minute_and_its_close():
    store({"A": [Day(100, 104), Day(105, 103)]})
    prices = StoredBars().prices("A", at("09:00"), at("16:00"))
    opening = [price for price in prices if price.price == 100]
    assert (opening[0].at, opening[-1].at) == (at("09:15"), at("09:15:59.875"))
    assert prices[len(opening) :] == [Price(at("15:29"), Decimal("104.0"), 1)]


@pytest.mark.parametrize("moment", ["09:14:59", "09:15", "09:15:00.124", "09:15:30.5", "12:00", "15:28:59.9", "15:29"])
def test_what_is_answered_for_a_moment_lies_before_it_and_stays(moment: str):
    store({"A": [Day(100, 104), Day(105, 103)]})
    whole, until = StoredBars().prices("A", at("00:00"), at("23:00", NEXT)), at(moment)
    assert StoredBars().prices("A", at("00:00"), until) == [price for price in whole if price.at <= until]
    assert StoredBars().prices("A", until, at("23:00", NEXT)) == [price for price in whole if price.at > until]


def test_a_session_without_a_final_bar_has_no_price():
    store({"A": [Day(100), None, Day(100)], "B": [10.0, 10.0, 10.0]})
    assert StoredBars().prices("A", at("00:00", NEXT), at("23:00", NEXT)) == []
    DailyBar.objects.filter(symbol__symbol="B", date=NEXT).update(status=DailyBar.Status.PROVISIONAL)
    assert StoredBars().prices("B", at("00:00", NEXT), at("23:00", NEXT)) == []


def test_lists_have_the_series_of_the_day_and_forget_what_is_gone():
    store({"A": [10.0, 10.0], "B": [10.0, None]})
    DailyBar.objects.filter(symbol__symbol="A", date=NEXT).update(series="BE")
    assert [(row.symbol, row.series) for row in StoredBars().listings(START)] == [("A", "EQ"), ("B", "EQ")]
    assert [(row.symbol, row.series) for row in StoredBars().listings(NEXT)] == [("A", "BE"), ("B", "EQ")]
    assert StoredBars().listings(NEXT + timedelta(days=40)) == []
    assert [row.symbol for row in StoredBars(symbols=["B"]).listings(START)] == ["B"]


def test_bands_are_those_that_a_source_published():
    store({"A": [10.0]})
    TradingLimits.objects.create(symbol="A", date=START, lower_band=9.5, upper_band=10.5, source="t")
    assert StoredBars().bands("A", START) == Bands(Decimal("9.5"), Decimal("10.5"))
    assert StoredBars().bands("A", NEXT) is None


def test_an_order_gets_the_opening_after_its_impact():
    # Flat closes have no volatility: 0.10 % of the ₹50 crore that its sessions turn over, rounded against the order.
    store({"A": [100.0, 100.0, 100.0, Day(100.5, 103)]})
    day = START + timedelta(days=3)
    bars, price = StoredBars(), Price(at("09:15:01", day), Decimal("100.5"), 0)
    assert bars.execution("A", Side.BUY, 10, price) == Decimal("100.61")
    assert bars.execution("A", Side.SELL, 10, price) == Decimal("100.39")
    assert StoredBars(impact=False).execution("A", Side.BUY, 10, price) == Decimal("100.5")


def test_nobody_takes_the_other_side_of_a_locked_share():
    store({"UP": [100.0, 100.0, 100.0, one_price(105)], "DOWN": [100.0, 100.0, 100.0, one_price(95)]})
    day = START + timedelta(days=3)
    answers = {
        (symbol, side): StoredBars(impact=False).execution(symbol, side, 1, Price(at("09:15", day), Decimal(1), 0))
        for symbol in ("UP", "DOWN")
        for side in Side
    }
    assert [key for key, price in answers.items() if price is None] == [("UP", Side.BUY), ("DOWN", Side.SELL)]


def test_a_share_of_which_turnover_or_volatility_is_not_known_is_not_traded():
    store({"A": [Day(100), Day(100)]})
    assert StoredBars().execution("A", Side.BUY, 1, Price(at("09:15", NEXT), Decimal(100), 0)) is None
