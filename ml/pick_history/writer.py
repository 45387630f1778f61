"""The only writer of `pick_history` and `pick_history_days`.

Each function runs inside the caller's transaction; written twice, the same places leave the same rows. Another recipe's
places replace those that were there. The clean-up removes none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, LiteralString

import pandas as pd
from django.db import connection

from ml.models import PickPlace, TrainedModel
from ml.pick_history.days import PastDay
from stocks.models import Publication
from stocks.storage import bulk

_LOCK: Final = 0x7069636B
"""Number of the advisory lock of those who write: a command and a run may come to the same session."""

_COLUMNS: Final = ("symbol", "place", "selection_score")
_KEY: Final = ("strategy", "session", "symbol", "source")
_DAY_KEY: Final = ("strategy", "session")
_GONE: Final = (
    "t.session = %s AND t.source = %s AND t.strategy = ANY(%s) AND NOT (t.strategy || ' ' || t.symbol) = ANY(%s)"
)
_UNFOUNDED: Final = "NOT EXISTS (SELECT 1 FROM predictions p WHERE p.date = t.session AND p.recipe = t.recipe)"


@dataclass(frozen=True)
class Written:
    """Rows of places that a write added or changed, and removed."""

    rows: int
    removed: int

    def __add__(self, other: "Written") -> "Written":
        return Written(self.rows + other.rows, self.removed + other.removed)


def record_day(day: PastDay, recipe: str, rules: Mapping[str, str], run_id: str = "") -> Written:
    """Store the places of a past session and what each list came to; `rules` are the hashes of the strategies' rules.

    Of a run (`run_id`) before-images are kept, so that it can be rolled back.
    """
    written = _record(day.session, {name: placed.places for name, placed in day.lists.items()}, recipe, run_id)
    facts = {
        "strategy": list(day.lists),
        "session": pd.Timestamp(day.session),
        "recipe": recipe,
        "rules": [rules[name] for name in day.lists],
        "considered": [placed.considered for placed in day.lists.values()],
        "passed": [placed.passed for placed in day.lists.values()],
        "reason": [placed.reason for placed in day.lists.values()],
    }
    bulk.upsert("pick_history_days", pd.DataFrame(facts), _DAY_KEY, run_id, undo=bool(run_id))
    return written


def record_publication(publication: Publication) -> Written:
    """Store the places of a published list, under the run that published it; an abstention has none."""
    model = TrainedModel.objects.filter(pk=publication.model_id).values_list("recipe", flat=True).first()
    # A list of an older layout has no places.
    picks = [pick for pick in publication.picks if pick.get("place") is not None]
    places = pd.DataFrame([[pick[name] for name in _COLUMNS] for pick in picks], columns=list(_COLUMNS))
    typed = places.astype({"symbol": object, "place": "int64", "selection_score": "float64"})
    return _record(
        publication.date, {publication.strategy: typed}, model or "", publication.run_id, PickPlace.Source.PUBLISHED
    )


def _record(
    session: date,
    lists: Mapping[str, pd.DataFrame],
    recipe: str,
    run_id: str,
    source: PickPlace.Source = PickPlace.Source.WALK_FORWARD,
) -> Written:
    rows = pd.concat([places.assign(strategy=name) for name, places in lists.items()], ignore_index=True)
    names = (rows["strategy"] + " " + rows["symbol"]).astype(str).tolist()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    removed = _delete(_GONE, [session, source.value, list(lists), names], run_id)
    rows = rows.assign(session=pd.Timestamp(session), source=source.value, recipe=recipe)
    return Written(bulk.upsert("pick_history", rows, _KEY, run_id, undo=bool(run_id)).total, removed)


def _delete(where: LiteralString, parameters: Sequence[Any], run_id: str) -> int:
    if run_id:
        return bulk.delete("pick_history", where, parameters, run_id)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM pick_history t WHERE {where}", parameters)
        return int(cursor.rowcount)


def count_unfounded(run_id: str) -> int:
    """Number of places that `remove_unfounded` would remove once a run's predictions are gone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pick_history t WHERE t.source = %s AND EXISTS (SELECT 1 FROM predictions p"
            " WHERE p.date = t.session AND p.recipe = t.recipe AND p.run_id = %s)",
            [PickPlace.Source.WALK_FORWARD, run_id],
        )
        return int(cursor.fetchone()[0])


def remove_unfounded(run_id: str) -> int:
    """Remove walk-forward places whose predictions a rollback has removed, whoever wrote them; return their number."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM pick_history_days t WHERE {_UNFOUNDED}")
        cursor.execute(
            f"DELETE FROM pick_history t WHERE t.source = %s AND {_UNFOUNDED}", [PickPlace.Source.WALK_FORWARD]
        )
        return int(cursor.rowcount)
