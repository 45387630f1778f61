"""Fitting a bundle: price and risk ensembles, and their calibration on walk-forward folds.

``fit_bundle`` is pure. Each session of the last year is predicted by a smaller model that was fitted a purge and an
embargo before it; calibration and metrics come from those predictions, never from sessions that a model was fitted on.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from ml.evaluation.statistics import daily_figures, summary
from ml.learning.calibration import Calibration, calibration
from ml.learning.estimators import Estimator, Fitted
from ml.learning.labels import EXIT_DELAY
from ml.learning.samples import Samples
from ml.learning.walk_forward import TooLittleHistory, ensembles, fit_ensembles, folds, predict_fold

# Folds of the nightly fit; the last one ends with the last session that has an outcome.
CALIBRATION_FOLDS = 6
CALIBRATION_FOLD_SESSIONS = 40
# Curves fitted on fewer sessions would describe a market mood rather than the model.
FEWEST_CALIBRATION_SESSIONS = 40


@dataclass(frozen=True)
class Bundle:
    """Fitted models with everything that a prediction needs.

    ``features`` are in the order of the models' inputs; ``metadata`` is plain JSON: session, train_from, train_until,
    samples, data_hash, parameters, metrics.
    """

    estimator: str
    features: tuple[str, ...]
    price: tuple[Fitted, ...]
    risk: tuple[Fitted, ...]
    calibration: Calibration
    metadata: dict[str, Any]


def fit_bundle(data: Samples, estimator: Estimator, session: date, lookback_days: int) -> Bundle:
    """Fit the models of one session, the last whose close is known, and calibrate them.

    Parameters
    ----------
    data
        Samples of the estimator's features: ``2 × lookback_days`` back if available, so that the folds of the last
        year have a full training window before them; nothing after ``session``.
    lookback_days
        Calendar days to train on.

    Returns
    -------
    Bundle
        Its ``metadata["metrics"]`` are out-of-sample figures of the calibration folds.

    Raises
    ------
    TooLittleHistory
        Too few sessions for a fold or for the calibration.

    Notes
    -----
    Point in time: uses outcomes that have happened by ``session``; later rows raise ValueError.
    """
    today = pd.Timestamp(session)
    if len(data) and data.keys["date"].iloc[-1] > today:
        raise ValueError(f"Samples reach to {data.keys['date'].iloc[-1].date()}, past the session {session}.")
    # The latest session whose outcome is known.
    last = int(data.sessions.searchsorted(today, side="right")) - 1 - EXIT_DELAY
    first = int(data.sessions.searchsorted(today - pd.Timedelta(days=lookback_days)))
    past = calibration_predictions(data, estimator, last, lookback=last - first + 1)
    window = data.between(first, last)
    price, risk = fit_ensembles(window, estimator, ensembles(estimator, published=True))
    labelled = window.keys.loc[window.keys["forward_return"].notna(), "date"]
    metadata = {
        "session": session.isoformat(),
        "train_from": labelled.iloc[0].date().isoformat(),
        "train_until": labelled.iloc[-1].date().isoformat(),
        "samples": len(labelled),
        "data_hash": data.fingerprint,
        "parameters": {"lookback_days": lookback_days, **estimator.parameters},
        "metrics": summary(daily_figures(past)),
    }
    return Bundle(estimator.name, data.features, price, risk, calibration(past), metadata)


def calibration_predictions(data: Samples, estimator: Estimator, last: int, lookback: int) -> pd.DataFrame:
    """Walk-forward predictions of the last year, up to position ``last``, by the folds' smaller models.

    Raises
    ------
    TooLittleHistory
        Fewer than ``FEWEST_CALIBRATION_SESSIONS`` sessions can be predicted.
    """
    if not len(data):
        raise TooLittleHistory("There are no samples to learn from.")
    history_first = int(data.position[0])
    starts = [last + 1 - CALIBRATION_FOLD_SESSIONS * fold for fold in range(CALIBRATION_FOLDS, 0, -1)]
    layout = folds(
        [start for start in starts if start > history_first], last, history_first=history_first, lookback=lookback
    )
    sessions = sum(fold.test_last - fold.test_first + 1 for fold in layout)
    if sessions < FEWEST_CALIBRATION_SESSIONS:
        raise TooLittleHistory(
            f"Only {sessions} sessions have enough history before them to be predicted; "
            f"{FEWEST_CALIBRATION_SESSIONS} are needed for the calibration. Load more history."
        )
    predictions = [
        predict_fold(
            data.between(fold.train_first, fold.train_last),
            data.between(fold.test_first, fold.test_last),
            estimator,
            published=False,
        )
        for fold in layout
    ]
    return pd.concat(predictions, ignore_index=True)


def acceptance(metrics: dict[str, Any]) -> tuple[bool, str]:
    """Whether a bundle may be used for picks, by the metrics of its own folds, and if not the reason.

    Its walk-forward rank correlation must be above 0. A stricter limit would depend on the luck of one year: the
    interval over 240 overlapping sessions is about ±0.04.
    """
    ranking = metrics["rank_ic"]
    if ranking["mean"] is None:
        return False, "The folds of this fit gave no rank correlation."
    if ranking["mean"] <= 0:
        return False, (
            f"On {ranking['days']} sessions it had not seen, its rank correlation was {ranking['mean']:+.3f}: not"
            " above 0."
        )
    return True, ""
