"""Fills the pick history: any span by the command, session by session; the newest sessions by an evening."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple

from django.conf import settings
from django.db import transaction

from ml.pick_history import queries, writer
from ml.pick_history.days import PastDay, past_days
from ml.pick_history.writer import Written
from stocks.picks import screening
from stocks.picks.filters import Filters

Report = Callable[[int, int], None]


def configured_filters() -> Filters:
    """The thresholds in use."""
    return screening.load_filters(settings.STOCK_FILTERS_FILE, settings.SCREENING_OVERRIDES)


def rules(filters: Filters) -> dict[str, str]:
    """The hash of each strategy's rules."""
    return {name: screening.rules_hash(name, filters) for name in screening.STRATEGIES}


class Filled(NamedTuple):
    """What a fill wrote: sessions and publications, and places added or changed and removed."""

    sessions: int
    publications: int
    rows: int
    removed: int


def fill(
    strategies: Sequence[str],
    recipe: str,
    first: date,
    last: date,
    report: Report = lambda done, total: None,
    *,
    afresh: bool = False,
) -> Filled:
    """Store what the history lacks of a span: walk-forward places of a recipe, and those of published lists.

    Each session is its own transaction, so that a fill that is interrupted goes on where it was. Sessions whose places
    are of another recipe or of other thresholds are missing; `afresh` computes all again.
    """
    filters = configured_filters()
    hashes = rules(filters)
    missing = {
        name: set(queries.missing_sessions(name, recipe, "" if afresh else hashes[name], first, last))
        for name in strategies
    }
    sessions = sorted(set().union(*missing.values()))
    total = Written(0, 0)
    for day in past_days(sessions, recipe, filters, strategies, report):
        lists = {name: placed for name, placed in day.lists.items() if day.session in missing[name]}
        with transaction.atomic():
            total += writer.record_day(PastDay(day.session, lists), recipe, hashes)
    publications = [each for each in queries.unrecorded_publications(first, last) if each.strategy in strategies]
    for publication in publications:
        with transaction.atomic():
            total += writer.record_publication(publication)
    return Filled(len(sessions), len(publications), total.rows, total.removed)


class Newest(NamedTuple):
    """The places of the newest sessions by a recipe, for an evening to store."""

    recipe: str
    days: list[PastDay]


def newest(recipe: str, session: date) -> Newest:
    """Compute the places of a session, and of those before it that the history lacks; nothing is written."""
    sessions = queries.newest_missing_sessions(recipe, session)
    return Newest(recipe, list(past_days(sessions, recipe, configured_filters())))


def record_newest(newest_days: Newest, run_id: str) -> int:
    """Store what `newest` gave, in the caller's transaction; return the number of places written."""
    hashes = rules(configured_filters())
    return sum(writer.record_day(day, newest_days.recipe, hashes, run_id).rows for day in newest_days.days)
