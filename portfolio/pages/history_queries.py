"""Reads of past lists and of what became of them; each page reads the bars of few symbols on few sessions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import pandas as pd
from django.db import connection

from market_data.storage import queries as market
from portfolio.pages.figures.outcomes import HELD_SESSIONS, MARKS, Average, Bar, Bars, Outcome, average, outcomes
from stocks.models import Publication
from stocks.picks.queries import stored_picks
from stocks.picks.screening import STRATEGIES
from stocks.storage.frames import query_frame
from stocks.universe.symbols import successors

DATES_A_PAGE: Final = 10
# Ten sessions lie within three weeks; the longest row of holidays is covered.
_HELD_DAYS: Final = 40


@dataclass(frozen=True)
class PastList:
    """A list in force and the averages of what became of it, in the order of `MARKS`."""

    publication: Publication
    averages: tuple[Average, ...]


def publication_dates(strategy: str = "") -> list[date]:
    """Return the sessions with a list in force, newest first; of one strategy only, where it is named."""
    found = Publication.objects.filter(superseded_at=None, strategy__in=[strategy] if strategy else STRATEGIES)
    return list(found.order_by("-date").values_list("date", flat=True).distinct())


def past_lists(days: Sequence[date], strategy: str = "") -> list[PastList]:
    """Return the lists in force of some sessions with what became of them, newest first."""
    if not days:
        return []
    found = Publication.objects.filter(
        superseded_at=None, date__in=days, strategy__in=[strategy] if strategy else STRATEGIES
    )
    publications = list(found.defer("picks").order_by("-date", "strategy"))
    names = _symbols_of(publications)
    sessions = _sessions_from(min(days), max(days))
    marked = {day: _marked(day, sessions) for day in days}
    bars = _bars({(symbol, day) for one in publications for symbol in names[one.pk] for day in marked[one.date]})
    return [PastList(one, _averages(one, names[one.pk], bars, sessions)) for one in publications]


@dataclass(frozen=True)
class FollowedList:
    """A past list pick by pick, with its averages and what the market's median share did meanwhile."""

    publication: Publication
    rows: list[tuple[dict[str, Any], Outcome]]
    averages: tuple[Average, ...]
    market_medians_pct: tuple[float | None, ...]
    sessions_since: int


def followed_list(publication: Publication) -> FollowedList:
    """Return what became of each pick of a list, from the bars of its ten sessions."""
    picks = stored_picks(publication)
    in_use = successors(date.max)
    sessions = _from(publication.date, _sessions_from(publication.date, publication.date))[: HELD_SESSIONS + 1]
    now = [pick | {"symbol": in_use.get(pick["symbol"], pick["symbol"])} for pick in picks]
    bars = _bars({(pick["symbol"], day) for pick in now for day in sessions})
    found = outcomes(now, bars, sessions)
    medians = tuple(_market_median(sessions, mark) for mark in MARKS)
    return FollowedList(publication, list(zip(picks, found, strict=True)), _means(found), medians, len(sessions) - 1)


def _averages(
    publication: Publication, symbols: Sequence[str], bars: Bars, sessions: Sequence[date]
) -> tuple[Average, ...]:
    own = _from(publication.date, sessions)
    return _means(outcomes([{"symbol": symbol} for symbol in symbols], bars, own))


def _means(found: Sequence[Outcome]) -> tuple[Average, ...]:
    return tuple(average([one.returns_pct[place] for one in found]) for place in range(len(MARKS)))


def _sessions_from(first: date, last: date) -> list[date]:
    return market.sessions_between(first, last + timedelta(days=_HELD_DAYS))


def _from(day: date, sessions: Sequence[date]) -> list[date]:
    """Return a list's own session, whether its bars are stored or not, and those after it."""
    return [day, *(session for session in sessions if session > day)]


def _marked(day: date, sessions: Sequence[date]) -> list[date]:
    """Return the sessions on which the lists of a day are opened and looked at."""
    later = _from(day, sessions)
    return [later[mark] for mark in MARKS if mark < len(later)]


def _symbols_of(publications: Sequence[Publication]) -> Mapping[int, list[str]]:
    """Return the symbols in use of each list, without carrying the rest of the stored copies over."""
    in_use = successors(date.max)
    query = (
        "SELECT p.id, array(SELECT pick->>'symbol' FROM jsonb_array_elements(p.picks) pick)"
        " FROM publications p WHERE p.id = ANY(%s)"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [[one.pk for one in publications]])
        return {key: [in_use.get(symbol, symbol) for symbol in symbols] for key, symbols in cursor.fetchall()}


def _bars(wanted: Collection[tuple[str, date]]) -> dict[tuple[str, date], Bar]:
    """Return the bars of some symbols on some sessions, each found by the key (symbol, date)."""
    query = (
        "SELECT h.symbol, h.date, h.open, h.high, h.low, h.close, coalesce(h.adj_close / h.close, 1)"
        " FROM unnest(%s::text[], %s::date[]) AS w(symbol, date)"
        " JOIN historical_data h ON h.symbol = w.symbol AND h.date = w.date WHERE h.close > 0 AND h.open > 0"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [[symbol for symbol, _ in wanted], [day for _, day in wanted]])
        return {(symbol, day): Bar(*prices) for symbol, day, *prices in cursor.fetchall()}


def _market_median(sessions: Sequence[date], mark: int) -> float | None:
    """Return the median of all shares' returns in percent from the first session's open to the close of a later one."""
    if mark >= len(sessions):
        return None
    median = query_frame(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY (b.close * coalesce(b.adj_close / b.close, 1))"
        " / (a.open * coalesce(a.adj_close / a.close, 1)) - 1) * 100 AS median"
        " FROM historical_data a JOIN historical_data b ON b.symbol = a.symbol AND b.date = %s"
        " JOIN stocks s ON s.symbol = a.symbol AND s.kind = 'share' WHERE a.date = %s AND a.open > 0",
        [sessions[mark], sessions[1]],
    )["median"].iloc[0]
    return None if pd.isna(median) else float(median)
