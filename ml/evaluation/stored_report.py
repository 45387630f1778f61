"""The report of stored predictions: figures of any span, from the database alone; nothing is fitted.

What a recipe said, or would have said, stands in ``predictions``; what came of it is computed from the stored bars.
"""

from datetime import date
from typing import Any, NamedTuple

import pandas as pd

from ml import datasets, predictions
from ml.evaluation import figures
from ml.evaluation.expectations import expectations
from ml.evaluation.rows import figures_row
from ml.learning.calibration import Chances
from ml.learning.estimators import Estimator
from ml.learning.labels import exit_counts


class NothingToReport(ValueError):
    """There is no prediction with an outcome in the span; the sentence says why and what to do."""


class StoredPast(NamedTuple):
    """Stored predictions with their outcomes, as ``training.Night.past``, and the sessions that positions count."""

    frame: pd.DataFrame
    sessions: pd.DatetimeIndex


def stored_past(recipe: str, first: date | None, last: date | None, as_of: date) -> StoredPast:
    """Predictions of a span, by default of all sessions, with the outcomes that are known as of a session.

    Raises
    ------
    NothingToReport
        The recipe has no predictions, none in the span, or none with an outcome.
    """
    span = predictions.predicted_span(recipe)
    if span is None:
        raise NothingToReport(f"There are no predictions of recipe {recipe}; train_models makes and stores them.")
    _refuse_outside(span, first, last)
    since, until = max(first or span[0], span[0]), min(last or span[1], span[1])
    outcomes, sessions = datasets.outcomes_between(since, until, as_of)
    stated = predictions.predictions_between(recipe, since, until)
    past = stated.merge(outcomes, on=["symbol", "date"], how="inner").sort_values(["position", "symbol"])
    if not past["forward_return"].notna().any():
        raise NothingToReport(
            f"No outcome is known of the predictions from {since} to {until}: the bars end on {as_of}, and a trade"
            " takes eleven sessions. Choose an earlier --from, or load more sessions."
        )
    return StoredPast(past.reset_index(drop=True), sessions)


def _refuse_outside(span: tuple[date, date], first: date | None, last: date | None) -> None:
    if first and last and first > last:
        raise NothingToReport(f"--from {first} is after --to {last}: exchange them.")
    if last and last < span[0]:
        raise NothingToReport(f"--to {last} is before the first prediction, of {span[0]}; choose a later day.")
    if first and first > span[1]:
        raise NothingToReport(f"--from {first} is after the last prediction, of {span[1]}; choose an earlier day.")


def stored_report(
    estimator: Estimator, first: date | None, last: date | None, as_of: date, chances: Chances
) -> dict[str, Any]:
    """Figures of an estimator's stored predictions.

    Returns
    -------
    dict
        Plain JSON, in the structure of ``report.report``: as_of, first_test, last_test (of the sessions with an
        outcome), sessions, rows: estimator → kind, note, recipe, ``rows.figures_row``, expectations
        (``expectations.expectations``), exits (``labels.exit_counts``).

    Raises
    ------
    NothingToReport
        As ``stored_past``.
    """
    past, sessions = stored_past(estimator.recipe, first, last, as_of)
    tested = past.loc[past["forward_return"].notna(), "date"]
    rule = figures.cost_rule(pd.Timestamp(as_of))
    row = {
        "kind": "model",
        "note": estimator.note,
        "recipe": estimator.recipe,
        **figures_row(past, rule, sessions),
        "expectations": expectations(past, rule, chances),
        "exits": exit_counts(past, past["position"].to_numpy(dtype="int64"), len(sessions) - 1),
    }
    return {
        "as_of": as_of.isoformat(),
        "first_test": tested.iloc[0].date().isoformat(),
        "last_test": tested.iloc[-1].date().isoformat(),
        "sessions": int(tested.nunique()),
        "rows": {estimator.name: row},
    }
