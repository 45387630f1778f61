"""A stored market whose days the calendar knows, so that orders can be sent on them."""

from collections.abc import Sequence
from datetime import date, time

from market_data.models import MarketDay
from stocks.models import Stock
from tests.portfolio.backtest.markets import Prices, weekdays
from tests.portfolio.backtest.stored import store


def trading_market(prices: Prices, first_symbols: Sequence[str] = ()) -> list[date]:
    """Store a market with lists, of shares that can be ordered, and the calendar to three sessions after it."""
    days = store(prices, first_symbols)
    Stock.objects.update(series="EQ", sector="Power")
    MarketDay.objects.bulk_create(
        MarketDay(date=day, kind="normal", is_session=True, source="t", open=time(9, 15), close=time(15, 30))
        for day in weekdays(len(days) + 3)
    )
    return days
