"""Steps that collect: the symbol master, the universe, and the daily bars with their renames.

Each step computes outside any transaction and records inside one. What later steps must do because of what was read is
pending work (`pending.py`).
"""

from collections.abc import Container, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import pandas as pd

from market_data import trading_calendar
from market_data.models import SourceFile
from market_data.prices import adjustments
from market_data.prices.bars import checked_bars
from market_data.providers import (
    NotOffered,
    Provider,
    ProviderError,
    SessionNotAvailable,
    TransientProviderError,
    provider,
)
from market_data.runs.saga import NotYet, StepContext, StepFailed
from market_data.steps.pending import PendingWork, add_pending_work, take_over_pending_work
from market_data.storage import queries
from market_data.storage import writer as market_writer
from market_data.storage.writer import ReadSession
from stocks.fundamentals import writer as fundamentals_writer
from stocks.universe import writer as universe_writer
from stocks.universe.renames import renames
from stocks.universe.symbols import followed

SESSIONS_A_CHUNK = 40
LATE_FACTS_SESSIONS = 5
FACTORS = "factors"
PROVIDER_CHECKS = ("source_files", "official_coverage")
"""Names under which providers tell what they lack."""

REJECTED_TOLERANCE = 0.05
"""Share of a session's rows that may be kept aside before the file is not believed."""


def source(context: StepContext) -> Provider:
    """Return the run's provider, built once."""
    try:
        return context.once("provider", lambda: provider(context.run.provider))
    except ProviderError as error:
        raise StepFailed(str(error)) from error


def as_of(context: StepContext) -> date:
    """Return the run's session, or the day it was created on where it stands for none."""
    return context.run.session or context.run.created_at.astimezone(trading_calendar.IST).date()


class Master(NamedTuple):
    """What the provider says of the market as of a session."""

    listed: pd.DataFrame
    events: pd.DataFrame
    facts: dict[date, pd.DataFrame]
    days: pd.DataFrame
    findings: list[dict[str, Any]]


def fetched(context: StepContext) -> Provider:
    """Return the run's provider after it has fetched what is missing.

    Raises
    ------
    NotYet
        When the run stands for a session whose bars are neither offered nor stored; a run that stands for none does
        not need any.
    """
    feed, day = source(context), as_of(context)
    wanted = context.run.session or day - timedelta(days=1)
    told = ""
    try:
        feed.fetch(wanted, trading_calendar.sessions_between, context.now, context.report)
    except SessionNotAvailable as error:
        if context.run.session is not None and feed.sessions(wanted, wanted):
            raise NotYet(str(error)) from error
        told = f" {error}"
    except (ProviderError, trading_calendar.CalendarError) as error:
        raise StepFailed(str(error)) from error
    if context.run.session is not None:
        _check_offered(context, feed, told)
    return feed


def _check_offered(context: StepContext, feed: Provider, told: str = "") -> None:
    if feed.sessions(context.session, context.session) or context.session in queries.loaded_sessions():
        return
    offered = feed.sessions(None, context.session)
    raise NotYet(
        f"{feed.name} has no bars for {context.session}"
        f" (its latest session is {offered[-1] if offered else 'none'}); "
        f"put the day's file in place, or pass --date with a session it has.{told}"
    )


def read_symbol_master(context: StepContext, _: str) -> Master:
    """Ask the provider for its lists: symbols, official corporate actions, market days, facts of the last sessions."""
    try:
        return _symbol_master(context, fetched(context), as_of(context))
    except TransientProviderError:
        raise
    except ProviderError as error:
        raise StepFailed(str(error)) from error


def _symbol_master(context: StepContext, feed: Provider, session: date) -> Master:
    offered = feed.sessions(None, session)
    stored = set(queries.sessions_between(offered[0], session)) if offered else set()
    new = [day for day in offered if day not in stored]
    # Reports come later than bars: those of the last sessions are looked for again.
    facts = {day: feed.daily_facts(day) for day in {*new, *offered[-LATE_FACTS_SESSIONS:], session}}
    master = Master(
        listed=feed.listed_symbols(session),
        events=feed.corporate_actions(session),
        facts={day: frame for day, frame in facts.items() if not frame.empty},
        days=feed.market_days(session),
        findings=[
            {"check_name": found.check, "severity": found.severity, "message": found.message, "remedy": found.remedy}
            for found in feed.findings()
        ],
    )
    context.log("lists read", symbols=len(master.listed), events=len(master.events), facts=len(master.facts))
    return master


def record_symbol_master(context: StepContext, master: Master) -> int:
    """Store the provider's lists."""
    run_id = context.run.id
    trading_calendar.record_market_days(master.days, source(context).calendar, run_id)
    changed = market_writer.record_official_events(master.events, run_id)
    take_over_pending_work(context.run)
    if changed.total:
        add_pending_work(context.run, _work_for_events(run_id, as_of(context)))
    for day, facts in master.facts.items():
        universe_writer.record_facts(facts, day, run_id)
    market_writer.replace_findings(run_id, context.run.session, PROVIDER_CHECKS, master.findings)
    context.memo["listed"] = master.listed
    return universe_writer.record_symbols(master.listed, run_id, as_of(context)).total


def _work_for_events(run_id: str, day: date) -> PendingWork:
    """Return what new and changed events ask for: openings judged from their first ex-date on."""
    changed = market_writer.first_dates_of_events(run_id)
    past = [ex_date for ex_date in changed.values() if ex_date <= day]
    return PendingWork(events_changed=changed, judge_from=min(past, default=None))


def read_universe(context: StepContext, _: str) -> pd.DataFrame | None:
    """Ask for the provider's newer statements, where it has some; the universe itself came with the symbol master."""
    try:
        return source(context).statements(context.session, queries.session_before(context.session))
    except NotOffered:
        return None


def record_universe(context: StepContext, found: pd.DataFrame | None) -> int:
    """Store the provider's statements and count the universe by kind."""
    written = 0 if found is None else fundamentals_writer.record_statements(found, context.run.id).total
    universe_writer.record_screened(context.session, context.run.id)
    kinds = {str(kind): int(count) for kind, count in universe_writer.kinds().value_counts().items()}
    context.summarise(universe=kinds, **({"statements": written} if found is not None else {}))
    return sum(kinds.values())


class WindowOfBars(NamedTuple):
    """Sessions as read, their adjusted closes, the renames between them, and which symbols' past they change."""

    read: list[ReadSession]
    adj_close: pd.Series
    renamed: list[pd.DataFrame]
    changed: dict[str, date]
    fresh: list[date]


def bar_chunks(context: StepContext) -> Sequence[str]:
    """Return the windows of sessions that are missing or whose file changed, then the adjustment."""
    todo = _sessions_to_read(context)
    windows = [todo[start : start + SESSIONS_A_CHUNK] for start in range(0, len(todo), SESSIONS_A_CHUNK)]
    context.memo["windows"] = {f"{window[0]}..{window[-1]}": window for window in windows}
    return [*context.memo["windows"], FACTORS]


def _sessions_to_read(context: StepContext) -> list[date]:
    feed, stored = source(context), queries.loaded_sessions()
    _check_offered(context, feed)
    offered = feed.sessions(None, context.session)
    return [day for day in offered if day not in stored or _changed(feed, stored[day])]


def _changed(feed: Provider, stored: SourceFile) -> bool:
    """Tell whether a session's source holds something else now; one that was only copied is not compared again."""
    seen = feed.fingerprint(stored.session)
    if (seen.name, seen.size, seen.mtime_ns) == (stored.name, stored.size, stored.mtime_ns):
        return False
    if seen.sha256 != stored.sha256:
        return True
    market_writer.record_same_content(stored.session, seen.name, seen.size, seen.mtime_ns)
    return False


def read_bars(context: StepContext, label: str) -> WindowOfBars:
    """Read and check a window of sessions, and find its renames."""
    window: list[date] = context.memo["windows"][label]
    stored = set(queries.sessions_between(window[0], window[-1]))
    read = []
    for number, session in enumerate(window, start=1):
        read.append(_read_session(source(context), session))
        context.report(number, len(window))
    bars = pd.concat([one.bars for one in read], ignore_index=True)
    events = queries.events_frame(context.session, only_factors=True)
    factors = adjustments.adjusted(bars, events, context.session)
    rejected = sum(len(one.rejects) for one in read)
    context.log("bars read", sessions=len(read), bars=len(bars), rejected=rejected)
    chain = RenameChain(context)
    return WindowOfBars(
        read=read,
        adj_close=adjustments.adj_close(factors),
        renamed=[found for one in read if not (found := chain.step(one)).empty],
        changed=_changed_symbols(read, stored),
        fresh=[one.session for one in read if one.session not in stored],
    )


def _read_session(feed: Provider, session: date) -> ReadSession:
    try:
        seen = feed.fingerprint(session)
        digest, raw = seen.sha256, feed.bars(session)
        changed = feed.fingerprint(session) != seen
    except ProviderError as error:
        raise StepFailed(str(error)) from error
    except OSError as error:
        raise StepFailed(f"The file of {session} could not be read: {error}. Make it readable, then retry.") from error
    if changed:
        # Its hash and its rows would be of two contents, and the revision never be noticed again.
        raise NotYet(f"{seen.name} changed while it was being read. Retry when it is complete.")
    bars, rejects = checked_bars(raw.frame, session=session)
    aside = pd.concat([raw.rejects, rejects], ignore_index=True)
    if len(aside) > REJECTED_TOLERANCE * max(len(bars), 1):
        reasons = aside["reason"].value_counts().head(3).to_dict()
        raise StepFailed(
            f"{raw.source}: {len(aside)} of {len(bars) + len(aside)} rows could not be taken ({reasons}), more than "
            f"{REJECTED_TOLERANCE:.0%}. The file is not believed: fetch it anew, then retry."
        )
    file = SourceFile(session=session, name=seen.name, size=seen.size, mtime_ns=seen.mtime_ns, sha256=digest)
    bars = followed(bars).sort_values("symbol", ignore_index=True)
    return ReadSession(session, file, bars, aside)


class RenameChain:
    """Walks through sessions in order and finds the renames between neighbours."""

    def __init__(self, context: StepContext) -> None:
        feed = source(context)
        self._official = feed.symbol_changes(context.session)
        self._isins = universe_writer.isins()
        self._known = set(universe_writer.symbols_with_history())
        self._latest: ReadSession | None = None

    def step(self, one: ReadSession) -> pd.DataFrame:
        """Return the renames that take effect with a session (from_symbol, to_symbol, date, proof)."""
        found = renames(one.bars, self._before(one.session), self._known, self._isins, self._official)
        self._known |= set(one.bars["symbol"])
        self._known -= set(found["from_symbol"])
        self._latest = one
        return found

    def _before(self, session: date) -> pd.DataFrame:
        """Return the bars of the session just before: the one read last, unless a stored one lies between."""
        stored = queries.session_before(session)
        if self._latest is not None and (stored is None or stored <= self._latest.session):
            return self._latest.bars
        return queries.bars_frame(stored, stored) if stored else queries.bars_frame(session, session).iloc[:0]


def _changed_symbols(read: Sequence[ReadSession], stored: Container[date]) -> dict[str, date]:
    """Return the symbols whose later indicators what was read changes, with the first day of the change.

    A stored session that was read again changes the symbols whose bar differs; one that arrives after later ones were
    stored changes all of its symbols.
    """
    changed: dict[str, date] = {}
    latest = queries.latest_session()
    for one in read:
        if one.session in stored:
            symbols = _differing(one)
        else:
            symbols = one.bars["symbol"].tolist() if latest and one.session < latest else []
        for symbol in symbols:
            changed.setdefault(str(symbol), one.session)
    return changed


def _differing(one: ReadSession) -> list[str]:
    columns = ["open", "high", "low", "close", "volume", "prev_close", "vwap", "turnover_lakh", "delivered_quantity"]
    old = queries.bars_frame(one.session, one.session).set_index("symbol")[columns].astype("float64")
    new = one.bars.set_index("symbol")[columns].astype("float64")
    both = old.index.union(new.index)
    old, new = old.reindex(both), new.reindex(both)
    return both[~((old == new) | (old.isna() & new.isna())).all(axis=1)].tolist()


def record_bars(context: StepContext, window: WindowOfBars) -> int:
    """Store a window of bars and apply its renames, session by session."""
    run = context.run
    bars = pd.concat([one.bars for one in window.read], ignore_index=True)
    universe_writer.record_seen_symbols(bars, run.id)
    written = market_writer.record_bars(window.read, window.adj_close, run.id)
    for found in window.renamed:
        universe_writer.apply_renames(found, run.id)
        market_writer.rename_corporate_actions(found, run.id)
    add_pending_work(
        run,
        PendingWork(
            loaded=frozenset(window.fresh),
            renamed=frozenset(str(name) for found in window.renamed for name in found["to_symbol"]),
            recompute=window.changed,
            judge_from=min([*window.fresh, *window.changed.values()], default=None),
        ),
    )
    figures = run.summary
    context.summarise(
        sessions=figures.get("sessions", 0) + len(window.read),
        bars=figures.get("bars", 0) + len(bars),
        rejected=figures.get("rejected", 0) + sum(len(one.rejects) for one in window.read),
        renames=figures.get("renames", 0) + sum(len(found) for found in window.renamed),
    )
    return written.total
