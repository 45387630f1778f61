"""A backtest's parameters, and content as the simulation gives it, for tests that do not simulate."""

import itertools
import math
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils import timezone

from portfolio.models import Backtest, User
from tests.portfolio.market import sessions

RECIPE = "0123456789ab"
DAYS = sessions(300)


def parameters_json(**changes: Any) -> dict[str, Any]:
    """The default parameters over all days."""
    defaults = {
        "strategy": "balanced",
        "first": DAYS[0].isoformat(),
        "last": DAYS[-1].isoformat(),
        "capital": "1000000",
        "holdings": 20,
        "keep": 40,
        "every": 10,
        "reweigh": "none",
        "settlement": "real",
        "broker": "zerodha",
        "fractional": False,
        "impact": True,
    }
    return defaults | changes


def figures_json(end_value: str) -> dict[str, Any]:
    """Figures with their intervals."""
    interval = {"mean": 21.4, "low_90": -4.2, "high_90": 48.0}
    return {
        "total_return_pct": 33.2, "annual_return_pct": 27.1, "volatility_pct": 18.3, "sharpe": 1.21,
        "max_drawdown_pct": -9.8, "turnover_a_year": 8.4, "exposure_pct": 94.6, "charges_pct_a_year": 1.42,
        "impact_pct_a_year": 2.03, "capacity_rupees": 48_000_000.0, "end_value": end_value,
        "end_value_at_nothing": f"{float(end_value) - 4944:.2f}", "annual_return_interval_pct": interval,
        "excess_equal_weight_pct": {"mean": 6.1, "low_90": -3.0, "high_90": 15.5},
        "excess_niftybees_pct": {"mean": 9.4, "low_90": -2.2, "high_90": 21.8},
    }  # fmt: skip


def content_json(parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Content under every key of the contract: a curve that swings, a few trades, a share that is not traded."""
    given = dict(parameters or parameters_json())
    days = [day.isoformat() for day in DAYS if given["first"] <= day.isoformat() <= given["last"]]
    curve = [f"{1_000_000 * (1 + place / 900 + math.sin(place / 11) / 25):.2f}" for place in range(len(days))]
    wide = [f"{1_000_000 * (1 + place / 1500):.2f}" for place in range(len(days))]
    fund = [f"{1_000_000 * (1 + place / 2000 - math.sin(place / 15) / 40):.2f}" for place in range(len(days))]
    returns = {"return_pct": 1.25, "equal_weight_pct": -0.4, "niftybees_pct": 0.31}
    months = [month for month, _ in itertools.groupby(days, lambda day: day[:7])]
    halves = [
        half for half, _ in itertools.groupby(months, lambda month: f"{month[:4]}-{'I' if month[5:] < '07' else 'II'}")
    ]
    return {
        "parameters": given,
        "recipe": RECIPE,
        "data_hash": "ab" * 32,
        "lists": {"first": days[0], "sessions": len(days) - 1, "without": [[days[3], "Fewer than 5 shares passed."]]},
        "equity": [[day, value] for day, value in zip(days, curve, strict=True)],
        "trades": [
            {"session": days[1], "symbol": "RELIANCE", "side": "buy", "quantity": 34, "price": "1402.55"},
            {"session": days[1], "symbol": "M&M", "side": "buy", "quantity": 16, "price": "3010.00"},
            {"session": days[11], "symbol": "M&M", "side": "sell", "quantity": 16, "price": "3055.10"},
        ],
        "cash": "51234.05",
        "usable_cash": "41234.05",
        "holdings": [
            {"symbol": "RELIANCE", "quantity": 34, "last_close": "1450.00", "last_session": days[-1]},
            {"symbol": "GONE", "quantity": 120, "last_close": "41.20", "last_session": days[-40]},
        ],
        "charges": {
            "turnover": "145000.40", "brokerage": "0.00", "stt": "145.00", "exchange": "4.48", "ipft": "0.15",
            "sebi": "0.15", "stamp_duty": "14.00", "gst": "0.86", "total": "164.64", "dp": "15.34",
        },
        "impact": "212.40",
        "figures": figures_json(curve[-1]),
        "monthly": [{"month": month} | returns for month in months],
        "half_years": [{"half_year": half} | returns for half in halves],
        "yardsticks": {
            "equal_weight": [[day, value] for day, value in zip(days, wide, strict=True)],
            "niftybees": [[day, value] for day, value in zip(days, fund, strict=True)],
        },
        "untraded": [{"symbol": "GONE", "quantity": 120, "last_session": days[-40], "last_close": "41.20"}],
        "events_known_until": days[-30],
        "events_not_booked": [
            {"symbol": "RELIANCE", "ex_date": days[20], "kind": "dividend", "purpose": "Dividend Rs 10", "quantity": 34}
        ],
    }  # fmt: skip


def store_completed(owner: User, **changes: Any) -> Backtest:
    """A completed backtest of a person."""
    given = parameters_json(**changes)
    return Backtest.objects.create(
        owner=owner,
        strategy=given["strategy"],
        first=date.fromisoformat(given["first"]),
        last=date.fromisoformat(given["last"]),
        parameters=given,
        recipe=RECIPE,
        data_hash="ab" * 32,
        content=content_json(given),
        status="completed",
        progress=1.0,
        started_at=timezone.now(),
        finished_at=timezone.now(),
    )
