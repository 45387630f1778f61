"""Calibration: from scores to an expected excess, its interval, a probability, a risk, and price levels; pure.

Everything is fitted on walk-forward predictions whose outcomes had happened, i.e. on sessions that the predicting
models had not seen, and used on later ones only. Scores enter as percentiles within their day, so that a share's
figures do not depend on how widely one day's scores spread. What scales with a share's own movement (interval, levels)
is fitted in units of its volatility over ten sessions, by fifths of the day's volatility.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.learning.labels import HOLDING_SESSIONS
from ml.learning.samples import by_day, day_percentiles

Numbers = npt.NDArray[np.float64]

# Ten-session returns beyond ±50 % say more about a single event than about the score.
RETURN_LIMIT = 0.5

# A predicted drawdown this deep or deeper has risk score 1. Half of it (7.5 %) is the contract's "avoid" limit 0.5;
# its "low risk" limit 0.3 is a drawdown of 4.5 %; the sample's mean drawdown of 6.3 % is 0.42.
FULL_RISK_DRAWDOWN = 0.15

# Curves fitted on fewer sessions would describe a mood of the market rather than the model.
FEWEST_SESSIONS = 40

CALIBRATED = (
    *("predicted_return", "excess_low", "excess_high", "ml_probability", "predicted_drawdown", "ml_risk_score"),
    *("high_level", "low_level", "entry_step"),
)
"""Columns that ``calibrated`` adds."""

INTERVAL = (0.1, 0.9)
BINS = 40
# Finer towards the head of the list, where the expectation rises fastest: of 1,400 shares the last group is the first
# ten.
HEAD_BOUNDS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.89, 0.93, 0.964, 0.979, 0.986, 0.993, 1.0)
VOLATILITY_GROUPS = 5


@dataclass(frozen=True)
class Curve:
    """A piecewise linear function, constant outside its range."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def __call__(self, values: Numbers) -> Numbers:
        """Evaluate the curve; NaN stays NaN."""
        return np.interp(values, self.x, self.y)


@dataclass(frozen=True)
class Chances:
    """The chances with which the published levels are reached within ten sessions."""

    target: float = 0.5
    stop: float = 0.2


DEFAULT_CHANCES = Chances()


@dataclass(frozen=True)
class Calibration:
    """Curves of an estimator, and the number of sessions of walk-forward predictions behind them.

    Attributes
    ----------
    expected_excess
        Percentile of the return head → mean excess (return over ten sessions less the day's mean share), plain.
    probability
        Percentile of the rank head → probability of beating the day's median share, 0-1.
    drawdown
        Percentile of the risk model (1 = shallowest) → mean drawdown, plain, at most 0.
    low, high
        Percentile of volatility → 10 % and 90 % quantile of the excess over ten-session volatility.
    run_up, undercut
        Percentile of volatility → the rise of the ten-session high, and the (negative) fall of the low, over
        ten-session volatility, that are reached with the chances ``chances.target`` and ``chances.stop``.
    entry_step
        Mean of the next open over the close, less 1.
    """

    expected_excess: Curve
    probability: Curve
    drawdown: Curve
    low: Curve
    high: Curve
    run_up: Curve
    undercut: Curve
    entry_step: float
    chances: Chances
    sessions: int

    def as_json(self) -> dict[str, Any]:
        """Lists and numbers; floats survive the round trip exactly."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Calibration":
        curves = {
            field.name: Curve(*(tuple(map(float, content[field.name][axis])) for axis in ("x", "y")))
            for field in fields(cls)
            if field.type is Curve
        }
        return cls(
            **curves,
            entry_step=float(content["entry_step"]),
            chances=Chances(**content["chances"]),
            sessions=int(content["sessions"]),
        )


def calibration(past: pd.DataFrame, chances: Chances = DEFAULT_CHANCES) -> Calibration | None:
    """Fit the curves on walk-forward predictions; None on fewer than ``FEWEST_SESSIONS`` sessions.

    Parameters
    ----------
    past
        Sorted by position: position, the percentiles of ``walk_forward.SCORES``, volatility (of a day's log return),
        and the outcomes forward_return, drawdown, run_up, entry_step; every outcome had happened by the day on which
        the curves are used.

    Notes
    -----
    The excess is measured against the day's mean share, so an expected excess says nothing about the market: a year
    contains some twenty-five independent market moves, too few to predict the next.
    """
    known = past[past["forward_return"].notna()]
    sessions = int(known["position"].nunique())
    if sessions < FEWEST_SESSIONS:
        return None
    position = known["position"].to_numpy(dtype=np.int64)
    excess = excess_returns(position, known["forward_return"].to_numpy(dtype=np.float64))
    forward = known["forward_return"].to_numpy(dtype=np.float64)
    beats = (forward > by_day(position, forward).transform("median").to_numpy()).astype(np.float64)
    spread = ten_session_volatility(known)
    group = day_percentiles(position, spread)

    def column(name: str) -> Numbers:
        return known[name].to_numpy(dtype=np.float64)

    def quantiles(values: Numbers, level: float) -> Curve:
        return _quantile_curve(group, values / spread, level)

    return Calibration(
        expected_excess=rising_curve(column("percentile"), excess, HEAD_BOUNDS),
        probability=rising_curve(column("rank_percentile"), beats),
        drawdown=rising_curve(column("risk_percentile"), column("drawdown")),
        low=quantiles(excess, INTERVAL[0]),
        high=quantiles(excess, INTERVAL[1]),
        run_up=quantiles(column("run_up"), 1 - chances.target),
        undercut=quantiles(column("drawdown"), chances.stop),
        entry_step=float(np.nanmean(column("entry_step"))),
        chances=chances,
        sessions=sessions,
    )


def excess_returns(position: npt.NDArray[np.int64], forward: Numbers) -> Numbers:
    """Return of each share, limited to ± ``RETURN_LIMIT``, less the mean of its day."""
    limited = by_day(position, np.clip(forward, -RETURN_LIMIT, RETURN_LIMIT))
    excess: Numbers = (limited.obj - limited.transform("mean")).to_numpy()
    return excess


def ten_session_volatility(frame: pd.DataFrame) -> Numbers:
    """Volatility over the sessions held; NaN where it is not known, or 0."""
    daily = frame["volatility"].to_numpy(dtype=np.float64)
    spread: Numbers = np.where(daily > 0, daily, np.nan) * np.sqrt(HOLDING_SESSIONS)
    return spread


def rising_curve(x: Numbers, y: Numbers, bounds: tuple[float, ...] | None = None) -> Curve:
    """Fit a rising curve of the mean of ``y`` over ``x``: isotonic regression on means of groups of ``x``.

    Groups are those between ``bounds``, by default ``BINS`` equal ones.

    Raises
    ------
    ValueError
        There is no pair of finite values.
    """
    from sklearn.isotonic import IsotonicRegression

    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        raise ValueError("A curve cannot be fitted without known values.")
    edges = np.linspace(0, 1, BINS + 1) if bounds is None else np.asarray(bounds)
    pairs = pd.DataFrame({"x": x[finite], "y": y[finite], "group": np.digitize(x[finite], edges[1:-1])})
    means = pairs.groupby("group").agg(x=("x", "mean"), y=("y", "mean"), n=("y", "size"))
    fitted = IsotonicRegression().fit_transform(means["x"], means["y"], sample_weight=means["n"])
    return Curve(tuple(map(float, means["x"])), tuple(map(float, fitted)))


def _quantile_curve(x: Numbers, y: Numbers, level: float) -> Curve:
    """Quantile of ``y`` in ``VOLATILITY_GROUPS`` equal groups of ``x``, at their mean ``x``."""
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        return Curve((0.5,), (float("nan"),))
    group = np.minimum((x[finite] * VOLATILITY_GROUPS).astype(np.int64), VOLATILITY_GROUPS - 1)
    grouped = pd.DataFrame({"x": x[finite], "y": y[finite]}).groupby(group)
    return Curve(tuple(map(float, grouped["x"].mean())), tuple(map(float, grouped["y"].quantile(level))))


def risk_score(drawdown: Numbers) -> Numbers:
    """Map a predicted drawdown (plain, at most 0) to 0-1, lower is safer: linear up to ``FULL_RISK_DRAWDOWN``."""
    return np.clip(-drawdown / FULL_RISK_DRAWDOWN, 0.0, 1.0)


def calibrated(raw: pd.DataFrame, curves: Calibration | None) -> pd.DataFrame:
    """Add the figures of a calibration to raw predictions; NaN without one.

    Parameters
    ----------
    raw
        ``walk_forward.SCORES`` and volatility.

    Returns
    -------
    DataFrame
        The columns given, and, plain: predicted_return (expected excess of ten sessions over the day's mean share),
        excess_low and excess_high (between which it lies in eight of ten cases), ml_probability (to beat the day's
        median share), predicted_drawdown (at most 0), ml_risk_score (0-1, lower is safer), high_level and low_level
        (over the entry price less 1, reached with the calibration's chances), entry_step (next open over close less 1).
    """
    if curves is None:
        return raw.assign(**dict.fromkeys(CALIBRATED, np.nan))
    spread = ten_session_volatility(raw)
    group = day_percentiles(raw["position"].to_numpy(dtype=np.int64), spread)
    drawdown = curves.drawdown(raw["risk_percentile"].to_numpy(dtype=np.float64))
    return raw.assign(
        predicted_return=curves.expected_excess(raw["percentile"].to_numpy(dtype=np.float64)),
        excess_low=curves.low(group) * spread,
        excess_high=curves.high(group) * spread,
        ml_probability=curves.probability(raw["rank_percentile"].to_numpy(dtype=np.float64)),
        predicted_drawdown=drawdown,
        ml_risk_score=risk_score(drawdown),
        high_level=np.maximum(curves.run_up(group) * spread, 0.0),
        low_level=np.minimum(curves.undercut(group) * spread, 0.0),
        entry_step=curves.entry_step,
    )
