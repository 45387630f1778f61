import numpy as np
import pandas as pd
import pytest

from ml.features.facts import FACTS, facts
from ml.features.signals import Signals
from tests.ml.markets import garbled_after, groups_of, market, no_groups, sessions, without_bars


def test_limits_are_in_rupees_of_the_day():
    bars = market(shares=2, days=40)
    bars["turnover_lakh"] = 60.0
    bars["close"] = np.where(bars["symbol"] == "S000", 21.0, 19.0)
    bars["factor"] = 0.1  # a later split: adjusted prices would be 2.1 and 1.9
    liquid = facts(Signals(bars, sessions(40), no_groups()))["tradable"]
    by_symbol = {symbol: rows.to_numpy() for symbol, rows in liquid.groupby(bars["symbol"])}
    assert not by_symbol["S000"][:9].any()  # fewer than ten sessions of turnover
    assert by_symbol["S000"][9:].all()
    assert not by_symbol["S001"].any()


def test_limits_need_turnover():
    bars = market(shares=1, days=40)
    bars["close"], bars["turnover_lakh"] = 100.0, np.where(np.arange(40) < 20, 60.0, 40.0)
    liquid = facts(Signals(bars, sessions(40), no_groups()))["tradable"].to_numpy()
    assert liquid[9:29].all()  # ten of 60 and ten of 40 lakh: the median is 50, not above it
    assert not liquid[29:].any()


def test_facts_of_a_day_by_hand():
    bars = market(shares=2, days=70)
    bars["turnover_lakh"] = np.arange(len(bars), dtype=float)
    bars["factor"] = 0.5  # of a later split: the close stays as published
    groups = pd.DataFrame({"symbol": ["S000"], "sector": ["Power"], "industry": [None]})
    rows = facts(Signals(bars, sessions(70), groups))
    last = rows.loc[bars.index[bars["symbol"] == "S000"][-1]]
    closes = bars.loc[bars["symbol"] == "S000", "close"].to_numpy()
    assert last["close"] == closes[-1]
    assert last["median_turnover_lakh"] == 59.5  # 50 … 69
    assert last["volatility"] == pytest.approx(np.diff(np.log(closes))[-60:].std(), rel=1e-9)
    assert last["sector"] == "Power"
    assert rows.loc[bars["symbol"] == "S001", "sector"].isna().all()
    assert rows["volatility"].isna().sum() == 2 * 30  # thirty returns need thirty-one bars


def test_the_future_changes_no_fact():
    bars = without_bars(market(shares=8, days=90), seed=1)
    day, groups = sessions(90)[70], groups_of(bars)
    garbled = garbled_after(bars, day, seed=2)
    whole, changed = (
        facts(Signals(frame, sessions(90), groups)).loc[(frame["date"] <= day).to_numpy(), ["tradable", *FACTS]]
        for frame in (bars, garbled)
    )
    pd.testing.assert_frame_equal(whole.reset_index(drop=True), changed.reset_index(drop=True), check_exact=True)
