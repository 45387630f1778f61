"""The made-up market of ``markets`` in the tables."""

from datetime import date, timedelta

import pandas as pd

from market_data.models import MarketDay
from stocks.models import Stock
from stocks.storage import bulk
from tests.ml.markets import market, sessions


def store_market(days: int, shares: int = 20) -> None:
    """Store bars with a signal, the last symbol being a fund, and the calendar until after today."""
    bars = market(shares=shares, days=days, signal=0.004).drop(columns="factor")
    symbols = sorted(bars["symbol"].unique())
    kinds = dict.fromkeys(symbols, "share") | {symbols[-1]: "fund"}
    Stock.objects.bulk_create(Stock(symbol=symbol, kind=kinds[symbol]) for symbol in symbols)
    bulk.upsert("historical_data", bars.assign(source="test"), ("symbol", "date"), "run_1")
    dates = pd.bdate_range(sessions(1)[0], date.today() + timedelta(days=90))
    MarketDay.objects.bulk_create(MarketDay(date=day, kind="normal", is_session=True, source="test") for day in dates)
