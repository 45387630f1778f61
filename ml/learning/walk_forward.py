"""Walk-forward predictions: every session is predicted by a model fitted on earlier sessions only.

Pure. The tested sessions are split into folds; a fold's model is fitted on sessions that end a purge and an embargo
before the fold's first one (``labels.last_training_position``), so that no training outcome reaches into the fold.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.learning.estimators import Estimator, Fitted, Member, Target, limited_drawdown, part_predictions
from ml.learning.labels import last_training_position
from ml.learning.samples import Samples, day_percentiles

# On fewer sessions a model would learn a single mood of the market.
FEWEST_TRAINING_SESSIONS = 60


class TooLittleHistory(ValueError):
    """There are too few sessions with known outcomes to train on."""


@dataclass(frozen=True)
class Fold:
    """Positions on the market's calendar, inclusive: the training range and the tested range."""

    train_first: int
    train_last: int
    test_first: int
    test_last: int


def folds(starts: Sequence[int], end: int, *, history_first: int, lookback: int | None = None) -> list[Fold]:
    """Training and tested ranges of each fold; those with fewer than ``FEWEST_TRAINING_SESSIONS`` are left out.

    ``starts`` are positions of first tested sessions, ascending; a fold ends before the next begins, the last at
    ``end``. It trains on at most ``lookback`` sessions, by default all since ``history_first`` (expanding window).
    """
    result = []
    for start, following in zip(starts, [*starts[1:], end + 1], strict=True):
        last = last_training_position(start)
        first = history_first if lookback is None else max(history_first, last - lookback + 1)
        if last - first + 1 >= FEWEST_TRAINING_SESSIONS and following > start:
            result.append(Fold(first, last, start, min(following - 1, end)))
    return result


@dataclass(frozen=True)
class Ensemble:
    """An ensemble to fit: members, their target, the outcome it needs, and the fraction of the full number of trees."""

    members: Sequence[Member]
    target: Callable[[Samples], Target]
    outcome: str
    size: float = 1.0


def ensembles(estimator: Estimator, *, published: bool, risk: bool = True) -> list[Ensemble]:
    """Price and risk ensembles of an estimator: a published model's, or the smaller ones of calibration folds."""
    size = 1.0 if published else estimator.fold_size
    price_members = estimator.price_members if published else estimator.fold_members
    risk_members = estimator.risk_members if published else estimator.risk_members[:1]
    price = Ensemble(price_members, estimator.price_target, "forward_return", size)
    return [price, Ensemble(risk_members, limited_drawdown, "drawdown", size)] if risk else [price]


def fit_ensembles(data: Samples, estimator: Estimator, ensembles: Sequence[Ensemble]) -> list[tuple[Fitted, ...]]:
    """Fit ensembles on the samples whose outcome is known, their members in parallel.

    Returns
    -------
    list
        One tuple of fitted models per ensemble; independent of the number of processors.

    Raises
    ------
    TooLittleHistory
        A member's part of the window has no known outcome.
    """
    # LightGBM and the forest release the GIL while fitting, so threads do run in parallel.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        fits = []
        for ensemble in ensembles:
            labelled = data.where(data.keys[ensemble.outcome].notna().to_numpy())
            for member in ensemble.members:
                window = _member_window(labelled, member)
                target = ensemble.target(window)
                fits.append(pool.submit(estimator.fit, window.values, target, member.seed, ensemble.size))
        models = iter([fit.result() for fit in fits])
    return [tuple(next(models) for _ in ensemble.members) for ensemble in ensembles]


def _member_window(labelled: Samples, member: Member) -> Samples:
    """A member's part of the training window."""
    window = labelled
    if len(labelled):
        first, length = int(labelled.position[0]), int(labelled.position[-1]) - int(labelled.position[0])
        window = labelled.between(first + round(member.first * length), first + round(member.last * length))
    if not len(window):
        raise TooLittleHistory("A member's part of the training window has no known outcome yet.")
    return window


def member_predictions(models: Sequence[Fitted], values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Predictions of all parts of all members, rows × parts."""
    return np.hstack([part_predictions(model, values) for model in models])


def predict_fold(
    past: Samples, tested: Samples, estimator: Estimator, *, published: bool, risk: bool = True
) -> pd.DataFrame:
    """Predict the tested sessions by a model fitted on past ones; ``published`` and ``risk`` choose its ``ensembles``.

    Returns
    -------
    DataFrame
        The keys of the tested rows, position, score, predicted_drawdown (NaN without ``risk``), and percentile and
        risk_percentile, which are their ranks within the day.

    Raises
    ------
    ValueError
        The past reaches into the purge or embargo before the tested sessions.
    """
    if len(past) and len(tested) and past.position[-1] > last_training_position(int(tested.position[0])):
        raise ValueError("The training samples reach into the purge or embargo before the tested sessions.")
    price, *rest = fit_ensembles(past, estimator, ensembles(estimator, published=published, risk=risk))
    score = member_predictions(price, tested.values).mean(axis=1)
    drawdown = member_predictions(rest[0], tested.values).mean(axis=1) if rest else np.full(len(tested), np.nan)
    return tested.keys.assign(
        position=tested.position,
        score=score,
        percentile=day_percentiles(tested.position, score),
        predicted_drawdown=drawdown,
        risk_percentile=day_percentiles(tested.position, drawdown),
    )
