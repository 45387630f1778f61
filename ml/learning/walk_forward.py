"""Fits, and walk-forward predictions: every session is predicted by models fitted on earlier sessions only.

Pure. A fit *at* a session learns from outcomes that had happened by then, of sessions that end a purge and an embargo
before it (``labels.last_training_position``). The nightly fit and each fold of a walk-forward are the same function, so
what is evaluated is what is published; folds are only refitted less often (``Learner.refit_sessions``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.learning.estimators import Estimator, Head, Member
from ml.learning.labels import last_training_position
from ml.learning.learners import Fitted, Inputs, part_predictions
from ml.learning.parallel import Progress, results
from ml.learning.samples import Samples, day_percentiles
from ml.learning.targets import TARGETS

Numbers = npt.NDArray[np.float64]
Fits = Mapping[Member, Fitted]

# On fewer sessions a model would learn a single mood of the market.
FEWEST_TRAINING_SESSIONS = 60
# The very first sessions have hardly any features.
SESSIONS_BEFORE_LEARNING = 40
# Without a year of history a share has no 52-week high and no momentum.
SESSIONS_BEFORE_TESTING = 252

# Standard deviation of uniform percentiles: the disagreement of members that predict at random.
CHANCE_SPREAD = 1 / np.sqrt(12)

SCORES = ("score", "percentile", "rank_score", "rank_percentile", "risk_raw", "risk_percentile", "confidence")
"""Columns of raw predictions beside symbol, date and position."""


class TooLittleHistory(ValueError):
    """There is nothing to train on: too few sessions with known outcomes, or outcomes that do not differ."""


@dataclass(frozen=True)
class Window:
    """Positions on the market's calendar, both included, from which a fit at a position learns."""

    at: int
    first: int = SESSIONS_BEFORE_LEARNING

    @classmethod
    def of(cls, at: int, estimator: Estimator) -> "Window":
        """The window of an estimator: all history, or its last ``lookback_sessions``."""
        if estimator.lookback_sessions is None:
            return cls(at)
        return cls(at, max(SESSIONS_BEFORE_LEARNING, cls(at).last - estimator.lookback_sessions + 1))

    @property
    def last(self) -> int:
        return last_training_position(self.at)


def earliest_test(sessions: int) -> int:
    """Position of the first session that a history of so many sessions allows to test."""
    shortest = SESSIONS_BEFORE_LEARNING + FEWEST_TRAINING_SESSIONS - 1 - last_training_position(0)
    return max(shortest, min(SESSIONS_BEFORE_TESTING, sessions // 2))


def training_rows(data: Samples, member: Member, window: Window) -> Samples:
    """Rows that a member learns from.

    Raises
    ------
    TooLittleHistory
        They are of fewer sessions than a model needs.
    """
    if window.last - window.first + 1 < FEWEST_TRAINING_SESSIONS:
        raise TooLittleHistory(
            f"{max(window.last - window.first + 1, 0)} sessions with outcomes lie before the session to predict;"
            f" {FEWEST_TRAINING_SESSIONS} are needed. Load more history."
        )
    past = data.between(window.first, window.last)
    turn = (window.last - past.position) % member.every == 0
    rows = past.where(turn & past.keys[member.outcome].notna().to_numpy() & past.known_by(window.at))
    if not len(rows):
        raise TooLittleHistory(f"No outcome ({member.outcome}) is known up to the session to predict.")
    return rows


def fit_member(data: Samples, member: Member, window: Window) -> Fitted:
    """Fit one member on its training rows.

    Raises
    ------
    TooLittleHistory
        They are of fewer sessions than a model needs, or their outcomes do not differ.
    """
    rows = training_rows(data, member, window)
    outcome = rows.keys[member.outcome].to_numpy(dtype=np.float64)
    target = TARGETS[member.target](rows.position, outcome)
    if np.ptp(target) == 0:
        first, last = (rows.keys["date"].iloc[at].date() for at in (0, -1))
        raise TooLittleHistory(
            f"On no session from {first} to {last} does the outcome ({member.outcome}, {outcome[0]:g} on the first)"
            " differ between shares: there is nothing to learn. Check the prices."
        )
    return member.kind.fit(_inputs(rows, member), target, member.seed, member.size)


def fit_members(
    data: Samples, members: Sequence[Member], window: Window, on_progress: Progress = lambda done, total: None
) -> Fits:
    """Fit members in parallel; the result does not depend on where, nor on the number of processors."""
    jobs = [(member, window) for member in members]
    return dict(zip(members, results(_fit, data, jobs, on_progress), strict=True))


def _fit(data: Samples, job: tuple[Member, Window]) -> Fitted:
    return fit_member(data, *job)


def raw_predictions(data: Samples, estimator: Estimator, fits: Fits) -> pd.DataFrame:
    """Scores of all rows by fitted models, whole sessions; columns symbol, date, position and ``SCORES``.

    score and rank_score are means of normal scores, risk_raw ranks by the drawdown, all for ranking only; percentiles
    are within the day, 0-1; confidence is the agreement of the return head's members, 0-1, NaN for a single one.
    """
    return _scored(data, estimator, {member: _parts(fit, data, member) for member, fit in fits.items()})


def walk_forward(
    data: Samples,
    estimator: Estimator,
    first: int,
    last: int,
    on_progress: Progress = lambda done, total: None,
) -> pd.DataFrame:
    """Predict the sessions from one position to another, both included, each by models fitted before it.

    Members are refitted on the first of these sessions and then every ``refit_sessions``.

    Returns
    -------
    DataFrame
        As ``raw_predictions``.

    Notes
    -----
    Point in time: a session's row depends on its own features and on outcomes known at its members' last refit.
    """
    tested = data.between(first, last)
    parts: dict[Member, Numbers] = {}
    jobs = [
        _Fold(member, Window.of(start, estimator), min(start + member.kind.refit_sessions - 1, last))
        for member in estimator.members
        for start in range(first, last + 1, member.kind.refit_sessions)
    ]
    for fold, values in zip(jobs, results(_fold_predictions, data, jobs, on_progress), strict=True):
        rows = slice(*np.searchsorted(tested.position, (fold.window.at, fold.end + 1)).tolist())
        parts.setdefault(fold.member, np.full((len(tested), values.shape[1]), np.nan))[rows] = values
    return _scored(tested, estimator, parts)


class _Fold(NamedTuple):
    """A member that is fitted once, by its window, and predicts the sessions from there to ``end``."""

    member: Member
    window: Window
    end: int


def _fold_predictions(data: Samples, fold: _Fold) -> Numbers:
    fit = fit_member(data, fold.member, fold.window)
    return _parts(fit, data.between(fold.window.at, fold.end), fold.member)


def _inputs(data: Samples, member: Member) -> Inputs:
    return data.ranks if member.kind.inputs == "ranks" else data.values


def part_scores(fit: Fitted, data: Samples, member: Member) -> Numbers:
    """Prediction of one member, the mean of its parts."""
    mean: Numbers = _parts(fit, data, member).mean(axis=1)
    return mean


def _parts(fit: Fitted, data: Samples, member: Member) -> Numbers:
    if not len(data):
        return np.empty((0, 1))
    return part_predictions(fit, _inputs(data, member))


def _scored(data: Samples, estimator: Estimator, parts: Mapping[Member, Numbers]) -> pd.DataFrame:
    score = _head_score(data, estimator.return_head, parts)
    rank_score = _head_score(data, estimator.rank_head, parts)
    risks = [parts[member].mean(axis=1) for member in estimator.risk_head.members]
    risk = np.mean(risks, axis=0) if risks else np.full(len(data), np.nan)
    agreeing = np.hstack([parts[member] for member in estimator.return_head.members])
    percentiles = np.column_stack([day_percentiles(data.position, column) for column in agreeing.T])
    return data.keys[["symbol", "date"]].assign(
        position=data.position,
        score=score,
        percentile=day_percentiles(data.position, score),
        rank_score=rank_score,
        rank_percentile=day_percentiles(data.position, rank_score),
        risk_raw=risk,
        risk_percentile=day_percentiles(data.position, risk),
        confidence=confidence(percentiles),
    )


def _head_score(data: Samples, head: Head, parts: Mapping[Member, Numbers]) -> Numbers:
    from scipy.special import ndtri

    groups = [np.mean([parts[member].mean(axis=1) for member in group], axis=0) for group in head.groups]
    score: Numbers = np.mean([ndtri(day_percentiles(data.position, group)) for group in groups], axis=0)
    return score


def confidence(percentiles: Numbers) -> Numbers:
    """Agreement of members by their percentiles of each share within the day, rows × members.

    0-1: 1 when all rank the share alike, 0 when they spread like random percentiles. NaN for a single member.
    """
    if percentiles.shape[1] < 2:
        return np.full(len(percentiles), np.nan)
    agreement: Numbers = np.clip(1 - percentiles.std(axis=1, ddof=1) / CHANCE_SPREAD, 0.0, 1.0)
    return agreement
