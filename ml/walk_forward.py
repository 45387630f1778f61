"""Walk-forward predictions: every session is predicted by a model that could have been fitted before it.

Pure. The tested sessions are cut into folds; a fold's model learns from sessions that end a purge and an embargo before
the fold's first one (``labels.last_training_position``), so that no outcome it learnt from reaches into the fold.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.estimators import Estimator, Fitted, Member, Target, limited_drawdown, part_predictions
from ml.labels import last_training_position
from ml.samples import Samples, day_percentiles

# Too few sessions teach a model one mood of the market; it is not fitted on less.
FEWEST_TRAINING_SESSIONS = 60


class TooLittleHistory(ValueError):
    """There are not enough sessions with known outcomes to learn from."""


@dataclass(frozen=True)
class Fold:
    """Positions on the market's calendar, all included: learn from one range, predict the other."""

    train_first: int
    train_last: int
    test_first: int
    test_last: int


def folds(starts: Sequence[int], end: int, *, history_first: int, lookback: int | None = None) -> list[Fold]:
    """Lay out folds.

    Parameters
    ----------
    starts
        Position of each fold's first tested session, ascending; a fold ends before the next begins.
    end
        Position of the last tested session.
    history_first
        Position of the first session that may be learnt from.
    lookback
        Sessions learnt from at most; without it all since ``history_first`` (expanding).

    Returns
    -------
    list of Fold
        Without those that would have fewer than ``FEWEST_TRAINING_SESSIONS`` to learn from.
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
    """What is to be fitted: members, their target, the outcome it needs, and the share of the full number of trees."""

    members: Sequence[Member]
    target: Callable[[Samples], Target]
    outcome: str
    size: float = 1.0


def ensembles(estimator: Estimator, *, published: bool, risk: bool = True) -> list[Ensemble]:
    """Price ensemble and, unless unwanted, risk ensemble of an estimator.

    Parameters
    ----------
    estimator
        Which kind of model.
    published
        True: those of a published model. False: the smaller ones that calibration makes do with.
    risk
        Whether the risk ensemble is wanted.
    """
    size = 1.0 if published else estimator.fold_size
    price_members = estimator.price_members if published else estimator.fold_members
    risk_members = estimator.risk_members if published else estimator.risk_members[:1]
    price = Ensemble(price_members, estimator.price_target, "forward_return", size)
    return [price, Ensemble(risk_members, limited_drawdown, "drawdown", size)] if risk else [price]


def fit_ensembles(data: Samples, estimator: Estimator, wanted: Sequence[Ensemble]) -> list[tuple[Fitted, ...]]:
    """Fit ensembles on the samples whose outcome is known, their members side by side.

    Parameters
    ----------
    data
        Samples of the training window.
    estimator
        Which kind of model.
    wanted
        The ensembles.

    Returns
    -------
    list
        One tuple of fitted models an ensemble; the same whatever the number of processors.

    Raises
    ------
    TooLittleHistory
        A member's part of the window holds no known outcome.
    """
    # LightGBM and the forest leave Python's lock while they work, so threads do run side by side.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        running = []
        for ensemble in wanted:
            known = data.where(data.keys[ensemble.outcome].notna().to_numpy())
            for member in ensemble.members:
                window = _part(known, member)
                target = ensemble.target(window)
                running.append(pool.submit(estimator.fit, window.values, target, member.seed, ensemble.size))
        fitted = iter([task.result() for task in running])
    return [tuple(next(fitted) for _ in ensemble.members) for ensemble in wanted]


def _part(known: Samples, member: Member) -> Samples:
    """The part of the training window that a member sees."""
    if len(known):
        first, length = int(known.position[0]), int(known.position[-1]) - int(known.position[0])
        known = known.between(first + round(member.first * length), first + round(member.last * length))
    if not len(known):
        raise TooLittleHistory("A member's part of the training window holds no known outcome yet.")
    return known


def member_predictions(models: Sequence[Fitted], values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Predictions of all parts of all members, rows × parts."""
    return np.hstack([part_predictions(model, values) for model in models])


def predict_fold(
    past: Samples, tested: Samples, estimator: Estimator, *, published: bool, risk: bool = True
) -> pd.DataFrame:
    """Predict the tested sessions by a model fitted on past ones.

    Parameters
    ----------
    past
        Samples to learn from; end a purge and an embargo before the tested ones.
    tested
        Samples to predict.
    estimator
        Which kind of model.
    published
        True: the ensembles of a published model. False: the smaller ones that calibration makes do with.
    risk
        Whether the risk model is fitted too.

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
    price, *others = fit_ensembles(past, estimator, ensembles(estimator, published=published, risk=risk))
    score = member_predictions(price, tested.values).mean(axis=1)
    drawdown = member_predictions(others[0], tested.values).mean(axis=1) if others else np.full(len(tested), np.nan)
    return tested.keys.assign(
        position=tested.position,
        score=score,
        percentile=day_percentiles(tested.position, score),
        predicted_drawdown=drawdown,
        risk_percentile=day_percentiles(tested.position, drawdown),
    )
