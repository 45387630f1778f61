"""What holds of every simulation: no look-ahead, no credit, no money from nowhere."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.charges import Side
from portfolio.backtest.panel import Panel
from portfolio.backtest.simulation import simulate
from tests.portfolio.backtest.markets import random_market, terms

ways = st.fixed_dictionaries(
    {
        "holdings": st.integers(1, 4),
        "keep": st.integers(4, 8),
        "every": st.integers(1, 6),
        "reweigh": st.sampled_from(("none", "equal")),
        "settlement": st.sampled_from(("real", "ideal")),
        "impact": st.booleans(),
    }
)


def trade(frame, days, ranked, way):
    panel = Panel(frame, days)
    return panel, simulate(panel, ranked, terms(panel, "100000", **way), lambda done, total: None)


@settings(max_examples=40, deadline=None)
@given(ways, st.booleans(), st.integers(0, 30), st.integers(0, 1000), st.sampled_from(("cut", "garbled")))
def test_what_comes_after_a_day_changes_nothing_up_to_it(way, whole, last, seed, how):
    way |= {"charges": whole, "fractional": not whole}
    frame, days, ranked = random_market(seed, symbols=9, sessions=32, gaps=0.1)
    _, full = trade(frame, days, ranked, way)
    after = frame["date"] > np.datetime64(days[last])
    if how == "cut":
        changed, days = frame.loc[~after], days[: last + 1]
    else:
        noise = np.random.default_rng(seed).uniform(0.2, 5, size=len(frame))
        changed = frame.copy()
        for column in ("open", "high", "low", "close", "adj_close", "turnover_lakh"):
            changed.loc[after, column] = changed[column] * noise
        ranked = {day: rows if day <= days[last] else rows[::-1] for day, rows in ranked.items()}
    _, known = trade(changed, days, ranked, way)
    assert known.equity[: last + 1] == full.equity[: last + 1]
    assert known.holdings[: last + 1] == full.holdings[: last + 1]


@settings(max_examples=40, deadline=None)
@given(ways, st.sampled_from(("zerodha", "fyers")), st.integers(0, 1000))
def test_money_and_shares_come_from_trades_and_charges_alone(way, broker, seed):
    frame, days, ranked = random_market(seed, symbols=9, sessions=30, gaps=0.1)
    _, result = trade(frame, days, ranked, way | {"charges": True, "broker": broker})
    signs = {Side.BUY: 1, Side.SELL: -1}
    paid = sum((signs[trade.side] * trade.value for trade in result.trades), Decimal(0))
    assert result.cash[-1] == 100_000 - paid - result.charges["total"] - result.charges["dp"]
    held: dict[str, Decimal] = {}
    for each in result.trades:
        held[each.symbol] = held.get(each.symbol, Decimal(0)) + signs[each.side] * each.quantity
        assert each.quantity == int(each.quantity) > 0
        assert held[each.symbol] >= 0
    assert {symbol: quantity for symbol, quantity in held.items() if quantity} == result.holdings[-1]
    lines = ("brokerage", "stt", "exchange", "ipft", "sebi", "stamp_duty", "gst")
    assert result.charges["total"] == sum(result.charges[line] for line in lines)


@settings(max_examples=30, deadline=None)
@given(ways, st.integers(0, 1000))
def test_nothing_is_bought_on_credit(way, seed):
    frame, days, ranked = random_market(seed, symbols=9, sessions=30)
    _, result = trade(frame, days, ranked, way | {"charges": False})
    assert min(result.cash) >= 0
    assert result.usable_cash <= result.cash[-1]


@pytest.mark.parametrize("scale", [0.1, 0.5])
def test_later_events_leave_the_past_as_it_was(scale):
    frame, days, ranked = random_market(5, symbols=9, sessions=30)
    way = {"holdings": 3, "keep": 5, "every": 3, "charges": True, "settlement": "real", "impact": True}
    _, plain = trade(frame, days, ranked, way)
    _, scaled = trade(frame.assign(adj_close=frame["adj_close"] * scale), days, ranked, way)
    assert plain.equity == scaled.equity
    assert plain.trades == scaled.trades
