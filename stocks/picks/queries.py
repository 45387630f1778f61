"""Reads of the published picks, cached by publication.

A published list never changes: a newer version supersedes it under another id. So the id (with the time of publication)
is the cache key; which publication is in force is asked from the database each time, by one indexed row. A new list is
therefore visible at once and a superseded one is never served.
"""

import hashlib
import math
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.core.cache import cache
from django.db import connection

from stocks.models import Publication, Stock, SuggestedStock
from stocks.picks import screening
from stocks.universe.sectors import same_sector

SORT_FIELDS: Final = ("ml_prediction_score", "market_cap", "pe_ratio")

Pick = dict[str, Any]
"""One pick: the columns of `daily_suggested_stocks` that were published, by name; floats are finite or None."""

PICK_COLUMNS: Final = tuple(
    field.attname
    for field in SuggestedStock._meta.concrete_fields
    if field.name not in ("id", "publication", "run_id", "created_at")
)

LATEST_LISTED: Final = "greatest({})".format(
    ", ".join(f"(SELECT max(last_seen) FROM stocks WHERE kind = '{kind}')" for kind in Stock.Kind.values)
)
"""SQL of the latest session listed, kind by kind as the index of stocks is: a plain maximum would read all of it."""

_CACHE_SECONDS: Final = 24 * 3600
_LOCK_SECONDS: Final = 10
_WAIT_SECONDS: Final = 2.0
_LOCAL_LOCKS: Final = tuple(threading.Lock() for _ in range(16))


@dataclass(frozen=True)
class PickList:
    """What a strategy publishes, as a reader asked for it.

    Attributes
    ----------
    publication : Publication or None
        The version in force; None when nothing was published (for the date asked).
    picks : list of Pick
        Filtered, sorted and cut.
    total : int
        How many picks fit the filters, before the cut.
    reason : str
        Why `picks` is empty, or what the publication says about itself; may be empty.
    """

    publication: Publication | None
    picks: list[Pick]
    total: int
    reason: str


def publication_in_force(strategy: str, session: date | None = None) -> Publication | None:
    """Return the version in force of a strategy's list, without its stored copy of the picks.

    Parameters
    ----------
    strategy : str
        One of `screening.STRATEGIES`.
    session : date, optional
        The session whose close was used; without it, the newest.
    """
    found = Publication.objects.filter(strategy=strategy, superseded_at=None).defer("picks")
    if session is not None:
        found = found.filter(date=session)
    return found.order_by("-date").first()


def newest_publications() -> dict[str, Publication]:
    """Return the newest version in force of each strategy that ever published, without the stored copies."""
    found = Publication.objects.filter(superseded_at=None, strategy__in=screening.STRATEGIES).defer("picks")
    newest = found.order_by("strategy", "-date").distinct("strategy")
    return {publication.strategy: publication for publication in newest}


def latest_listed_session() -> date | None:
    """Return the latest session on which any symbol was seen, or None in an empty database."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {LATEST_LISTED}")
        latest: date | None = cursor.fetchone()[0]
    return latest


def outdated_notice(publication: Publication | None, latest: date | None) -> str | None:
    """Return a sentence when a later session than the publication's has ended, else None."""
    if publication is None or latest is None or publication.date >= latest:
        return None
    return f"The session of {latest} has ended and its picks are not published yet; these are of {publication.date}."


def publication_key(publication: Publication) -> str:
    """Return a text that names one published list, unlike that of any other database behind the same cache."""
    database = str(connection.settings_dict["NAME"])
    facts = (database, publication.pk, publication.strategy, publication.published_at.isoformat(), publication.run_id)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def published_picks(publication: Publication) -> list[Pick]:
    """Return a publication's whole list in its own order, from the cache or, once, from the database.

    When the list is not cached, one reader of one process fetches it and the others wait for it. With the cache server
    down each reader fetches it himself: slower, and never wrong.
    """
    key = f"picks:2:{publication_key(publication)}"
    picks = cache.get(key)
    if picks is None:
        with _LOCAL_LOCKS[publication.pk % len(_LOCAL_LOCKS)]:
            picks = cache.get(key)
            if picks is None:
                picks = _fetched_by_one(publication, key)
    return list(picks)


def _fetched_by_one(publication: Publication, key: str) -> list[Pick]:
    """Fetch and cache the list, unless another process is at it; then wait for what it stores."""
    # `add` answers None, not False, when the cache server is down: nobody will store anything, so do not wait.
    if cache.add(f"{key}:lock", 1, _LOCK_SECONDS) is False:
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            time.sleep(0.02)
            stored: list[Pick] | None = cache.get(key)
            if stored is not None:
                return stored
    picks = stored_picks(publication)
    # Superseded between the two queries, its rows may be gone; such a list is not to be remembered.
    if len(picks) == publication.count:
        cache.set(key, picks, _CACHE_SECONDS)
    cache.delete(f"{key}:lock")
    return picks


def stored_picks(publication: Publication) -> list[Pick]:
    """Return a publication's list from the database: the rows in force, else the copy kept with the publication.

    The rows of a superseded or an old publication are gone from `daily_suggested_stocks`; its copy stays.
    """
    rows: Iterable[dict[str, Any]] = (
        SuggestedStock.objects.filter(publication=publication).order_by("rank", "symbol").values(*PICK_COLUMNS)
    )
    picks = [{name: _finite(value) for name, value in row.items()} for row in rows]
    if not picks and publication.count:
        copied = Publication.objects.values_list("picks", flat=True).get(pk=publication.pk)
        shared = {"date": publication.date, "strategy": publication.strategy, "valid_for": publication.valid_for}
        picks = [{name: _finite(row.get(name)) for name in PICK_COLUMNS} | shared for row in copied]
    return picks


def _finite(value: Any) -> Any:
    """Return the value, or None for a float that JSON cannot say."""
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
    """Return a strategy's published picks as asked.

    Parameters
    ----------
    strategy : str
        One of `screening.STRATEGIES`.
    session : date, optional
        Session whose close was used; without it the newest publication answers, whatever its date.
    sector : str
        Sector's name or an alias of it, in any case; empty for all.
    search : str
        Part of the symbol or the name, in any case; empty for all.
    sort_by : str
        A numeric column of the picks; missing values come last in both directions, equal ones by rank.
    descending : bool
        Largest first.
    limit : int
        At most so many.
    """
    publication = publication_in_force(strategy, session)
    if publication is None:
        return PickList(None, [], 0, _nothing_published(strategy, session))
    whole = published_picks(publication)
    fitting = [pick for pick in whole if _fits(pick, sector, search)]
    picks = _sorted(fitting, sort_by, descending)[:limit]
    return PickList(
        publication,
        picks,
        len(fitting),
        publication.reason if picks else _why_empty(publication, whole, sector, search),
    )


def _nothing_published(strategy: str, session: date | None) -> str:
    if session is not None:
        return f"No {strategy} picks were published for the session of {session}."
    return f"No {strategy} picks have been published yet: the first nightly run has not reached its last step."


def _why_empty(publication: Publication, whole: Sequence[Pick], sector: str, search: str) -> str:
    if not whole:
        return (
            publication.reason
            or f"The {publication.strategy} list of {publication.date} is empty; no share passed its conditions."
        )
    if sector and not any(_fits(pick, sector, "") for pick in whole):
        present = ", ".join(sorted({pick["sector"] for pick in whole if pick["sector"]})) or "none"
        return f"No pick of this list is in the sector {sector!r}. Sectors of this list: {present}."
    return f"No pick of this list fits the search {search!r}."


def _fits(pick: Pick, sector: str, search: str) -> bool:
    if sector and not same_sector(pick["sector"] or "", sector):
        return False
    needle = search.casefold()
    return needle in pick["symbol"].casefold() or needle in (pick["stock_name"] or "").casefold()


def _sorted(picks: list[Pick], column: str, descending: bool) -> list[Pick]:
    known = [pick for pick in picks if pick[column] is not None]
    unknown = [pick for pick in picks if pick[column] is None]
    # Both sorts are stable and the list comes in order of rank.
    return sorted(known, key=lambda pick: float(pick[column]), reverse=descending) + unknown
