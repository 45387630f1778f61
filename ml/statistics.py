"""Statistics of daily series whose neighbours overlap, and of rankings within a day.

Interval: Newey and West (1987) with Bartlett weights. Ten-session outcomes of neighbouring days share nine sessions,
so their rank correlations are not independent; 20 lags cover the overlap twice. Checked against statsmodels' HAC.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

NEWEY_WEST_LAGS = 20
NORMAL_95 = 1.959963984540054

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mean:
    """A mean with its Newey-West standard error, over some days."""

    value: float
    standard_error: float
    days: int

    @property
    def half_width(self) -> float:
        """Half of the 95 % interval."""
        return NORMAL_95 * self.standard_error

    def as_json(self) -> dict[str, float | int | None]:
        """Numbers under their names; None where there is none."""
        known = np.isfinite(self.value)
        error = self.standard_error if np.isfinite(self.standard_error) else None
        interval = None if error is None else [self.value - self.half_width, self.value + self.half_width]
        return {
            "mean": self.value if known else None,
            "standard_error": error,
            "half_width_95": None if error is None else self.half_width,
            "days": self.days,
        } | ({} if interval is None else {"low_95": interval[0], "high_95": interval[1]})


def newey_west(values: npt.ArrayLike, lags: int = NEWEY_WEST_LAGS) -> Mean:
    """Mean of a daily series and the standard error that its autocorrelation leaves.

    Parameters
    ----------
    values
        One number a day, in order of days; NaN are left out.
    lags
        Lags with Bartlett weights; of a series not longer than that, all there are.

    Returns
    -------
    Mean
        NaN for a series of fewer than two days.
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


def daily_rank_correlation(position: npt.NDArray[np.int64], score: Numbers, outcome: Numbers) -> pd.Series:
    """Rank correlation (Spearman) of a score with an outcome within each day.

    Parameters
    ----------
    position
        The day of each row.
    score, outcome
        Numbers; rows where either is NaN are left out.

    Returns
    -------
    Series
        float64 by day, ascending; NaN where all scores or all outcomes of a day are equal.
    """
    known = np.isfinite(score) & np.isfinite(outcome)
    frame = pd.DataFrame({"day": position[known], "a": score[known], "b": outcome[known]})
    for name in ("a", "b"):
        ranks = frame.groupby("day")[name].rank()
        frame[name] = ranks - ranks.groupby(frame["day"]).transform("mean")
    products = pd.DataFrame({"ab": frame["a"] * frame["b"], "aa": frame["a"] ** 2, "bb": frame["b"] ** 2})
    sums = products.groupby(frame["day"]).sum()
    scale = (sums["aa"] * sums["bb"]) ** 0.5
    correlation: pd.Series = (sums["ab"] / scale.where(scale > 0)).rename("rank_ic")
    return correlation


def daily_decile_spread(position: npt.NDArray[np.int64], score: Numbers, outcome: Numbers) -> pd.Series:
    """Mean outcome of each day's top tenth by score less that of its bottom tenth.

    Returns
    -------
    Series
        In the outcome's unit, by day, ascending.
    """
    known = np.isfinite(score) & np.isfinite(outcome)
    frame = pd.DataFrame({"day": position[known], "score": score[known], "outcome": outcome[known]})
    percentile = frame.groupby("day")["score"].rank(pct=True, method="first")
    top = frame.loc[percentile > 0.9].groupby("day")["outcome"].mean()
    bottom = frame.loc[percentile <= 0.1].groupby("day")["outcome"].mean()
    return (top - bottom).rename("decile_spread")


def daily_hit_rate(position: npt.NDArray[np.int64], score: Numbers, outcome: Numbers) -> pd.Series:
    """Share of each day's top tenth by score that beat the day's median outcome.

    Returns
    -------
    Series
        0-1, by day, ascending.
    """
    known = np.isfinite(score) & np.isfinite(outcome)
    frame = pd.DataFrame({"day": position[known], "score": score[known], "outcome": outcome[known]})
    grouped = frame.groupby("day")
    top = grouped["score"].rank(pct=True, method="first") > 0.9
    beats = (frame["outcome"] > grouped["outcome"].transform("median")).astype("float64")
    return beats[top].groupby(frame["day"]).mean().rename("hit_rate")


def daily_figures(predictions: pd.DataFrame) -> pd.DataFrame:
    """Measure each day's ranking by what came of it.

    Parameters
    ----------
    predictions
        position, score, predicted_drawdown, forward_return, drawdown.

    Returns
    -------
    DataFrame
        By position, ascending: rank_ic (score with return), risk_rank_ic (predicted with actual drawdown),
        decile_spread (plain), hit_rate (0-1); NaN where a day does not tell.
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


def summary(daily: pd.DataFrame) -> dict[str, Any]:
    """Means of daily figures with their Newey-West intervals.

    Parameters
    ----------
    daily
        Result of ``daily_figures``, in order of days.

    Returns
    -------
    dict
        rank_ic, risk_rank_ic, decile_spread, hit_rate, each as ``Mean.as_json``.
    """
    names = ("rank_ic", "risk_rank_ic", "decile_spread", "hit_rate")
    return {name: newey_west(daily[name].to_numpy(dtype=np.float64)).as_json() for name in names}
