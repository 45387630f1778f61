"""What members learn: outcomes made comparable within each day; pure.

Each function maps the outcomes of samples sorted by day, all known, to a target of the same length. A day's common
move is removed, because these features cannot predict it.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from ml.learning.samples import day_percentiles, day_slices

Numbers = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]

# Deeper drawdowns are clipped: a few shares that halved would dominate the squared error.
DEEPEST_DRAWDOWN = -0.4
TAIL = 0.01


def standard_excess(position: Positions, outcome: Numbers) -> Numbers:
    """Excess over the day's mean in units of the day's spread, after clipping at the day's 1st and 99th percentile.

    Unlike a rank it keeps how far ahead the winners are, which is what the head of a list earns by; unlike a plain
    return it gives each day the same weight, and no single share more than the hundredth best.
    """
    result = np.zeros_like(outcome)
    for rows in day_slices(position):
        day = outcome[rows]
        clipped = np.clip(day, *np.quantile(day, (TAIL, 1 - TAIL)))
        # Of equal numbers the standard deviation may be a rounding error instead of 0.
        if clipped.size and np.ptp(clipped) > 0:
            result[rows] = (clipped - clipped.mean()) / clipped.std()
    return result


def normal_score(position: Positions, outcome: Numbers) -> Numbers:
    """Normal score of the rank within the day, clipped at the 0.2th and 99.8th percentile."""
    from scipy.special import ndtri

    score: Numbers = ndtri(np.clip(day_percentiles(position, outcome), 0.002, 0.998))
    return score


def plain(position: Positions, outcome: Numbers) -> Numbers:
    """The outcome itself: the contract's target."""
    return outcome


def limited_drawdown(position: Positions, outcome: Numbers) -> Numbers:
    """Drawdown as a plain ratio, clipped at ``DEEPEST_DRAWDOWN``."""
    return np.maximum(outcome, DEEPEST_DRAWDOWN)


def percentile(position: Positions, outcome: Numbers) -> Numbers:
    """Rank within the day, 0-1: what the plain baseline learns."""
    return day_percentiles(position, outcome)


TARGETS: Mapping[str, Callable[[Positions, Numbers], Numbers]] = {
    "standard_excess": standard_excess,
    "normal_score": normal_score,
    "percentile": percentile,
    "plain": plain,
    "limited_drawdown": limited_drawdown,
}
