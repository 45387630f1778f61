"""The metrics of one session from their sources; an evening reads those of its own, the past those of many at once."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import pandas as pd
from django.conf import settings

from market_data import quality, trading_calendar
from market_data.prices import adjustments, volatility
from market_data.prices.jumps import unsettled
from market_data.storage import queries
from stocks.fundamentals import latest_facts
from stocks.fundamentals import writer as fundamentals_writer
from stocks.fundamentals.metrics import session_metrics
from stocks.universe import writer as universe_writer

TURNOVER_SESSIONS = 20

WINDOW_SESSIONS = volatility.SESSIONS_PER_YEAR + 1
"""A year of returns, and the session before the first one."""

_CHUNK_SESSIONS = 60
"""Sessions whose bars are read at once: what they share of their windows is read once."""


class Sources(NamedTuple):
    """What the metrics of a session are computed from; nothing of it was unknown at the session's close.

    `bars` are those of `queries.window_bars`, `events` and `jumps` those known by the session, `indicators` the
    session's own rows; `statements`, `snapshots` and `facts` as `formulas.dated_fundamentals` takes them.
    """

    session: date
    bars: pd.DataFrame
    indicators: pd.DataFrame
    events: pd.DataFrame
    jumps: pd.DataFrame
    kinds: "pd.Series[str]"
    statements: pd.DataFrame
    snapshots: pd.DataFrame
    facts: pd.DataFrame


def sources_of(session: date) -> Sources:
    """Read the sources of one session, only the few rows of each that it needs."""
    events = queries.events_frame(session, only_factors=True)
    return Sources(
        session,
        queries.window_bars(session, WINDOW_SESSIONS),
        queries.indicator_frame(session),
        events,
        queries.unsettled_jumps(session, events),
        universe_writer.kinds(),
        latest_facts.latest_statements(session),
        latest_facts.latest_snapshots(session),
        latest_facts.latest_facts(session),
    )


def sources_between(sessions: Sequence[date]) -> Iterator[Sources]:
    """Yield the sources of sessions that have bars, in ascending order, reading what they share once.

    Facts are under the symbols in use on the latest session, as the stored bars are.
    """
    days = sorted(sessions)
    if not days:
        return
    latest = max(queries.latest_session() or days[-1], days[-1])
    events, jumps = queries.events_frame(latest, only_factors=True), queries.jumps_frame(latest)
    statements, snapshots = fundamentals_writer.statements_frame(latest), fundamentals_writer.snapshots_frame(latest)
    facts, kinds = universe_writer.facts_frame(latest), universe_writer.kinds()
    for start in range(0, len(days), _CHUNK_SESSIONS):
        chunk = days[start : start + _CHUNK_SESSIONS]
        windows = queries.WindowBars(chunk, WINDOW_SESSIONS)
        rows = queries.indicators_between(chunk[0], chunk[-1])
        indicators = {day: of_day.reset_index(drop=True) for day, of_day in rows.groupby("date")}
        for session in chunk:
            today = pd.Timestamp(session)
            known = events[events["known_on"] <= today]
            earlier = jumps[jumps["date"] <= today]
            yield Sources(
                session,
                windows.of(session),
                indicators.get(today, rows.iloc[:0]),
                known,
                earlier[unsettled(earlier, known, session)].reset_index(drop=True),
                kinds,
                latest_facts.needed_statements(statements[statements["published_on"] <= today]),
                latest_facts.needed_snapshots(snapshots[snapshots["snapshot"] < today]),
                facts[facts["date"] <= today],
            )


def metrics_from(sources: Sources, *, provenance: bool = True) -> pd.DataFrame:
    """Return the metrics of every symbol that traded on the sources' session (`session_metrics`)."""
    session = sources.session
    recent = adjustments.adjusted(sources.bars, sources.events, session)
    return session_metrics(
        session,
        recent[recent["date"] == pd.Timestamp(session)].reset_index(drop=True),
        sources.indicators,
        _window_metrics(recent, sources),
        sources.statements,
        sources.snapshots,
        sources.facts,
        adjustments.effective_events(sources.events, session),
        kinds=sources.kinds,
        quarantined=quality.jumped_symbols(session, sources.jumps),
        simulated=settings.PROVIDER_KIND == "simulated",
        provenance=provenance,
    )


def _window_metrics(recent: pd.DataFrame, sources: Sources) -> pd.DataFrame:
    """Return symbol and the metrics over a window: volatility, beta, average volume, median turnover (₹ lakh)."""
    session, kinds = sources.session, sources.kinds
    shares = set(kinds.index[kinds == "share"])
    frame = volatility.metrics(recent, session, shares=shares, jumps=sources.jumps)
    since = trading_calendar.sessions_between(session - timedelta(days=60), session)[-TURNOVER_SESSIONS:][0]
    last = recent[recent["date"] >= pd.Timestamp(since)].groupby("symbol")["turnover_lakh"]
    frame["turnover_median_20"] = last.median().where(last.count() >= TURNOVER_SESSIONS // 2)
    return frame.reset_index(names="symbol")
