"""Noise controls: an estimator taught outcomes that were shuffled within each day must learn nothing; pure.

A control that ranks, or earns after costs, would prove that the procedure leaks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ml.evaluation import figures
from ml.evaluation.tranches import Rule


@dataclass(frozen=True)
class Control:
    """Mean daily rank correlation of a control, and its net excess in percent a year (``Interval.as_json``)."""

    rank_ic: float
    net_excess_pct: dict[str, Any]

    @classmethod
    def of(cls, past: pd.DataFrame, rule: Rule) -> "Control":
        ranks = figures.rank_correlations(past, "rank_score")
        return cls(float(ranks.mean()), figures.yearly_pct(figures.daily_money(past, rule)["net_excess"]))

    @property
    def is_earning(self) -> bool:
        """Whether its net excess is above 0 with its 90 % interval."""
        return (self.net_excess_pct["low_90"] or 0) > 0


def controls_row(controls: Sequence[Control], model: float | None) -> dict[str, Any]:
    """Summary of the controls, beside the model's mean rank correlation.

    Returns
    -------
    dict
        mean, standard_error (of the mean over the controls), highest: of the rank correlations; net_excess_pct (mean
        over the controls) and net_excess: that of each with its interval; passed_zero (mean within two standard errors
        of 0), passed_below (all below the model), passed_money (none earns significantly after costs), values: rank
        correlation of each. Below two controls nothing is known, and nothing passed.
    """
    values = np.asarray([control.rank_ic for control in controls], dtype=np.float64)
    money = [control.net_excess_pct for control in controls]
    parts: dict[str, Any] = {"values": values.tolist(), "net_excess": money}
    if len(values) < 2:
        unknown: dict[str, Any] = dict.fromkeys(("mean", "standard_error", "highest", "net_excess_pct"))
        return unknown | dict.fromkeys(("passed_zero", "passed_below", "passed_money"), False) | parts
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    return parts | {
        "mean": float(values.mean()),
        "standard_error": error,
        "highest": float(values.max()),
        "net_excess_pct": _mean([row["mean"] for row in money if row["mean"] is not None]),
        "passed_zero": bool(abs(values.mean()) <= 2 * error),
        "passed_below": bool(model is not None and values.max() < model),
        "passed_money": not any(control.is_earning for control in controls),
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
