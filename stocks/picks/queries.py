"""Published picks, cached by publication.

A published list never changes: a newer version supersedes it under another id. So the id (with the time of publication)
is the cache key, and which publication is in force is read from the database each time, by one indexed row. A new list
is therefore visible at once and a superseded one is never served.
"""

import hashlib
import math
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import Any, Final

from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from stocks.models import Publication, Stock, SuggestedStock
from stocks.picks import screening
from stocks.picks.public_state import Published, Stage, picks_state
from stocks.units import rounded, unit_of
from stocks.universe.sectors import same_sector

SORT_FIELDS: Final = {
    "ml_prediction_score": "place of the model's prediction among all shares, 0-1",
    "market_cap": "market cap, ₹ crore",
    "pe_ratio": "price over earnings",
    "rank": "place on the list; in ascending order the list as published",
    "selection_score": "the strategy's own score, 0-1",
    "predicted_return": "expected excess over the day's mean share, percent",
}
"""What the API sorts by, in words: the contract's three, and ours."""

Pick = dict[str, Any]
"""One pick: the columns of `daily_suggested_stocks` that were published, by name; floats are finite or None."""

PICK_COLUMNS: Final = tuple(
    field.attname
    for field in SuggestedStock._meta.concrete_fields
    if field.name not in ("id", "publication", "run_id", "created_at")
)

_PICK_UNITS: Final = {
    name: unit
    for name in PICK_COLUMNS
    if (unit := unit_of(name, str(getattr(SuggestedStock._meta.get_field(name), "help_text", ""))))
}

LATEST_LISTED: Final = "greatest({})".format(
    ", ".join(f"(SELECT max(last_seen) FROM stocks WHERE kind = '{kind}')" for kind in Stock.Kind.values)
)
"""SQL of the latest listed session, kind by kind as the index of `stocks`: a plain maximum would read all of it."""

_CACHE_SECONDS: Final = 24 * 3600
_LOCK_SECONDS: Final = 10
_WAIT_SECONDS: Final = 2.0
_LOCAL_LOCKS: Final = tuple(threading.Lock() for _ in range(16))


@dataclass(frozen=True)
class PickList:
    """A strategy's published picks, filtered, sorted and limited for a reader."""

    publication: Publication | None  # the version in force; None when nothing was published (for the requested date)
    picks: list[Pick]
    total: int  # of the picks that match the filters, before the limit
    reason: str  # why `picks` is empty, or the publication's own reason; may be empty


def publication_in_force(strategy: str, session: date | None = None) -> Publication | None:
    """A strategy's list in force for a session (the newest without one), without its stored copy of the picks."""
    publications = Publication.objects.filter(strategy=strategy, superseded_at=None).defer("picks", "previous__picks")
    publications = publications.select_related("previous")
    if session is not None:
        publications = publications.filter(date=session)
    return publications.order_by("-date").first()


def newest_publications() -> dict[str, Publication]:
    """The newest version in force of each strategy that ever published, without the stored copies."""
    in_force = Publication.objects.filter(superseded_at=None, strategy__in=screening.STRATEGIES)
    in_force = in_force.select_related("previous").defer("picks", "previous__picks")
    newest = in_force.order_by("strategy", "-date").distinct("strategy")
    return {publication.strategy: publication for publication in newest}


def latest_listed_session() -> date | None:
    """The latest session on which any symbol traded, or None in an empty database."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {LATEST_LISTED}")
        latest: date | None = cursor.fetchone()[0]
    return latest


def published_facts(publications: Iterable[Publication]) -> Published | None:
    """What readers are told about the newest of some publications in force; None without one."""
    publications = list(publications)
    newest = max((publication.date for publication in publications), default=None)
    if newest is None:
        return None
    lists = [publication for publication in publications if publication.date == newest]
    at = timezone.localtime(max(publication.published_at for publication in lists))
    picks = sum(publication.count for publication in lists)
    abstention = next((publication.abstention for publication in lists if publication.abstention), "")
    return Published(newest, lists[0].valid_for, at, picks, abstention)


def outdated_notice(publication: Publication | None, latest: date | None) -> str | None:
    """A sentence when a later session than the publication's has ended, else None."""
    if publication is None or latest is None or publication.date >= latest:
        return None
    return picks_state(latest, published_facts([publication]), Stage.UNKNOWN).sentence


def publication_key(publication: Publication) -> str:
    """Cache key of one published list, distinct from those of any other database behind the same cache."""
    database = str(connection.settings_dict["NAME"])
    facts = (database, publication.pk, publication.strategy, publication.published_at.isoformat(), publication.run_id)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def published_picks(publication: Publication) -> list[Pick]:
    """A publication's whole list in its own order and rounded, from the cache or, once, from the database.

    When the list is not cached, one reader in one process loads it while the others wait. With the cache server down
    every reader loads it: slower, but never wrong.
    """
    key = f"picks:4:{publication_key(publication)}"
    picks = cache.get(key)
    if picks is None:
        with _LOCAL_LOCKS[publication.pk % len(_LOCAL_LOCKS)]:
            picks = cache.get(key)
            if picks is None:
                picks = _load_exclusively(publication, key)
    return list(picks)


def _load_exclusively(publication: Publication, key: str) -> list[Pick]:
    """Load and cache the list; while another process is loading it, wait for the result instead."""
    # `add` returns None, not False, when the cache server is down: nobody will store anything, so do not wait.
    if cache.add(f"{key}:lock", 1, _LOCK_SECONDS) is False:
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            time.sleep(0.02)
            stored: list[Pick] | None = cache.get(key)
            if stored is not None:
                return stored
    picks = [_rounded(pick) for pick in stored_picks(publication)]
    # If it was superseded between the two queries, rows may be missing; such a list must not be cached.
    if len(picks) == publication.count:
        cache.set(key, picks, _CACHE_SECONDS)
    cache.delete(f"{key}:lock")
    return picks


def stored_picks(publication: Publication) -> list[Pick]:
    """A publication's list from the database: the rows in force, else the copy kept with the publication.

    A superseded or old publication has no rows left in `daily_suggested_stocks`, but its copy.
    """
    rows: Iterable[dict[str, Any]] = (
        SuggestedStock.objects.filter(publication=publication).order_by("rank", "symbol").values(*PICK_COLUMNS)
    )
    picks = [{name: _finite(value) for name, value in row.items()} for row in rows]
    if not picks and publication.count:
        copies = Publication.objects.values_list("picks", flat=True).get(pk=publication.pk)
        shared = {"date": publication.date, "strategy": publication.strategy, "valid_for": publication.valid_for}
        picks = [{name: _finite(row.get(name)) for name in PICK_COLUMNS} | shared for row in copies]
        for pick in picks:
            pick["listed_since"] = date.fromisoformat(pick["listed_since"]) if pick["listed_since"] else None
    return picks


def _rounded(pick: Pick) -> Pick:
    return pick | {
        name: rounded(pick[name], unit) for name, unit in _PICK_UNITS.items() if isinstance(pick[name], float)
    }


def _finite(value: Any) -> Any:
    """The value, or None for a float that JSON cannot represent."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def pick_list(
    strategy: str,
    *,
    session: date | None = None,
    sector: str = "",
    search: str = "",
    sort_by: str = "ml_prediction_score",
    descending: bool = True,
    limit: int = screening.MAX_PICKS,
) -> PickList:
    """A strategy's published picks, filtered, sorted and limited.

    Parameters
    ----------
    session
        Session whose close was used; without it, the newest publication of any date.
    sector, search
        Name or alias of a sector, and part of the symbol or the name, in any case; empty for all.
    sort_by
        A column of numbers or texts of the picks; missing values come last in both directions, equal ones by rank.
    """
    publication = publication_in_force(strategy, session)
    if publication is None:
        return PickList(None, [], 0, _nothing_published(strategy, session))
    published = published_picks(publication)
    matching = [pick for pick in published if _matches(pick, sector, search)]
    picks = _sorted(matching, sort_by, descending)[:limit]
    reason = publication.public_reason if picks else _why_empty(publication, published, sector, search)
    return PickList(publication, picks, len(matching), reason)


def _nothing_published(strategy: str, session: date | None) -> str:
    if session is not None:
        return f"No {strategy} picks were published for the session of {session}."
    return f"No {strategy} picks have been published yet: the first nightly run has not reached its last step."


def _why_empty(publication: Publication, published: Sequence[Pick], sector: str, search: str) -> str:
    if not published:
        return publication.public_reason
    if sector and not any(_matches(pick, sector, "") for pick in published):
        present = ", ".join(sorted({pick["sector"] for pick in published if pick["sector"]})) or "none"
        return f"No pick of this list is in the sector {sector!r}. Sectors of this list: {present}."
    return f"No pick of this list matches the search {search!r}."


def _matches(pick: Pick, sector: str, search: str) -> bool:
    if sector and not same_sector(pick["sector"] or "", sector):
        return False
    needle = search.casefold()
    return needle in pick["symbol"].casefold() or needle in (pick["stock_name"] or "").casefold()


def _sorted(picks: list[Pick], column: str, descending: bool) -> list[Pick]:
    known = [pick for pick in picks if pick[column] is not None]
    unknown = [pick for pick in picks if pick[column] is None]
    # The sort is stable and the list arrives in order of rank, so equal values stay in that order.
    return sorted(known, key=itemgetter(column), reverse=descending) + unknown
