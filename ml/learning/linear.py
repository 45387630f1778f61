"""A linear model on the ranks of features within their day, and on the squares of these ranks; pure.

Ridge regression (Hoerl and Kennard 1970) by its normal equations, summed day by day in float64, so that the result
depends neither on the number of processors nor on how the rows were split. An unknown feature has the middle rank:
that it is unknown tells the model nothing.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_info, threadpool_limits

Numbers = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.float32]

# Of a uniform rank within -0.5 … 0.5.
RANK_VARIANCE = 1 / 12
_ROWS_AT_ONCE = 20_000
# Solutions of one and of two threads of BLAS differ in their last digits. `manage.py` starts it with one: fits run
# side by side. Elsewhere they take turns: the limit is the process's, and a fit that ends would lift it from another.
_HAS_ONE_THREAD = all(pool["num_threads"] == 1 for pool in threadpool_info() if pool["user_api"] == "blas")
_ALONE = Lock()


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Coefficients of the centred ranks, then of their squares less ``RANK_VARIANCE``."""

    coefficients: Numbers

    def contributions(self, ranks: Ranks) -> Numbers:
        """What each feature adds to the prediction, rows × features; its row sums are the predictions."""
        wide = ranks.astype(np.float64)
        slopes, bends = np.split(self.coefficients, 2)
        result: Numbers = wide * slopes + (wide * wide - RANK_VARIANCE) * bends
        return result

    def predict(self, ranks: Ranks) -> Numbers:
        """Predictions in the unit of the target, one per row."""
        predictions: Numbers = self.contributions(ranks).sum(axis=1)
        return predictions

    def as_json(self) -> dict[str, Any]:
        return {"coefficients": self.coefficients.tolist()}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "LinearModel":
        return cls(np.asarray(content["coefficients"], dtype=np.float64))


def fit_linear(ranks: Ranks, target: Numbers, penalty: float) -> LinearModel:
    """Fit by least squares with a penalty on the squared coefficients.

    Parameters
    ----------
    ranks
        Centred ranks within the day, -0.5 … 0.5, rows × features; 0 where unknown.
    penalty
        In rows: how many rows of unit variance the penalty weighs as much as.
    """
    width = 2 * ranks.shape[1]
    gram, moment = np.zeros((width, width)), np.zeros(width)
    with ExitStack() as turn:
        if not _HAS_ONE_THREAD:
            turn.enter_context(_ALONE)
            turn.enter_context(threadpool_limits(1))
        for start in range(0, len(ranks), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            design = _design(ranks[rows])
            gram += design.T @ design
            moment += design.T @ target[rows]
        gram[np.diag_indices(width)] += penalty * RANK_VARIANCE
        return LinearModel(np.linalg.solve(gram, moment))


def _design(ranks: Ranks) -> Numbers:
    wide = ranks.astype(np.float64)
    return np.hstack([wide, wide * wide - RANK_VARIANCE])
