"""Readers of the pick history."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import pandas as pd
from django.db.models import Max, Min

from ml.models import PickHistoryDay, PickPlace
from ml.predictions import predicted_sessions
from stocks.models import Publication
from stocks.storage.frames import query_frame
from stocks.universe.symbols import follow_renames

NEWEST_SESSIONS: Final = 20
"""An evening adds at most so many sessions that earlier evenings left out; the command adds any number."""


def places(strategy: str, recipe: str, first: date, last: date) -> pd.DataFrame:
    """A list's walk-forward places on the sessions of a span, both ends included.

    Parameters
    ----------
    strategy
        Name of an entry of `screening.STRATEGIES`.
    recipe
        Hash of the estimator whose predictions they come from (`Estimator.recipe`); of a recipe whose places were
        replaced by another's there are none.

    Returns
    -------
    DataFrame
        session (midnight ``datetime64[ns]``), symbol (in use today), place (1 … 150 among all that passed the strategy,
        whatever was held) and selection_score (0-1); sorted by session and place. A session without rows had no list:
        `sessions_without_places` says why.

    Notes
    -----
    Point in time: each session's rows depend on nothing later than its close. The keep rule is left to the reader:
    a held share stays while its place is at most the keep band's.
    """
    frame = query_frame(
        "SELECT session, symbol, place, selection_score FROM pick_history"
        " WHERE strategy = %s AND recipe = %s AND source = %s AND session BETWEEN %s AND %s ORDER BY session, place",
        [strategy, recipe, PickPlace.Source.WALK_FORWARD.value, first, last],
        dates=("session",),
    )
    typed = frame.astype({"symbol": object, "place": "int64", "selection_score": "float64"})
    return follow_renames(typed, date_column="session")


def sessions_without_places(strategy: str, recipe: str, first: date, last: date) -> dict[date, str]:
    """The sessions of a span on which a list was computed and is empty, each with the reason; ascending."""
    days = PickHistoryDay.objects.filter(strategy=strategy, recipe=recipe, session__range=(first, last))
    return dict(days.exclude(reason="").order_by("session").values_list("session", "reason"))


def first_session(strategy: str, recipe: str) -> date | None:
    """The session since which a list has walk-forward places; None without any."""
    rows = PickPlace.objects.filter(strategy=strategy, recipe=recipe, source=PickPlace.Source.WALK_FORWARD)
    first: date | None = rows.aggregate(first=Min("session"))["first"]
    return first


def missing_sessions(strategy: str, recipe: str, rules: str, first: date, last: date) -> list[date]:
    """The sessions of a span that have predictions of a recipe, but no places of it by these rules; ascending."""
    done = PickHistoryDay.objects.filter(strategy=strategy, recipe=recipe, rules=rules, session__range=(first, last))
    computed = set(done.values_list("session", flat=True))
    return [day for day in predicted_sessions(recipe, first, last) if day not in computed]


def newest_missing_sessions(recipe: str, session: date) -> list[date]:
    """The predicted sessions up to one that come after the last whose places are stored, at most the newest twenty."""
    last = PickHistoryDay.objects.filter(recipe=recipe, session__lt=session).aggregate(last=Max("session"))["last"]
    days = predicted_sessions(recipe, last or session, session)
    return [day for day in days if day != last][-NEWEST_SESSIONS:]


def unrecorded_publications(first: date, last: date) -> Sequence[Publication]:
    """Lists in force of a span with picks that have places, none of which are in the history."""
    in_force = Publication.objects.filter(superseded_at=None, date__range=(first, last), count__gt=0).order_by("pk")
    rows = PickPlace.objects.filter(source=PickPlace.Source.PUBLISHED, session__range=(first, last))
    recorded = set(rows.values_list("session", "strategy").distinct())
    missing = [each for each in in_force if (each.date, each.strategy) not in recorded]
    return [each for each in missing if any(pick.get("place") is not None for pick in each.picks)]
