"""The only writer of `predictions`, and their reader: what each recipe says, or would have said, on each session."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from django.db.models import Max, Min

from market_data.runs.saga import StepFailed
from ml.learning.samples import day_percentiles
from ml.models import Prediction
from stocks.storage import bulk
from stocks.storage.bulk import WriteCounts
from stocks.storage.durable_files import sha256_of
from stocks.storage.frames import query_frame
from stocks.universe.symbols import follow_renames

# Column of the frames → column of the table.
_SCORES = {"score": "score", "rank_score": "rank_score", "risk_raw": "risk_raw", "confidence": "confidence"}
_FIGURES = {
    "predicted_return": "expected_excess",
    "excess_low": "excess_low",
    "excess_high": "excess_high",
    "ml_probability": "probability",
    "predicted_drawdown": "predicted_drawdown",
    "ml_risk_score": "risk_score",
    "high_level": "high_level",
    "low_level": "low_level",
    "entry_step": "entry_step",
}
_PERCENTILES = {"percentile": "score", "rank_percentile": "rank_score", "risk_percentile": "risk_raw"}
_KEY = ("date", "symbol", "recipe")


def record_predictions(predictions: pd.DataFrame, recipe: str, run_id: str) -> WriteCounts:
    """Store the predictions of a nightly fit (`training.Night.predictions`); those stored already are kept as they are.

    Runs inside the caller's transaction.
    """
    columns = {"symbol": "symbol", "date": "date", **_SCORES, **_FIGURES}
    rows = predictions[list(columns)].rename(columns=columns).assign(recipe=recipe)
    return bulk.upsert("predictions", rows, _KEY, run_id)


def kept_predictions(path: Path, sha256: str) -> pd.DataFrame:
    """Read the new predictions that a fit left beside its models.

    Raises
    ------
    StepFailed
        The file is gone, or is not the one that the fit wrote.
    """
    if not path.is_file():
        raise StepFailed(f"{path}, the fit's predictions, is missing: train again.", runbook="training-failed")
    if sha256_of(path) != sha256:
        raise StepFailed(f"{path} has changed since the fit wrote it: train again.", runbook="training-failed")
    return pd.read_parquet(path)


def stored_predictions(
    recipe: str, before: pd.Timestamp | None = None, since: pd.Timestamp = pd.Timestamp.min
) -> pd.DataFrame:
    """Scores of a recipe by session and symbol, from one day to before another: symbol, date, `walk_forward.SCORES`.

    A share that was renamed has its present symbol.
    """
    until = pd.Timestamp.max if before is None else before
    frame = query_frame(
        "SELECT symbol, date, score, rank_score, risk_raw, confidence FROM predictions"
        ' WHERE recipe = %s AND date >= %s AND date < %s ORDER BY date, symbol COLLATE "C"',
        [recipe, since.date(), until.date()],
        dates=("date",),
        large=True,
    )
    frame = follow_renames(frame).astype(dict.fromkeys(_SCORES, "float64"))
    session = np.asarray((frame["date"] - pd.Timestamp(0)).dt.days, dtype=np.int64)
    percentiles = {
        name: day_percentiles(session, np.asarray(frame[column], dtype=np.float64))
        for name, column in _PERCENTILES.items()
    }
    return frame.assign(**percentiles)


def predictions_between(recipe: str, first: date | None = None, last: date | None = None) -> pd.DataFrame:
    """What a recipe says, or would have said, from one session to another, both included; by default on all.

    Columns symbol (the present one), date, score, rank_score, risk_raw, confidence and ``calibration.CALIBRATED``, of
    which entry_step is named expected_step, to tell it from the outcome; sorted by date and symbol.
    """
    columns = {"expected_step" if name == "entry_step" else name: of for name, of in {**_SCORES, **_FIGURES}.items()}
    names = ", ".join(f"{column} AS {name}" for name, column in columns.items())
    frame = query_frame(
        f"SELECT symbol, date, {names} FROM predictions"
        ' WHERE recipe = %s AND date BETWEEN %s AND %s ORDER BY date, symbol COLLATE "C"',
        [recipe, first or date.min, last or date.max],
        dates=("date",),
        large=True,
    )
    return follow_renames(frame).astype(dict.fromkeys(columns, "float64"))


def predicted_symbols(recipe: str, first: date, last: date) -> pd.DataFrame:
    """Which shares a recipe's predictions are of: symbol (the present one) and date, both ends included, sorted."""
    frame = query_frame(
        "SELECT symbol, date FROM predictions WHERE recipe = %s AND date BETWEEN %s AND %s"
        ' ORDER BY date, symbol COLLATE "C"',
        [recipe, first, last],
        dates=("date",),
        large=True,
    )
    return follow_renames(frame.astype({"symbol": object}))


def predicted_span(recipe: str) -> tuple[date, date] | None:
    """First and last session of which a recipe's predictions are stored; None where there are none."""
    days = Prediction.objects.filter(recipe=recipe).aggregate(first=Min("date"), last=Max("date"))
    return (days["first"], days["last"]) if days["first"] else None


def predicted_sessions(recipe: str, first: date, last: date) -> list[date]:
    """The sessions of a span, both ends included, that have predictions of a recipe, ascending."""
    stored = Prediction.objects.filter(recipe=recipe, date__range=(first, last))
    return list(stored.order_by("date").values_list("date", flat=True).distinct())
