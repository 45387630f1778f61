"""Past lists and their outcomes; each page reads the bars of few symbols on few sessions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import pandas as pd
from django.db import connection

from market_data.storage import queries as market
from portfolio.pages.figures.outcomes import HELD_SESSIONS, MARKS, Average, Bar, Outcome, average, outcomes
from stocks.models import Publication
from stocks.picks.queries import stored_picks
from stocks.picks.screening import STRATEGIES
from stocks.storage.frames import query_frame
from stocks.universe.symbols import successors

DATES_A_PAGE: Final = 10
# Ten sessions take about two weeks; the rest covers the longest run of holidays.
_HELD_DAYS: Final = 40


@dataclass(frozen=True)
class PastList:
    """A list in force and its average returns, in the order of `MARKS`."""

    publication: Publication
    averages: tuple[Average, ...]


def publication_dates(strategy: str = "") -> list[date]:
    """Sessions with a list in force (of one strategy, if given), newest first."""
    in_force = Publication.objects.filter(superseded_at=None, strategy__in=[strategy] if strategy else STRATEGIES)
    return list(in_force.order_by("-date").values_list("date", flat=True).distinct())


def past_lists(days: Sequence[date], strategy: str = "") -> list[PastList]:
    """Lists in force of some sessions with their average returns, newest first."""
    if not days:
        return []
    in_force = Publication.objects.filter(
        superseded_at=None, date__in=days, strategy__in=[strategy] if strategy else STRATEGIES
    )
    publications = list(in_force.defer("picks").order_by("-date", "strategy"))
    symbols = _symbols_by_publication(publications)
    sessions = _sessions_to_outcome(min(days), max(days))
    marked = {day: _marked_sessions(day, sessions) for day in days}
    bars = _bars(
        {
            (symbol, day)
            for publication in publications
            for symbol in symbols[publication.pk]
            for day in marked[publication.date]
        }
    )
    lists = []
    for publication in publications:
        picks = [{"symbol": symbol} for symbol in symbols[publication.pk]]
        averages = _averages(outcomes(picks, bars, _starting_with(publication.date, sessions)))
        lists.append(PastList(publication, averages))
    return lists


@dataclass(frozen=True)
class ListOutcomes:
    """A past list pick by pick, with its averages and the returns of the market's median share."""

    publication: Publication
    rows: list[tuple[dict[str, Any], Outcome]]
    averages: tuple[Average, ...]
    market_medians_pct: tuple[float | None, ...]
    sessions_since: int


def list_outcomes(publication: Publication) -> ListOutcomes:
    """Outcome of each pick of a list, from the bars of its ten sessions."""
    picks = stored_picks(publication)
    renamed = successors(date.max)
    sessions = _starting_with(publication.date, _sessions_to_outcome(publication.date, publication.date))
    sessions = sessions[: HELD_SESSIONS + 1]
    current = [pick | {"symbol": renamed.get(pick["symbol"], pick["symbol"])} for pick in picks]
    results = outcomes(current, _bars({(pick["symbol"], day) for pick in current for day in sessions}), sessions)
    return ListOutcomes(
        publication=publication,
        rows=list(zip(picks, results, strict=True)),
        averages=_averages(results),
        market_medians_pct=tuple(_market_median_pct(sessions, mark) for mark in MARKS),
        sessions_since=len(sessions) - 1,
    )


def _averages(results: Sequence[Outcome]) -> tuple[Average, ...]:
    return tuple(average([result.returns_pct[index] for result in results]) for index in range(len(MARKS)))


def _sessions_to_outcome(first: date, last: date) -> list[date]:
    return market.sessions_between(first, last + timedelta(days=_HELD_DAYS))


def _starting_with(day: date, sessions: Sequence[date]) -> list[date]:
    """The day of a list, whether its bars are stored or not, and the sessions after it."""
    return [day, *(session for session in sessions if session > day)]


def _marked_sessions(day: date, sessions: Sequence[date]) -> list[date]:
    """The sessions of `MARKS` after a day; the first of them is the entry."""
    later = _starting_with(day, sessions)
    return [later[mark] for mark in MARKS if mark < len(later)]


def _symbols_by_publication(publications: Sequence[Publication]) -> Mapping[int, list[str]]:
    """Current symbols of each list; the rest of the stored picks stays in the database."""
    renamed = successors(date.max)
    query = (
        "SELECT p.id, array(SELECT pick->>'symbol' FROM jsonb_array_elements(p.picks) pick)"
        " FROM publications p WHERE p.id = ANY(%s)"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [[publication.pk for publication in publications]])
        return {key: [renamed.get(symbol, symbol) for symbol in symbols] for key, symbols in cursor.fetchall()}


def _bars(keys: Collection[tuple[str, date]]) -> dict[tuple[str, date], Bar]:
    """Bars by symbol and session; one index lookup per key."""
    query = (
        "SELECT h.symbol, h.date, h.open, h.high, h.low, h.close, coalesce(h.adj_close / h.close, 1)"
        " FROM unnest(%s::text[], %s::date[]) AS w(symbol, date)"
        " JOIN historical_data h ON h.symbol = w.symbol AND h.date = w.date WHERE h.close > 0 AND h.open > 0"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [[symbol for symbol, _ in keys], [day for _, day in keys]])
        return {(symbol, day): Bar(*prices) for symbol, day, *prices in cursor.fetchall()}


def _market_median_pct(sessions: Sequence[date], mark: int) -> float | None:
    """Median return in percent of all shares, from the open of `sessions[1]` to the close of `sessions[mark]`."""
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
