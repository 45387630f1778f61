"""The figures against `empyrical`, and by hand."""

import warnings
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.charges import Side
from portfolio.backtest import figures
from portfolio.backtest.simulation import Simulation
from portfolio.trading.account import Trade
from tests.portfolio.backtest.markets import weekdays

with warnings.catch_warnings():
    # What it is built on is older than what is installed.
    warnings.simplefilter("ignore")
    import empyrical

curves = st.lists(st.integers(50_00, 200_00).map(lambda paise: Decimal(paise) / 100), min_size=5, max_size=60)


@given(curves)
def test_returns_and_risk_equal_those_of_empyrical(equity):
    returns = figures.daily_returns(equity)
    known = returns[1:]
    assert figures.total_return(returns) == pytest.approx(empyrical.cum_returns_final(known), abs=1e-9)
    assert figures.total_return(returns) == pytest.approx(float(equity[-1] / equity[0] - 1), abs=1e-9)
    assert figures.annual_return(returns) == pytest.approx(empyrical.annual_return(known), rel=1e-9, abs=1e-9)
    assert figures.max_drawdown(returns) == pytest.approx(empyrical.max_drawdown(known), abs=1e-9)
    if np.ptp(known) > 1e-6:
        assert figures.volatility(returns) == pytest.approx(empyrical.annual_volatility(known), abs=1e-9)
        assert figures.sharpe(returns) == pytest.approx(empyrical.sharpe_ratio(known), abs=1e-9)


def test_a_flat_account_has_no_sharpe_and_a_short_one_no_year():
    flat = figures.daily_returns([Decimal(5)] * 4)
    assert (figures.sharpe(flat), figures.max_drawdown(flat)) == (None, 0)
    single = figures.daily_returns([Decimal(5)])
    assert (figures.annual_return(single), figures.volatility(single), figures.interval_pct(single)) == (None,) * 3


def account() -> Simulation:
    """Three sessions: 1000, then 400 of 1100 in cash, then all of 990 in shares."""
    days = weekdays(3)
    trades = [
        Trade(days[1], "A", Side.BUY, Decimal(6), Decimal(101), Decimal(100), Decimal(6060)),
        Trade(days[2], "B", Side.BUY, Decimal(4), Decimal(99), Decimal(98), Decimal(1980)),
    ]
    simulation = Simulation(
        days, [Decimal(1000), Decimal(1100), Decimal(990)], [Decimal(1000), Decimal(440), Decimal(0)]
    )
    simulation.trades = trades
    simulation.charges |= {"total": Decimal(9), "dp": Decimal("1.30")}
    return simulation


def test_costs_turnover_exposure_and_capacity_by_hand():
    nothing = np.zeros(3)
    made = figures.figures(account(), Decimal(1000), nothing, None, Decimal(90))
    # Mean equity 1030 over 2 sessions of 252. Bought 606 + 396 = 1002.
    assert made["turnover_a_year"] == pytest.approx(501 / 1030 * 126)
    assert made["charges_pct_a_year"] == pytest.approx(10.3 / 1030 * 126 * 100)
    assert made["impact_pct_a_year"] == pytest.approx(10 / 1030 * 126 * 100)
    # Invested 0, 660 of 1100, all.
    assert made["exposure_pct"] == pytest.approx((0 + 60 + 100) / 3)
    # The orders are 10 % and 20 % of the median turnover, the median 15 %: 1 % at a fifteenth of the capital.
    assert made["capacity_rupees"] == 67
    assert (made["end_value"], made["end_value_at_nothing"]) == (990, 900)
    assert made["excess_niftybees_pct"] is None
    # Returns +10 %, −10 %: their mean a year is 0, without an interval below forty sessions.
    assert made["annual_return_interval_pct"] == {"mean": pytest.approx(0, abs=1e-9), "low_90": None, "high_90": None}


def test_intervals_hold_their_mean():
    random = np.random.default_rng(1)
    daily = np.concatenate([[0.0], random.normal(0.001, 0.01, 250)])
    interval = figures.interval_pct(daily)
    assert interval is not None
    assert interval["mean"] == pytest.approx(daily[1:].mean() * 25200)
    assert interval["low_90"] < interval["mean"] < interval["high_90"]


def test_periods_start_from_the_close_before_them():
    days = [date(2024, 6, 27), date(2024, 6, 28), date(2024, 7, 1), date(2024, 7, 2)]
    returns = figures.daily_returns([Decimal(100), Decimal(110), Decimal(121), Decimal("133.1")])
    weights = np.array([0.0, 0.0, 0.05, 0.0])
    months = figures.periods(days, "month", returns, weights, None)
    assert [row["month"] for row in months] == ["2024-06", "2024-07"]
    assert [row["return_pct"] for row in months] == pytest.approx([10, 21])
    assert [row["equal_weight_pct"] for row in months] == pytest.approx([0, 5])
    assert [row["niftybees_pct"] for row in months] == [None, None]
    halves = figures.periods(days, "half_year", returns, weights, None)
    assert [row["half_year"] for row in halves] == ["2024-I", "2024-II"]
