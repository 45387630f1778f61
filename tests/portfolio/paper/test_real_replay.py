"""Three months of the real market: on paper as in a backtest."""

from datetime import date, time
from decimal import Decimal

import pandas as pd
import pytest

from market_data.models import MarketDay
from ml.models import PickPlace
from portfolio.backtest.content import backtest
from portfolio.backtest.parameters import Parameters
from portfolio.paper.replay import paper_replay
from stocks.models import Stock
from stocks.storage import bulk
from tests.champions import RECIPE, crown
from tests.market_data import real_market

pytestmark = [pytest.mark.real, pytest.mark.django_db]
FIRST, LAST = date(2026, 2, 2), date(2026, 4, 30)
SHARES = 80


@pytest.mark.parametrize("reweigh", ["none", "equal"])
def test_three_months_of_paper_equal_a_backtest(reweigh: str):
    """The most traded shares, ranked by what they gained in twenty sessions; their splits are jumps of the price."""
    bars = real_market.bars()
    bars = bars[(bars["date"] >= "2025-12-01") & (bars["date"] <= pd.Timestamp(LAST)) & bars["series"].eq("EQ")]
    liquid = bars.groupby("symbol")["turnover_lakh"].median().nlargest(SHARES).index
    bars = bars[bars["symbol"].isin(liquid)].assign(adj_close=lambda frame: frame["close"])
    days = [day.date() for day in sorted(bars["date"].unique())]
    Stock.objects.bulk_create(Stock(symbol=symbol, kind="share", series="EQ", sector="Power") for symbol in liquid)
    columns = ["symbol", "date", "series", "open", "high", "low", "close", "adj_close", "volume", "turnover_lakh"]
    bulk.upsert("historical_data", bars[columns].assign(source="nse"), ("symbol", "date"), "run_of_the_test")
    MarketDay.objects.bulk_create(
        MarketDay(date=day, kind="normal", is_session=True, source="t", open=time(9, 15), close=time(15, 30))
        for day in days
    )
    crown(days[0])
    closes = bars.pivot(index="date", columns="symbol", values="close")
    gains = closes.pct_change(20, fill_method=None)
    for day in days:
        ranked = gains.T[pd.Timestamp(day)].dropna().sort_values(ascending=False)
        PickPlace.objects.bulk_create(
            PickPlace(
                strategy="model",
                session=day,
                symbol=str(symbol),
                place=place,
                source="walk_forward",
                recipe=RECIPE,
                selection_score=0.5,
            )
            for place, symbol in enumerate(ranked.index, start=1)
        )
    terms = Parameters("model", FIRST, LAST, Decimal(1_000_000), holdings=10, keep=20, reweigh=reweigh)
    computed = backtest(terms, lambda done, total: None)
    assert len(computed["trades"]) > 50
    assert paper_replay(terms, lambda done, total: None) == computed
