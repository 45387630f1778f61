"""What is left of the money when trading costs more or starts later, and how it moves with the market; pure."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ml.evaluation.figures import Days, daily_money, yearly_pct
from ml.evaluation.statistics import slope
from ml.evaluation.tranches import Rule


def stress(past: pd.DataFrame, rule: Rule, days: Days) -> dict[str, Any]:
    """Net excess in percent a year with 90 % intervals, of all shares and of those of more than ₹10 crore.

    Returns
    -------
    dict
        impact_doubled; entry_late (bought at the open of t+2, sold at that of t+12, universe too): each net_excess_pct
        and liquid_net_excess_pct; beta: slope of the net excess on the universe's return over the same ten sessions.
    """
    doubled = replace(rule, impact=lambda turnover: 2 * rule.impact(turnover))
    return {
        "impact_doubled": _both(past, doubled, "forward_return"),
        "entry_late": _both(past, rule, "late_entry_return"),
        "beta": slope(*(days.money[name].to_numpy(dtype=np.float64) for name in ("universe", "net_excess"))).as_json(),
    }


def _both(past: pd.DataFrame, rule: Rule, outcome: str) -> dict[str, Any]:
    every, liquid = (daily_money(past, rule, liquid=liquid, outcome=outcome) for liquid in (False, True))
    return {
        "net_excess_pct": yearly_pct(every["net_excess"]),
        "liquid_net_excess_pct": yearly_pct(liquid["net_excess"]),
    }
