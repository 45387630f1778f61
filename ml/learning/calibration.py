"""Calibration: from a model's score to an expected return, a probability, a drawdown, a risk and a confidence.

Every curve is monotone and fitted on walk-forward predictions only, i.e. on sessions that the predicting model had
not seen. Scores enter as percentiles within their day, so that a curve fitted on the folds' smaller models holds for
the published ensemble, and a share's figures do not depend on how widely one day's scores spread.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.learning.samples import by_day

Numbers = npt.NDArray[np.float64]

# Ten-session returns beyond ±50 % say more about a single event than about the score.
RETURN_LIMIT = 0.5

# A predicted drawdown this deep or deeper has risk score 1. Half of it (7.5 %) is the contract's "avoid" limit 0.5;
# its "low risk" limit 0.3 is a drawdown of 4.5 %; the sample's mean drawdown of 6.3 % is 0.42.
FULL_RISK_DRAWDOWN = 0.15

# Standard deviation of uniform percentiles: the disagreement of members that predict at random.
CHANCE_SPREAD = 1 / np.sqrt(12)

BINS = 40


@dataclass(frozen=True)
class Curve:
    """A monotone piecewise linear function, constant outside its range."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def __call__(self, values: Numbers) -> Numbers:
        """Evaluate the curve; NaN stays NaN."""
        return np.interp(values, self.x, self.y)


@dataclass(frozen=True)
class Calibration:
    """The three curves of a model, and the number of sessions of walk-forward predictions behind them.

    Attributes
    ----------
    excess_return
        Percentile of the score → mean return over ten sessions beyond the day's mean share, plain.
    probability
        Percentile of the score → probability of beating the day's median share, 0-1.
    drawdown
        Percentile of the risk model's prediction (1 = shallowest) → mean drawdown, plain, at most 0.
    """

    excess_return: Curve
    probability: Curve
    drawdown: Curve
    sessions: int

    def as_json(self) -> dict[str, Any]:
        """Lists and numbers; floats survive the round trip exactly."""
        curves = {"excess_return": self.excess_return, "probability": self.probability, "drawdown": self.drawdown}
        return {
            **{name: {"x": list(curve.x), "y": list(curve.y)} for name, curve in curves.items()},
            "sessions": self.sessions,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Calibration":
        curves = {
            name: Curve(tuple(map(float, content[name]["x"])), tuple(map(float, content[name]["y"])))
            for name in ("excess_return", "probability", "drawdown")
        }
        return cls(**curves, sessions=int(content["sessions"]))


def monotone_curve(x: Numbers, y: Numbers) -> Curve:
    """Fit a rising curve of the mean of ``y`` over ``x``: isotonic regression on means of up to ``BINS`` equal bins.

    Raises
    ------
    ValueError
        There is no pair of finite values.
    """
    from sklearn.isotonic import IsotonicRegression

    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        raise ValueError("A curve cannot be fitted without known values.")
    pairs = pd.DataFrame({"x": x[finite], "y": y[finite]}).sort_values("x", kind="stable")
    pairs["bin"] = (np.arange(len(pairs)) * BINS) // len(pairs)
    means = pairs.groupby("bin").agg(x=("x", "mean"), y=("y", "mean"), n=("y", "size"))
    # Bins with the same mean x are one point of the curve.
    means["sum"] = means["y"] * means["n"]
    means = means.groupby("x", as_index=False)[["sum", "n"]].sum()
    means["y"] = means["sum"] / means["n"]
    fitted = IsotonicRegression().fit_transform(means["x"], means["y"], sample_weight=means["n"])
    return Curve(tuple(map(float, means["x"])), tuple(map(float, fitted)))


def calibration(predictions: pd.DataFrame) -> Calibration:
    """Fit the curves on walk-forward predictions.

    Parameters
    ----------
    predictions
        position (of the session), percentile and risk_percentile (of score and predicted drawdown within the day), and
        the outcomes forward_return and drawdown.

    Returns
    -------
    Calibration
        Returns are measured against the day's mean share, so a predicted return assumes a flat market: a year of folds
        contains some twenty independent market moves, too few to predict the next. Of drawdowns, too, only the order
        within the day was predictable on the sample (rank correlation 0.27); their common level was not (daily means
        correlated at -0.4), so a percentile is mapped to the mean drawdown it had.

    Notes
    -----
    Point in time: uses outcomes, so these must have happened by the day on which the model is used.
    """
    position = predictions["position"].to_numpy()
    forward = predictions["forward_return"].to_numpy(dtype=np.float64)
    clipped = by_day(position, np.clip(forward, -RETURN_LIMIT, RETURN_LIMIT))
    excess = (clipped.obj - clipped.transform("mean")).to_numpy()
    beats = np.where(np.isfinite(forward), forward > by_day(position, forward).transform("median").to_numpy(), np.nan)
    percentile = predictions["percentile"].to_numpy(dtype=np.float64)
    return Calibration(
        excess_return=monotone_curve(percentile, excess),
        probability=monotone_curve(percentile, beats),
        drawdown=monotone_curve(
            predictions["risk_percentile"].to_numpy(dtype=np.float64),
            predictions["drawdown"].to_numpy(dtype=np.float64),
        ),
        sessions=int(np.unique(position[np.isfinite(forward)]).size),
    )


def risk_score(drawdown: Numbers) -> Numbers:
    """Map a predicted drawdown (plain, at most 0) to 0-1, lower is safer: linear up to ``FULL_RISK_DRAWDOWN``."""
    return np.clip(-drawdown / FULL_RISK_DRAWDOWN, 0.0, 1.0)


def confidence(percentiles: Numbers) -> Numbers:
    """Agreement of an ensemble's members by their percentiles of each share within the day, rows × members.

    0-1: 1 when all rank the share alike, 0 when they spread like random percentiles. NaN for a single member.
    """
    if percentiles.shape[1] < 2:
        return np.full(len(percentiles), np.nan)
    agreement: Numbers = np.clip(1 - percentiles.std(axis=1, ddof=1) / CHANCE_SPREAD, 0.0, 1.0)
    return agreement
