"""The report of stored predictions: figures of any span, from the database alone; nothing is fitted.

What a recipe said, or would have said, stands in ``predictions``, the places of its lists in ``pick_history``; what
came of them is computed from the stored bars.
"""

from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

import pandas as pd
from django.conf import settings

from market_data.storage import queries
from ml import datasets, predictions
from ml.champions.queries import champion, models_of
from ml.evaluation import figures
from ml.evaluation.expectations import expectations
from ml.evaluation.lists import lists
from ml.evaluation.rows import figures_row
from ml.evaluation.tranches import Rule
from ml.learning.calibration import Chances
from ml.learning.estimators import ESTIMATORS, estimator
from ml.learning.labels import exit_counts
from ml.pick_history.queries import places, sessions_without_places
from stocks.picks.screening import STRATEGIES


class NothingToReport(ValueError):
    """There is no prediction with an outcome in the span; the sentence says why and what to do."""


class Subject(NamedTuple):
    """Whose predictions are reported: name and recipe of an estimator, with its note."""

    name: str
    recipe: str
    note: str


def subject(name: str | None = None, as_of: date | None = None) -> Subject:
    """The named estimator as the settings have it; by default the champion as of a session, or what would become it.

    Raises
    ------
    UnknownEstimator
        No estimator is registered under the name.
    """
    current = champion(as_of)
    if name is None and current is not None:
        known = ESTIMATORS.get(current.estimator)
        return Subject(current.estimator, current.recipe, known.note if known else "")
    chosen = estimator(name or settings.ESTIMATOR, settings.TRAINING_LOOKBACK_DAYS)
    return Subject(chosen.name, chosen.recipe, chosen.note)


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
    since, until = max(first or span[0], span[0]), min(last or span[1], span[1], as_of)
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
    of: Subject, first: date | None = None, last: date | None = None, as_of: date | None = None
) -> dict[str, Any]:
    """Figures of stored predictions over a span, by default over all, by outcomes known as of a session (the latest).

    Returns
    -------
    dict
        Plain JSON, in the structure of ``report.report``: as_of, first_test, last_test (of the sessions with an
        outcome), sessions; exits (``labels.exit_counts``: trades that could not be closed in time); rows: name → kind,
        note, recipe, ``rows.figures_row``, expectations (``expectations.expectations``), r2_in_sample (of the newest
        model's own fit; None if not measured); lists: strategy → ``lists.lists`` and without_list, the number of
        sessions on which it was empty.

    Raises
    ------
    NothingToReport
        There are no bars, or as ``stored_past``.
    """
    as_of = as_of or queries.latest_session()
    if as_of is None:
        raise NothingToReport("There are no bars; load a market first (run_all).")
    past, sessions = stored_past(of.recipe, first, last, as_of)
    tested = past.loc[past["forward_return"].notna(), "date"]
    rule = figures.cost_rule(pd.Timestamp(as_of))
    chances = Chances(settings.TARGET_PROBABILITY, settings.STOP_PROBABILITY)
    model = models_of(of.recipe).first()
    row = {
        "kind": "model",
        "note": of.note,
        "recipe": of.recipe,
        **figures_row(past, rule, sessions),
        "expectations": expectations(past, rule, chances),
        "r2_in_sample": model.metrics.get("r2_in_sample") if model else None,
    }
    return {
        "as_of": as_of.isoformat(),
        "first_test": tested.iloc[0].date().isoformat(),
        "last_test": tested.iloc[-1].date().isoformat(),
        "sessions": int(tested.nunique()),
        "exits": exit_counts(past, past["position"].to_numpy(dtype="int64"), len(sessions) - 1),
        "rows": {of.name: row},
        "lists": _lists(past, of.recipe, rule),
    }


def _lists(past: pd.DataFrame, recipe: str, rule: Rule) -> dict[str, dict[str, Any]]:
    """Each list by its stored places, kept as the published one is."""
    first, last = (past["date"].iloc[end].date() for end in (0, -1))
    of_lists = {name: places(name, recipe, first, last).rename(columns={"session": "date"}) for name in STRATEGIES}
    rows = lists(past, of_lists, replace(rule, keep_rank=settings.PICKS_KEEP_RANK))
    return {
        name: row | {"without_list": len(sessions_without_places(name, recipe, first, last))}
        for name, row in rows.items()
    }
