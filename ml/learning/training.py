"""The nightly fit: models of one session, calibrated on walk-forward predictions of the sessions before it; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.learning import drift
from ml.learning.calibration import DEFAULT_CHANCES, Calibration, Chances, calibrated, calibration
from ml.learning.estimators import Estimator
from ml.learning.parallel import Progress
from ml.learning.samples import Samples
from ml.learning.walk_forward import (
    SCORES,
    SESSIONS_BEFORE_TESTING,
    Fits,
    TooLittleHistory,
    Window,
    earliest_test,
    fit_members,
    raw_predictions,
    walk_forward,
)

# The outcomes that calibration and report read; each had happened when they use it.
OUTCOMES = ("forward_return", "drawdown", "run_up", "entry_step", "late_exit")
FACTS = ("volatility", "median_turnover_lakh", "sector", "exit_position")
# Walk-forward predictions of past sessions are calibrated anew this often.
RECALIBRATE_SESSIONS = 21


@dataclass(frozen=True)
class Bundle:
    """Fitted models with everything that a prediction needs.

    ``features`` are in the order of the models' inputs; ``calibration`` is None where too few sessions could be
    predicted; ``ranges`` are those of the sessions learnt from, None of a bundle that was saved without them;
    ``metadata`` is plain JSON: session, recipe, train_from, train_until, samples, data_hash, parameters.
    """

    estimator: Estimator
    features: tuple[str, ...]
    fits: Fits
    calibration: Calibration | None
    metadata: Mapping[str, Any]
    ranges: drift.Ranges | None = None


@dataclass(frozen=True)
class Night:
    """What a nightly fit gives.

    ``predictions`` are those that were not stored before, calibrated; ``past`` are all, with the outcomes that have
    happened (``OUTCOMES``, NaN where not) and ``FACTS``.
    """

    bundle: Bundle
    predictions: pd.DataFrame
    past: pd.DataFrame


def fit_night(
    data: Samples,
    estimator: Estimator,
    session: date,
    stored: pd.DataFrame,
    chances: Chances = DEFAULT_CHANCES,
    on_progress: Progress = lambda done, total: None,
) -> Night:
    """Fit an estimator as of a session, predict the sessions that no stored prediction covers, and calibrate.

    Parameters
    ----------
    data
        Samples of the estimator's features with all history that may be learnt from; nothing after ``session``.
    stored
        Walk-forward predictions of the same recipe and earlier sessions: symbol, date and ``SCORES``; may be empty.

    Raises
    ------
    TooLittleHistory
        There is no session to fit for, or too few outcomes before it.

    Notes
    -----
    Point in time: fits and calibrations use outcomes that had happened by the session they predict.
    """
    today = pd.Timestamp(session)
    if not len(data) or data.keys["date"].iloc[-1] != today:
        raise TooLittleHistory(f"No share was tradable on {session}: there is nothing to fit for.")
    at = int(data.position[-1])
    window = Window.of(at, estimator)
    missing = _missing_positions(data, stored, at)
    fits = fit_members(data, estimator.members, window, on_progress)
    tonight = raw_predictions(data.between(at, at), estimator, fits)
    fresh = [
        walk_forward(data, estimator, first, last, on_progress) for first, last in _stretches(missing[missing < at])
    ]
    raw = pd.concat([*fresh, tonight], ignore_index=True)
    past = with_outcomes(pd.concat([_positioned(stored, data), raw], ignore_index=True), data)
    curves = calibration_at(past, at, chances)
    ranges = drift.ranges(data, first_ordinary(window), window.last)
    bundle = Bundle(estimator, data.features, fits, curves, _metadata(data, estimator, window, session), ranges)
    blocks = calibrated_blocks(past, missing[missing < at], chances)
    published = calibrated(past[past["position"] == at], curves)
    return Night(bundle, pd.concat([*blocks, published], ignore_index=True), past)


def calibration_at(past: pd.DataFrame, at: int, chances: Chances = DEFAULT_CHANCES) -> Calibration | None:
    """Calibration as of a position: on predictions of earlier sessions whose outcomes had happened by then."""
    return calibration(past[(past["position"] < at) & (past["exit_position"] <= at)], chances)


def calibrated_blocks(past: pd.DataFrame, positions: npt.NDArray[np.int64], chances: Chances) -> Iterator[pd.DataFrame]:
    """Calibrate the predictions of ascending positions, each by what was known at its last recalibration."""
    for start in range(0, len(positions), RECALIBRATE_SESSIONS):
        block = positions[start : start + RECALIBRATE_SESSIONS]
        rows = past[past["position"].isin(block)]
        yield calibrated(rows, calibration_at(past, int(block[0]), chances))


def first_ordinary(window: Window) -> int:
    """First session whose features have the history that those of tonight have, if there are as many later ones."""
    return max(window.first, min(SESSIONS_BEFORE_TESTING, (window.last + 1) // 2))


def _missing_positions(data: Samples, stored: pd.DataFrame, at: int) -> npt.NDArray[np.int64]:
    """Positions up to ``at`` that no stored prediction covers, from the first that is stored or can be tested."""
    tested = np.unique(data.position)
    have = np.unique(_positioned(stored, data)["position"].to_numpy(dtype=np.int64))
    first = int(have[0]) if len(have) else earliest_test(at + 1)
    missing: npt.NDArray[np.int64] = np.setdiff1d(tested[(tested >= first) & (tested <= at)], have)
    return missing


def _stretches(positions: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """First and last of each run of consecutive positions."""
    if not len(positions):
        return []
    runs = np.split(positions, np.flatnonzero(np.diff(positions) > 1) + 1)
    return [(int(run[0]), int(run[-1])) for run in runs]


def _positioned(stored: pd.DataFrame, data: Samples) -> pd.DataFrame:
    position = data.sessions.get_indexer(pd.DatetimeIndex(stored["date"]))
    known = stored.assign(position=position.astype(np.int64))
    return known.loc[known["position"] >= 0, ["symbol", "date", "position", *SCORES]]


def with_outcomes(raw: pd.DataFrame, data: Samples) -> pd.DataFrame:
    """Join predictions with ``OUTCOMES`` and ``FACTS`` of the samples; sorted by position and symbol."""
    keys = data.keys[["symbol", "date", *OUTCOMES, *FACTS]]
    return raw.merge(keys, on=["symbol", "date"], how="left").sort_values(["position", "symbol"], ignore_index=True)


def _metadata(data: Samples, estimator: Estimator, window: Window, session: date) -> dict[str, Any]:
    keys = data.between(window.first, window.last).keys
    learnt = keys.loc[keys["forward_return"].notna(), "date"]
    return {
        "session": session.isoformat(),
        "recipe": estimator.recipe,
        "train_from": learnt.iloc[0].date().isoformat(),
        "train_until": learnt.iloc[-1].date().isoformat(),
        "samples": len(learnt),
        "data_hash": data.fingerprint,
        "parameters": estimator.as_json(),
    }
