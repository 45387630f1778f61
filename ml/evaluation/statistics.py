"""Statistics of rankings within a day, and of daily series with overlapping outcomes.

Confidence interval: Newey and West (1987) with Bartlett weights. Ten-session outcomes of neighbouring days share nine
sessions, so their rank correlations are not independent; 20 lags cover the overlap twice. Verified against
statsmodels' HAC.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

NEWEY_WEST_LAGS = 20
NORMAL_95 = 1.959963984540054
BLOCK_SESSIONS = 20
BOOTSTRAP_DRAWS = 4000

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mean:
    """A mean over days with its Newey-West standard error."""

    value: float
    standard_error: float
    days: int

    @property
    def half_width(self) -> float:
        """Half the width of the 95 % confidence interval."""
        return NORMAL_95 * self.standard_error

    def as_json(self) -> dict[str, float | int | None]:
        """Plain numbers; None where unknown, and no interval where there is none."""
        has_error = bool(np.isfinite(self.standard_error))
        figures: dict[str, float | int | None] = {
            "mean": self.value if np.isfinite(self.value) else None,
            "standard_error": self.standard_error if has_error else None,
            "half_width_95": self.half_width if has_error else None,
            "days": self.days,
        }
        if has_error:
            figures |= {"low_95": self.value - self.half_width, "high_95": self.value + self.half_width}
        return figures


def newey_west(values: npt.ArrayLike, lags: int = NEWEY_WEST_LAGS) -> Mean:
    """Mean of a daily series, in order of days, with its autocorrelation-consistent standard error; NaN are ignored.

    Lags, at most all that the series has, get Bartlett weights. The error of fewer than two days is NaN.
    """
    series = np.asarray(values, dtype=np.float64)
    series = series[np.isfinite(series)]
    days = len(series)
    if days < 2:
        return Mean(float(series[0]) if days else np.nan, np.nan, days)
    mean = series.mean()
    deviation = series - mean
    variance = deviation @ deviation / days
    for lag in range(1, min(lags, days - 1) + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (deviation[lag:] @ deviation[:-lag]) / days
    return Mean(float(mean), float(np.sqrt(max(variance, 0.0) / days)), days)


@dataclass(frozen=True)
class Interval:
    """A mean with its 90 % interval by a circular block bootstrap (Politis and Romano 1992)."""

    value: float
    low: float
    high: float
    days: int

    def as_json(self) -> dict[str, float | int | None]:
        figures = {"mean": self.value, "low_90": self.low, "high_90": self.high}
        return {name: figure if np.isfinite(figure) else None for name, figure in figures.items()} | {"days": self.days}


def block_bootstrap(values: npt.ArrayLike, seed: int = 0) -> Interval:
    """Mean of a daily series, in order of days, resampled in blocks of ``BLOCK_SESSIONS``; NaN are ignored.

    There is no interval below two blocks.
    """
    series = np.asarray(values, dtype=np.float64)
    return bootstrap_of(series[np.isfinite(series)][:, None], lambda means: means[..., 0], seed)


def bootstrap_of(columns: Numbers, statistic: Callable[[Numbers], Numbers], seed: int = 0) -> Interval:
    """A statistic of the means of daily columns, in order of days, resampled in blocks of ``BLOCK_SESSIONS``.

    Parameters
    ----------
    columns
        Days × columns, all finite.
    statistic
        Maps means (… × columns) to figures (…): a mean, a ratio of means, a spread.
    """
    days = len(columns)
    if not days:
        return Interval(np.nan, np.nan, np.nan, 0)
    value = float(statistic(columns.mean(axis=0)))
    if days < 2 * BLOCK_SESSIONS:
        return Interval(value, np.nan, np.nan, days)
    around = np.vstack([columns, columns[: BLOCK_SESSIONS - 1]])
    total = np.cumsum(np.vstack([np.zeros(columns.shape[1]), around]), axis=0)
    blocks = (total[BLOCK_SESSIONS:] - total[:-BLOCK_SESSIONS]) / BLOCK_SESSIONS
    starts = np.random.default_rng(seed).integers(days, size=(BOOTSTRAP_DRAWS, -(-days // BLOCK_SESSIONS)))
    draws = statistic(blocks[starts].mean(axis=1))
    low, high = np.nanquantile(draws, (0.05, 0.95)) if np.isfinite(draws).any() else (np.nan, np.nan)
    return Interval(value, float(low), float(high), days)


def ratio_of_mean(values: npt.ArrayLike) -> Interval:
    """Mean of a daily series over its standard deviation (of rank correlations: the "ICIR"); NaN are ignored."""
    series = np.asarray(values, dtype=np.float64)
    series = series[np.isfinite(series)]

    def ratio(means: Numbers) -> Numbers:
        spread = np.sqrt(np.maximum(means[..., 1] - means[..., 0] ** 2, 0.0))
        return np.divide(means[..., 0], spread, out=np.full_like(spread, np.nan), where=spread > 0)

    return bootstrap_of(np.column_stack([series, series**2]), ratio)


def slope(x: Numbers, y: Numbers) -> Mean:
    """Least-squares slope of one daily series on another, with its Newey-West error; pairs with NaN are ignored."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    spread = float(np.var(x)) if len(x) else 0.0
    if spread == 0:
        return Mean(np.nan, np.nan, len(x))
    around = x - x.mean()
    value = float((around * (y - y.mean())).mean() / spread)
    # The slope's error is that of the mean of its influence.
    influence = newey_west(around * (y - y.mean() - value * around) / spread)
    return Mean(value, influence.standard_error, len(x))


def daily_rank_correlation(position: npt.NDArray[np.int64], score: Numbers, outcome: Numbers) -> pd.Series:
    """Rank correlation (Spearman) of a score with an outcome within each day, by day, ascending.

    Rows where either is NaN are ignored; NaN where all scores or all outcomes of a day are equal.
    """
    frame = _finite_rows(position, score, outcome)
    for name in ("score", "outcome"):
        ranks = frame.groupby("day")[name].rank()
        frame[name] = ranks - ranks.groupby(frame["day"]).transform("mean")
    a, b = frame["score"], frame["outcome"]
    sums = pd.DataFrame({"ab": a * b, "aa": a**2, "bb": b**2}).groupby(frame["day"]).sum()
    scale = (sums["aa"] * sums["bb"]) ** 0.5
    correlation: pd.Series = (sums["ab"] / scale.where(scale > 0)).rename("rank_ic")
    return correlation


def _finite_rows(position: npt.NDArray[np.int64], score: Numbers, outcome: Numbers) -> pd.DataFrame:
    finite = np.isfinite(score) & np.isfinite(outcome)
    return pd.DataFrame({"day": position[finite], "score": score[finite], "outcome": outcome[finite]})


def daily_decile_spread(position: npt.NDArray[np.int64], score: Numbers, outcome: Numbers) -> pd.Series:
    """Mean outcome of each day's top tenth by score minus that of its bottom tenth, by day, ascending."""
    frame = _finite_rows(position, score, outcome)
    percentile = frame.groupby("day")["score"].rank(pct=True, method="first")
    top = frame[percentile > 0.9].groupby("day")["outcome"].mean()
    bottom = frame[percentile <= 0.1].groupby("day")["outcome"].mean()
    return (top - bottom).rename("decile_spread")


def daily_hit_rate(position: npt.NDArray[np.int64], score: Numbers, outcome: Numbers) -> pd.Series:
    """Share (0-1) of each day's top tenth by score that beat the day's median outcome, by day, ascending."""
    frame = _finite_rows(position, score, outcome)
    grouped = frame.groupby("day")
    top = grouped["score"].rank(pct=True, method="first") > 0.9
    beats = (frame["outcome"] > grouped["outcome"].transform("median")).astype("float64")
    return beats[top].groupby(frame["day"]).mean().rename("hit_rate")


def daily_figures(predictions: pd.DataFrame) -> pd.DataFrame:
    """Quality of each day's ranking, measured by its outcomes.

    Parameters
    ----------
    predictions
        position, score, predicted_drawdown, forward_return, drawdown.

    Returns
    -------
    DataFrame
        By position, ascending: rank_ic (score with return), risk_rank_ic (predicted with actual drawdown),
        decile_spread (plain), hit_rate (0-1); NaN where undefined.
    """
    position = predictions["position"].to_numpy(dtype=np.int64)
    score = predictions["score"].to_numpy(dtype=np.float64)
    outcome = predictions["forward_return"].to_numpy(dtype=np.float64)
    risk = daily_rank_correlation(
        position,
        predictions["predicted_drawdown"].to_numpy(dtype=np.float64),
        predictions["drawdown"].to_numpy(dtype=np.float64),
    )
    return pd.concat(
        [
            daily_rank_correlation(position, score, outcome),
            risk.rename("risk_rank_ic"),
            daily_decile_spread(position, score, outcome),
            daily_hit_rate(position, score, outcome),
        ],
        axis=1,
    ).sort_index()
