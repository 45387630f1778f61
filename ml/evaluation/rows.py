"""One row of a report: all that is said of one recipe's walk-forward predictions with their outcomes; pure."""

from typing import Any

import pandas as pd

from ml.evaluation.figures import Days, curve, heads, lengths, summary
from ml.evaluation.segments import segments
from ml.evaluation.stress import stress
from ml.evaluation.tranches import Rule


def figures_row(past: pd.DataFrame, rule: Rule, sessions: pd.DatetimeIndex, days: Days | None = None) -> dict[str, Any]:
    """The figures that need no calibration, plain JSON.

    Returns
    -------
    dict
        ``figures.summary``, and heads (``figures.heads``), lengths (``figures.lengths``), segments
        (``segments.segments``), stress (``stress.stress``), curve (``figures.curve``), by_year
        (year → mean rank_ic).
    """
    days = days or Days.of(past, rule)
    parts = segments(past, rule, days, sessions)
    return summary(past, rule, days) | {
        "by_year": {year: row["rank_ic"]["mean"] for year, row in parts["year"].items()},
        "heads": heads(past, days),
        "lengths": lengths(past, rule, days),
        "segments": parts,
        "stress": stress(past, rule, days),
        "curve": curve(days.money["net_excess"], sessions),
    }
