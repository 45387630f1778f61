"""The simulation against the library `bt`: parts of shares, at the open, without charges and impact."""

import warnings
from datetime import date

import numpy as np
import pandas as pd
import pytest

from portfolio.backtest.panel import Panel
from portfolio.backtest.simulation import Lists, simulate
from portfolio.trading.sizing import target
from tests.portfolio.backtest.markets import random_market, terms

with warnings.catch_warnings():
    # What it is built on is older than what is installed.
    warnings.simplefilter("ignore")
    import bt

HOLDINGS, EVERY = 5, 7


def ours(frame: pd.DataFrame, days: list[date], ranked: Lists) -> pd.Series:
    panel = Panel(frame, days)
    chosen = terms(panel, "1000000", holdings=HOLDINGS, keep=HOLDINGS, every=EVERY, reweigh="equal", fractional=True)
    result = simulate(panel, ranked, chosen, lambda done, total: None)
    return pd.Series([float(value) for value in result.equity], index=pd.DatetimeIndex(pd.to_datetime(days)))


def theirs(frame: pd.DataFrame, days: list[date], ranked: Lists) -> pd.Series:
    """`bt` trades at the price of the day that it is given: at opens, with the weights of the session before.

    Its value at each open is carried to the close by what it holds.
    """
    index = pd.DatetimeIndex(pd.to_datetime(days))
    # It refuses to hold what has no price; filled up, it trades at the price of long ago.
    opens, closes = (frame.pivot(index="date", columns="symbol", values=name).ffill() for name in ("open", "close"))
    weights = pd.DataFrame(0.0, index=index, columns=opens.columns)
    trading = []
    for number in range(0, len(days) - 1, EVERY):
        chosen = target(ranked[days[number]], (), HOLDINGS, HOLDINGS)
        weights.loc[index[number + 1], chosen] = 1 / HOLDINGS
        trading.append(index[number + 1])
    algorithms = [bt.algos.RunOnDate(*trading), bt.algos.WeighTarget(weights), bt.algos.Rebalance()]
    strategy = bt.Strategy("open", algorithms)
    test = bt.Backtest(strategy, opens, initial_capital=1_000_000, integer_positions=False, progress_bar=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bt.run(test)
    at_open = test.strategy.values.reindex(index)
    held = test.positions.reindex(index=index, columns=opens.columns).fillna(0.0)
    equity: pd.Series = at_open + (held * (closes - opens)).sum(axis=1)
    return equity


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equity_equals_that_of_bt(seed):
    market = random_market(seed, symbols=12, sessions=80)
    mine, reference = ours(*market), theirs(*market)
    assert len(mine) == len(reference) == 80
    assert mine.nunique() > 70
    np.testing.assert_allclose(mine, reference, rtol=1e-6)


def test_what_does_not_trade_makes_the_difference():
    """A share that has to be sold has no bar at that opening nor at the next ones: here it waits, there it is sold."""
    frame, days, ranked = random_market(1, symbols=12, sessions=80)
    first, second = ({symbol for symbol, place in ranked[days[n]] if place <= HOLDINGS} for n in (0, EVERY))
    leaver = min(first - second)
    waiting = pd.to_datetime(days[EVERY + 1 : EVERY + 6])
    gap = (frame["symbol"] == leaver) & frame["date"].isin(waiting)
    market = frame.loc[~gap].reset_index(drop=True), days, ranked
    mine, reference = ours(*market), theirs(*market)
    np.testing.assert_allclose(mine.iloc[: EVERY + 1], reference.iloc[: EVERY + 1], rtol=1e-6)
    assert np.isfinite(reference).all()
    assert np.abs(mine / reference - 1).max() > 1e-4
