"""Readers of the scoreboard. The table is only added to, so its highest id is the key of what was computed from it."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any, Final

from django.core.cache import cache
from django.db import connection

from ml.models import PickOutcome
from ml.scoreboard.figures import Figures, Outcome, Point, curve, figures
from stocks.picks import screening

MODELS_SHOWN: Final = 20
_CACHE_SECONDS: Final = 24 * 3600

_NEWEST: Final = f"""
    SELECT DISTINCT ON (date, strategy, symbol) {", ".join(Outcome._fields)} FROM pick_outcomes
    {{where}} ORDER BY date, strategy, symbol, version DESC
"""


@dataclass(frozen=True)
class ModelScore:
    """What came of a list's picks by one model."""

    model_id: str | None
    first: date
    last: date
    figures: Figures


@dataclass(frozen=True)
class ListScore:
    """What came of one list's picks: altogether, by model (the newest first, at most `MODELS_SHOWN`), as a curve."""

    strategy: str
    figures: Figures
    models: tuple[ModelScore, ...]
    curve: tuple[Point, ...]


def scoreboard() -> dict[str, ListScore]:
    """The scores of all lists of the registry, in its order."""
    newest = PickOutcome.objects.order_by("-pk").values_list("pk", "judged_at").first()
    facts = (connection.settings_dict["NAME"], *screening.STRATEGIES, newest)
    key = f"scoreboard:1:{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}"
    scores: dict[str, ListScore] | None = cache.get(key)
    if scores is None:
        outcomes = newest_outcomes() if newest else []
        scores = {
            name: _list_score(name, [outcome for outcome in outcomes if outcome.strategy == name])
            for name in screening.STRATEGIES
        }
        cache.set(key, scores, _CACHE_SECONDS)
    return scores


def _list_score(strategy: str, outcomes: Sequence[Outcome]) -> ListScore:
    by_model: dict[str | None, list[Outcome]] = {}
    for outcome in outcomes:  # by date, so that the models come in the order of their first list
        by_model.setdefault(outcome.model_id, []).append(outcome)
    models = [ModelScore(name, rows[0].date, rows[-1].date, figures(rows)) for name, rows in by_model.items()]
    return ListScore(strategy, figures(outcomes), tuple(models[: -MODELS_SHOWN - 1 : -1]), tuple(curve(outcomes)))


def newest_outcomes(days: Iterable[date] | None = None) -> list[Outcome]:
    """The newest version of each outcome (of the lists of some sessions, if given), by session, list and symbol."""
    with connection.cursor() as cursor:
        if days is None:
            cursor.execute(_NEWEST.format(where=""))
        else:
            cursor.execute(_NEWEST.format(where="WHERE date = ANY(%s)"), [list(days)])
        return [Outcome(*row) for row in cursor.fetchall()]


def list_figures(days: Sequence[date]) -> dict[tuple[date, str], Figures]:
    """Figures of the lists of some sessions, by session and list; those of which nothing is judged yet are absent."""

    def key(outcome: Outcome) -> tuple[date, str]:
        return outcome.date, outcome.strategy

    return {name: figures(list(rows)) for name, rows in groupby(newest_outcomes(days), key)}


def list_outcomes(session: date, strategy: str) -> dict[str, dict[str, Any]]:
    """The newest version of each outcome of one list, all columns, by the symbol that was published."""
    rows = PickOutcome.objects.filter(date=session, strategy=strategy).order_by("symbol", "version")
    return {row["symbol"]: dict(row) for row in rows.values()}


def waiting() -> dict[str, int]:
    """Picks of the stored lists in force that are not judged yet, by list."""
    sql = """
        SELECT p.strategy, sum(p.count - o.judged)::int FROM publications p, LATERAL (
            SELECT count(DISTINCT symbol) AS judged FROM pick_outcomes o
            WHERE o.date = p.date AND o.strategy = p.strategy
        ) o WHERE p.superseded_at IS NULL GROUP BY p.strategy
    """
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return {**dict.fromkeys(screening.STRATEGIES, 0), **dict(cursor.fetchall())}
