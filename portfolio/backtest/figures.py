"""Figures of a simulated account: returns, risk, costs, and how they compare with the yardsticks; pure.

A year has 252 sessions, nothing risky returns 0. Percentages are floats; rupees stay exact.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ml.evaluation.statistics import block_bootstrap
from portfolio.backtest.simulation import Simulation
from portfolio.trading.account import NOTHING, Trade

YEAR_SESSIONS: Final = 252
CAPACITY_OF_TURNOVER: Final = 0.01

Floats = npt.NDArray[np.float64]


def daily_returns(equity: Sequence[Decimal]) -> Floats:
    """Plain return of each session; 0 on the first."""
    values = np.array([float(value) for value in equity])
    return np.concatenate([[0.0], values[1:] / values[:-1] - 1])


def total_return(returns: Floats) -> float:
    """What all sessions together returned, plain."""
    return float(np.prod(1 + returns) - 1)


def annual_return(returns: Floats) -> float | None:
    """Plain return a year at the same pace; None below two sessions. `returns` begin with the first session's 0."""
    sessions = len(returns) - 1
    return float((1 + total_return(returns)) ** (YEAR_SESSIONS / sessions) - 1) if sessions else None


def volatility(returns: Floats) -> float | None:
    """Plain standard deviation a year; None below three sessions."""
    return float(np.std(returns[1:], ddof=1) * np.sqrt(YEAR_SESSIONS)) if len(returns) > 2 else None


def sharpe(returns: Floats) -> float | None:
    """Mean return over its standard deviation, a year; None where nothing moves."""
    spread = volatility(returns)
    return float(np.mean(returns[1:]) * YEAR_SESSIONS / spread) if spread else None


def max_drawdown(returns: Floats) -> float:
    """The deepest fall below an earlier height, plain and negative."""
    wealth = np.cumprod(1 + returns)
    return float(np.min(wealth / np.maximum.accumulate(wealth) - 1))


def interval_pct(daily: Floats | None) -> dict[str, Any] | None:
    """Mean of a daily series (plain, the first session left out) in percent a year, with its 90 % interval.

    Resampled in blocks of 20 sessions; there is no interval below two of them.
    """
    if daily is None or len(daily) < 2:
        return None
    figures = block_bootstrap(daily[1:] * YEAR_SESSIONS * 100).as_json()
    return {name: figures[name] for name in ("mean", "low_90", "high_90")}


def capacity_rupees(trades: Sequence[Trade], capital: Decimal) -> Decimal | None:
    """The capital at which the median order would be 1 % of its share's median turnover; None without orders."""
    parts = [float(trade.value / trade.turnover) for trade in trades if trade.turnover]
    if not parts:
        return None
    return (capital * Decimal(repr(CAPACITY_OF_TURNOVER / float(np.median(parts))))).quantize(Decimal(1))


def impact_rupees(trades: Sequence[Trade]) -> Decimal:
    """What all orders paid for their impact."""
    return sum((trade.quantity * abs(trade.price - trade.opening) for trade in trades), NOTHING)


def figures(
    simulation: Simulation, capital: Decimal, equal_weight: Floats, fund: Floats | None, untraded_value: Decimal
) -> dict[str, Any]:
    """All figures of an account beside the yardsticks' daily returns (plain, the first session's is 0).

    turnover_a_year: half of what was bought and sold, over the mean equity. exposure_pct: mean share of the equity
    that was in shares at the close. charges and impact: percent of the mean equity a year. end_value counts what does
    not trade any more at its last close, end_value_at_nothing as lost.
    """
    returns = daily_returns(simulation.equity)
    sessions, mean_equity = len(returns) - 1, sum(simulation.equity, NOTHING) / len(simulation.equity)

    def yearly(amount: Decimal) -> float | None:
        return float(amount / mean_equity) * YEAR_SESSIONS / sessions if sessions else None

    def percent(value: float | None) -> float | None:
        return None if value is None else value * 100

    traded = sum((trade.value for trade in simulation.trades), NOTHING)
    charges = simulation.charges["total"] + simulation.charges["dp"]
    invested = [float(1 - cash / value) for cash, value in zip(simulation.cash, simulation.equity, strict=True)]
    return {
        "total_return_pct": total_return(returns) * 100,
        "annual_return_pct": percent(annual_return(returns)),
        "annual_return_interval_pct": interval_pct(returns),
        "volatility_pct": percent(volatility(returns)),
        "sharpe": sharpe(returns),
        "max_drawdown_pct": max_drawdown(returns) * 100,
        "excess_equal_weight_pct": interval_pct(returns - equal_weight),
        "excess_niftybees_pct": None if fund is None else interval_pct(returns - fund),
        "turnover_a_year": yearly(traded / 2),
        "exposure_pct": float(np.mean(invested)) * 100,
        "charges_pct_a_year": percent(yearly(charges)),
        "impact_pct_a_year": percent(yearly(impact_rupees(simulation.trades))),
        "capacity_rupees": capacity_rupees(simulation.trades, capital),
        "end_value": simulation.equity[-1],
        "end_value_at_nothing": simulation.equity[-1] - untraded_value,
    }


def periods(
    sessions: Sequence[date], name: str, returns: Floats, equal_weight: Floats, fund: Floats | None
) -> list[dict[str, Any]]:
    """Returns in percent of each month (`name` month, as 2024-05) or half-year (half_year, as 2024-II)."""
    labels = np.array([_month(day) if name == "month" else _half_year(day) for day in sessions])
    rows = []
    for label in dict.fromkeys(labels.tolist()):
        of_period = labels == label
        row: dict[str, Any] = {name: label}
        series = {"return_pct": returns, "equal_weight_pct": equal_weight, "niftybees_pct": fund}
        for column, daily in series.items():
            row[column] = None if daily is None else total_return(daily[of_period]) * 100
        rows.append(row)
    return rows


def _month(day: date) -> str:
    return f"{day:%Y-%m}"


def _half_year(day: date) -> str:
    return f"{day.year}-{'I' if day.month <= 6 else 'II'}"
