"""Skill above noise: what a recipe's ranking is worth beyond the same recipe taught nothing; pure.

The controls are the model, with its members and sessions but fewer trees, taught outcomes that were shuffled within
each day. A control above 0 shows what the procedure alone, or a lucky stretch, makes of no information.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ml.evaluation import figures
from ml.evaluation.report import with_shuffled_outcomes
from ml.evaluation.statistics import block_bootstrap, newey_west
from ml.evaluation.tranches import PERIODS_A_YEAR, Rule
from ml.learning.estimators import Estimator, Head
from ml.learning.samples import Samples
from ml.learning.training import with_outcomes
from ml.learning.walk_forward import Window, fit_members, raw_predictions

CONTROLS = 3
CONTROL_SESSIONS = 63
"""Sessions of the newest fold: as many as the boosted members of a walk-forward are used for."""
SKILL_SESSIONS = 250
"""A year: over less, luck moves the figure from one evening to the next."""
LIGHT = 0.25
"""Share of its trees that a control has."""

_NORMAL_90 = 1.6448536269514722


@dataclass(frozen=True)
class Noise:
    """Mean daily rank correlation of controls, with its standard error; NaN where there is none.

    ``net_excess_pct`` is what their lists would have earned after costs, percent a year over the equal-weight universe.
    """

    rank_ic: float
    standard_error: float
    days: int
    controls: int
    net_excess_pct: float

    def as_json(self) -> dict[str, Any]:
        figures = {name: getattr(self, name) for name in ("rank_ic", "standard_error", "net_excess_pct")}
        known = {name: float(figure) if np.isfinite(figure) else None for name, figure in figures.items()}
        return known | {"days": self.days, "controls": self.controls}


def noise(data: Samples, estimator: Estimator, past: pd.DataFrame, rule: Rule, controls: int = CONTROLS) -> Noise:
    """Fit controls as of the first session of the newest fold and rank its sessions by them.

    Parameters
    ----------
    past
        ``training.Night.past``: the fold is the last ``CONTROL_SESSIONS`` of its sessions with known outcomes.

    Notes
    -----
    Point in time: as a fold of the walk-forward; the outcomes that judge are the true ones.
    """
    tested = _last_sessions(past, CONTROL_SESSIONS)
    if not len(tested):
        return Noise(np.nan, np.nan, 0, 0, np.nan)
    first, last = int(tested[0]), int(tested[-1])
    window, light = Window.of(first, estimator), replace(estimator.with_members(size=LIGHT), risk_head=Head(()))
    rows, newest = data.between(window.first, window.last), data.between(first, last)
    daily, money = [], []
    for seed in range(controls):
        fits = fit_members(with_shuffled_outcomes(rows, seed), light.members, window)
        control = with_outcomes(raw_predictions(newest, light, fits), data)
        daily.append(figures.rank_correlations(control, "rank_score"))
        money.append(figures.daily_money(control, rule)["net_excess"].mean() * PERIODS_A_YEAR * 100)
    return Noise(*_mean_of_controls(daily), len(tested), controls, float(np.mean(money)))


def skill_above_noise(past: pd.DataFrame, controls: Noise) -> dict[str, Any]:
    """Mean daily rank correlation of a recipe over its last ``SKILL_SESSIONS`` with outcomes, less that of controls.

    Returns
    -------
    dict
        mean, low_90 and high_90 (errors of both counted), None where unknown, and days.

    Notes
    -----
    The interval of the difference is made of the two intervals' halves, side by side (MOVER; Zou and Donner 2008,
    Statistics in Medicine 27): the model's by blocks of sessions, the controls' by their standard error.
    """
    daily = figures.rank_correlations(past, "rank_score").dropna().tail(SKILL_SESSIONS)
    model = block_bootstrap(daily.to_numpy(dtype=np.float64))
    mean, error = model.value - controls.rank_ic, _NORMAL_90 * controls.standard_error
    low = mean - np.hypot(model.value - model.low, error)
    high = mean + np.hypot(model.high - model.value, error)
    values = {"mean": mean, "low_90": low, "high_90": high}
    known = {name: float(value) if np.isfinite(value) else None for name, value in values.items()}
    return known | {"days": model.days}


def _last_sessions(past: pd.DataFrame, count: int) -> "np.ndarray[Any, Any]":
    return np.unique(past.loc[past["forward_return"].notna(), "position"].to_numpy(dtype=np.int64))[-count:]


def _mean_of_controls(daily: "Sequence[pd.Series[Any]]") -> tuple[float, float]:
    """Mean over days and controls, and its standard error: the larger of what days and what controls say.

    Three controls alone may agree by chance; days alone cannot show what differs from control to control.
    """
    means = np.asarray([series.mean() for series in daily])
    of_days = np.sqrt(np.mean([newey_west(series).standard_error ** 2 for series in daily]) / len(daily))
    of_controls = means.std(ddof=1) / np.sqrt(len(means))
    return float(means.mean()), float(np.fmax(of_days, of_controls))
