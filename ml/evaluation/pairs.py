"""Two rankings compared day by day; pure."""

from typing import Any, Final

import numpy as np
import pandas as pd

from ml.evaluation.figures import Days, yearly_pct
from ml.evaluation.statistics import Interval, Mean, block_bootstrap

EQUAL_WEIGHT: Final = "equal weight"
CHOICE_END: Final = pd.Timestamp("2025-10-31")
"""Recipes were chosen on sessions up to this day: later ones confirm, and were looked at once per experiment."""


def paired(days: Days, other: Days, sessions: pd.DatetimeIndex) -> dict[str, Any]:
    """Daily differences to another ranking, with 90 % intervals.

    Returns
    -------
    dict
        rank_ic and liquid_rank_ic (of the rank head, among all and among shares of more than ₹10 crore),
        net_excess_pct and liquid_net_excess_pct (percent a year); choice: the same four up to ``CHOICE_END``.
    """
    daily = {
        "rank_ic": days.ranks["rank_ic"] - other.ranks["rank_ic"],
        "liquid_rank_ic": days.liquid_ranks - other.liquid_ranks,
        "net_excess_pct": days.money["net_excess"] - other.money["net_excess"],
        "liquid_net_excess_pct": days.liquid["net_excess"] - other.liquid["net_excess"],
    }
    last = int(sessions.searchsorted(CHOICE_END, side="right")) - 1
    early = {name: values[values.index <= last] for name, values in daily.items()}
    return _means(daily) | {"choice": _means(early)}


def _means(daily: dict[str, pd.Series]) -> dict[str, Any]:
    return {
        name: yearly_pct(values)
        if name.endswith("_pct")
        else block_bootstrap(values.to_numpy(dtype=np.float64)).as_json()
        for name, values in daily.items()
    }


def equal_weight_row(sessions: int) -> dict[str, Any]:
    """The row of the universe itself, against which all money is measured: 0 by definition, and no order."""
    zero, none = Interval(0.0, 0.0, 0.0, sessions).as_json(), Mean(np.nan, np.nan, 0).as_json()
    money = dict.fromkeys(("net_excess_pct", "liquid_net_excess_pct", "gross_excess_pct"), zero)
    note = "every tradable share alike, without costs: 0 by definition"
    facts = {"kind": "baseline", "note": note, "rank_ic": none, "bought": 0.0, "deepest_fall_pct": 0.0}
    return facts | money | {"by_year": {}, "segments": {"half_year": {}}}
