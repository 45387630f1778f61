"""What calibrated predictions stated against what came: excess, probability, interval, levels and risk; pure.

The frames are ``training.Night.past`` with the columns of ``calibration.CALIBRATED``, each fitted on earlier sessions
alone. Rows without a calibrated figure or an outcome do not count.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.evaluation.figures import rank_correlations
from ml.evaluation.statistics import Interval, block_bootstrap, bootstrap_of, newey_west
from ml.evaluation.tranches import Rule
from ml.learning.calibration import INTERVAL, Chances, excess_returns

# First and last rank by the return head; the last group is all the rest.
RANK_GROUPS = ((1, 10), (11, 20), (21, 50), (51, 150), (151, 300))
HEAD = 50
TENTHS = 10

Numbers = npt.NDArray[np.float64]


def expectations(past: pd.DataFrame, rule: Rule, chances: Chances) -> dict[str, Any] | None:
    """Sections of what was stated and what came; None where nothing was calibrated.

    Returns
    -------
    dict
        first, sessions: of the calibrated predictions with an outcome; excess (``_excess``), r2 (``_r2``), probability
        (``_probability``), interval (``_interval``), levels (``_levels``), risk (``_risk``).
    """
    known = past[past["predicted_return"].notna() & past["forward_return"].notna()].reset_index(drop=True)
    if not len(known):
        return None
    position = known["position"].to_numpy(dtype=np.int64)
    known["excess"] = excess_returns(position, known["forward_return"].to_numpy(dtype=np.float64))
    known["rank"] = known.groupby("position")["score"].rank(ascending=False, method="first")
    return {
        "first": known["date"].iloc[0].date().isoformat(),
        "sessions": int(known["position"].nunique()),
        "excess": _excess(known, rule),
        "r2": _r2(known),
        "probability": _probability(known),
        "interval": _interval(known),
        "levels": _levels(known, chances),
        "risk": _risk(known),
    }


def _daily(values: pd.Series, known: pd.DataFrame) -> Numbers:
    return values.groupby(known.loc[values.index, "position"]).mean().to_numpy(dtype=np.float64)


def _excess(known: pd.DataFrame, rule: Rule) -> dict[str, Any]:
    """Expected excess against what came, in percent of ten sessions.

    groups: by rank, expected_pct and came_pct (means of daily means), difference_pct (came less expected, Newey-West)
    and within_two_errors. first_50_over_costs: share (0-1) of the days on which the expectation of the first fifty is
    above charges and impact of a round trip, cost_pct its mean.
    """
    groups = [*RANK_GROUPS, (RANK_GROUPS[-1][1] + 1, None)]
    rows = {f"{low}-{high}" if high else "rest": _group(known, low, high) for low, high in groups}
    head = known[known["rank"] <= HEAD]
    turnover = head["median_turnover_lakh"].to_numpy(dtype=np.float64)
    cost = _daily(pd.Series(rule.charges + 2 * rule.impact(turnover), index=head.index), known)
    above = (_daily(head["predicted_return"], known) > cost).astype(np.float64)
    return {
        "groups": {"1-50": _group(known, 1, HEAD), **rows},
        "first_50_over_costs": block_bootstrap(above).as_json() | {"cost_pct": float(cost.mean() * 100)},
    }


def _group(known: pd.DataFrame, low: int, high: int | None) -> dict[str, Any]:
    part = known[(known["rank"] >= low) & (known["rank"] <= (high or np.inf))]
    expected, came = (_daily(part[name], known) * 100 for name in ("predicted_return", "excess"))
    difference = newey_west(came - expected)
    return {
        "expected_pct": newey_west(expected).as_json()["mean"],
        "came_pct": newey_west(came).as_json(),
        "difference_pct": difference.as_json(),
        "within_two_errors": bool(abs(difference.value) <= 2 * difference.standard_error),
    }


def _r2(known: pd.DataFrame) -> dict[str, Any]:
    """Share of the variance of the excess that the expectation explains, with its 90 % interval."""
    return r2(known["position"], known["excess"], known["predicted_return"]).as_json()


def r2(position: pd.Series, excess: pd.Series, expected: pd.Series) -> Interval:
    """1 − Σ(excess − expected)² / Σ excess², days resampled in blocks; the excess has mean 0 on each day."""
    squares = pd.DataFrame({"left": (excess - expected) ** 2, "all": excess**2}).groupby(position).sum()
    return bootstrap_of(squares.to_numpy(dtype=np.float64), lambda means: 1 - means[..., 0] / means[..., 1])


def _probability(known: pd.DataFrame) -> dict[str, Any]:
    """Chance to beat the day's median share, by tenths of the stated probability.

    curve: stated, came (Newey-West) of each tenth, ascending; spearman: of these ten; calibration_error: mean distance
    of the ten, 90 % interval (an error is never below 0, so noise alone lifts it).
    """
    stated = known["ml_probability"]
    excess = known["excess"].groupby(known["position"])
    beats = (known["excess"] > excess.transform("median")).astype(np.float64)
    tenth = pd.qcut(stated.rank(method="first"), TENTHS, labels=False)
    rows: list[dict[str, Any]] = [
        {
            "stated": _number(stated[tenth == number].mean()),
            "came": newey_west(_daily(beats[tenth == number], known)).as_json()
            | {"mean": _number(beats[tenth == number].mean())},
        }
        for number in range(TENTHS)
    ]
    table = pd.DataFrame({"stated": [row["stated"] for row in rows], "came": [row["came"]["mean"] for row in rows]})
    table = table.astype(np.float64)
    return {
        "curve": rows,
        "spearman": _number(table["stated"].corr(table["came"], method="spearman")),
        "calibration_error": _calibration_error(known["position"], tenth, stated, beats).as_json(),
    }


def _calibration_error(position: pd.Series, tenth: pd.Series, stated: pd.Series, beats: pd.Series) -> Interval:
    cells = pd.DataFrame({"off": beats - stated, "n": 1.0}).groupby([position, tenth]).sum().unstack(fill_value=0.0)

    def distance(means: Numbers) -> Numbers:
        off, count = np.split(means, 2, axis=-1)
        mean: Numbers = np.nanmean(np.abs(np.divide(off, count, out=np.full_like(off, np.nan), where=count > 0)), -1)
        return mean

    return bootstrap_of(cells[["off", "n"]].to_numpy(dtype=np.float64), distance)


def _interval(known: pd.DataFrame) -> dict[str, Any]:
    """Share of the excess returns inside their interval: stated, pooled (90 % interval), by month, worst_month."""
    rows = known[known["excess_low"].notna() & known["excess_high"].notna()]
    inside = ((rows["excess"] >= rows["excess_low"]) & (rows["excess"] <= rows["excess_high"])).astype(np.float64)
    months = inside.groupby(rows["date"].dt.strftime("%Y-%m")).mean()
    return {
        "stated": INTERVAL[1] - INTERVAL[0],
        "pooled": _pooled(inside, known).as_json(),
        "by_month": {str(month): float(share) for month, share in months.items()},
        "worst_month": float(months.min()) if len(months) else None,
        "months": len(months),
    }


def _levels(known: pd.DataFrame, chances: Chances) -> dict[str, Any]:
    """How often the levels were reached: target and stop → stated, came (all shares) and came_first_50."""
    target = _reached(known, "run_up", "high_level", 1)
    stop = _reached(known, "drawdown", "low_level", -1)
    head = known["rank"] <= HEAD
    rows: Mapping[str, tuple[float, pd.Series]] = {"target": (chances.target, target), "stop": (chances.stop, stop)}
    return {
        name: {
            "stated": stated,
            "came": _pooled(reached, known).as_json(),
            "came_first_50": _pooled(reached.loc[head.loc[reached.index]], known).as_json(),
        }
        for name, (stated, reached) in rows.items()
    }


def _reached(known: pd.DataFrame, outcome: str, level: str, sign: int) -> pd.Series:
    rows = known[known[outcome].notna() & known[level].notna()]
    reached: pd.Series = (sign * rows[outcome] >= sign * rows[level]).astype(np.float64)
    return reached


def _pooled(values: pd.Series, known: pd.DataFrame) -> Interval:
    """Mean over all rows, days resampled in blocks."""
    days = values.groupby(known.loc[values.index, "position"]).agg(["sum", "size"])
    return bootstrap_of(days.to_numpy(dtype=np.float64), lambda means: means[..., 0] / means[..., 1])


def _risk(known: pd.DataFrame) -> dict[str, Any]:
    """Daily rank correlation of the drawdown that came with what the risk model predicted, and with the ATR alone.

    model, atr (deeper where the 14-session ATR is a larger part of the price), difference (90 % interval); atr and
    difference are None where no ATR is known.
    """
    model = rank_correlations(known, "predicted_drawdown", "drawdown")
    row: dict[str, Any] = {"model": newey_west(model.to_numpy(dtype=np.float64)).as_json(), "atr": None}
    if "atr_pct" not in known or known["atr_pct"].isna().all():
        return row | {"difference": None}
    atr = rank_correlations(known.assign(calm=-known["atr_pct"]), "calm", "drawdown")
    difference = (model - atr).to_numpy(dtype=np.float64)
    row["atr"] = newey_west(atr.to_numpy(dtype=np.float64)).as_json()
    return row | {"difference": block_bootstrap(difference).as_json()}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
