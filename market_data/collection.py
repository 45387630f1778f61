"""Steps that collect: the symbol master, the universe, and the daily bars with their renames.

Each step computes outside any transaction and records inside one. What later steps must redo because an earlier day changed
is kept in the run's options (`recompute`: symbol → first day), committed together with the change itself.
"""

from collections.abc import Sequence
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd
from django.utils import timezone

from market_data import adjustments, ingest, queries, trading_calendar
from market_data.bars import checked_bars
from market_data.ingest import ReadSession
from market_data.models import SourceFile
from market_data.providers import NotOffered, Provider, ProviderError, provider
from market_data.saga import StepContext, StepFailed
from stocks import statements, universe
from stocks.renames import renames

SESSIONS_A_CHUNK = 40
FACTORS = "factors"
REJECTED_TOLERANCE = 0.05
"""Share of a session's rows that may be kept aside before the file is not believed."""


def source(context: StepContext) -> Provider:
    """Return the run's provider, built once."""
    return context.once("provider", lambda: provider(context.run.provider))


def as_of(context: StepContext) -> date:
    """Return the run's session, or the day it was created on where it stands for none."""
    return context.run.session or timezone.localdate(context.run.created_at)


class Master(NamedTuple):
    """What the provider says of the market as of a session."""

    listed: pd.DataFrame
    events: pd.DataFrame
    facts: dict[date, pd.DataFrame]
    days: pd.DataFrame
    findings: list[dict[str, Any]]


def read_symbol_master(context: StepContext, _: str) -> Master:
    """Ask the provider for its lists: symbols, official corporate actions, market days, and facts of the latest sessions."""
    feed, session = source(context), as_of(context)
    stored = queries.loaded_sessions()
    new = [day for day in feed.sessions(None, session) if day not in stored]
    facts = {day: feed.daily_facts(day) for day in {*new, session}}
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
    trading_calendar.record_market_days(master.days, source(context).calendar)
    changed = ingest.record_corporate_actions(master.events, run_id)
    if changed.total:
        context.run.options["events_changed"] = ingest.symbols_of_events(run_id)
    for day, facts in master.facts.items():
        universe.record_facts(facts, day, run_id)
    ingest.clear_findings(run_id, *{finding["check_name"] for finding in master.findings})
    ingest.record_findings(run_id, context.run.session, master.findings)
    context.memo["listed"] = master.listed
    return universe.record_symbols(master.listed, run_id, as_of(context)).total


def read_universe(context: StepContext, _: str) -> pd.DataFrame | None:
    """Ask for the provider's own statements, where it has some; the universe itself came with the symbol master."""
    try:
        return source(context).statements(context.session)
    except NotOffered:
        return None


def record_universe(context: StepContext, found: pd.DataFrame | None) -> int:
    """Store the provider's statements and count the universe by kind."""
    written = 0 if found is None else statements.record_statements(found, context.run.id).total
    universe.record_screened(context.session, context.run.id)
    kinds = {str(kind): int(count) for kind, count in universe.kinds().value_counts().items()}
    context.summarise(universe=kinds, **({"statements": written} if found is not None else {}))
    return sum(kinds.values())


class WindowOfBars(NamedTuple):
    """Sessions as read, their adjusted closes, the renames between them, and the symbols a revision changed."""

    read: list[ReadSession]
    adj_close: pd.Series
    renamed: list[pd.DataFrame]
    revised: dict[str, date]


def bar_chunks(context: StepContext) -> Sequence[str]:
    """Return the windows of sessions that are missing or whose file changed, then the adjustment."""
    todo = _sessions_to_read(context)
    windows = [todo[start : start + SESSIONS_A_CHUNK] for start in range(0, len(todo), SESSIONS_A_CHUNK)]
    context.memo["windows"] = {f"{window[0]}..{window[-1]}": window for window in windows}
    return [*context.memo["windows"], FACTORS]


def _sessions_to_read(context: StepContext) -> list[date]:
    feed, stored = source(context), queries.loaded_sessions()
    offered = feed.sessions(None, context.session)
    if context.session not in offered and context.session not in stored:
        raise StepFailed(
            f"{feed.name} has no bars for {context.session} (its latest session is {offered[-1] if offered else 'none'}); "
            "put the day's file in place, or pass --date with a session it has."
        )
    return [day for day in offered if day not in stored or _changed(feed, stored[day])]


def _changed(feed: Provider, stored: SourceFile) -> bool:
    seen = feed.fingerprint(stored.session)
    if (seen.name, seen.size, seen.mtime_ns) == (stored.name, stored.size, stored.mtime_ns):
        return False
    return seen.sha256 != stored.sha256


def read_bars(context: StepContext, label: str) -> WindowOfBars:
    """Read and check a window of sessions, and find its renames."""
    window: list[date] = context.memo["windows"][label]
    read = []
    for number, session in enumerate(window, start=1):
        read.append(_read_session(source(context), session))
        context.report(number, len(window))
    bars = pd.concat([one.bars for one in read], ignore_index=True)
    events = queries.events_frame(context.session)
    factors = adjustments.adjusted(bars, events, context.session)
    rejected = sum(len(one.rejects) for one in read)
    context.log("bars read", sessions=len(read), bars=len(bars), rejected=rejected)
    chain = RenameChain(context)
    return WindowOfBars(
        read=read,
        adj_close=adjustments.adj_close(factors),
        renamed=[found for one in read if not (found := chain.step(one)).empty],
        revised=_revised_symbols(read),
    )


def _read_session(feed: Provider, session: date) -> ReadSession:
    try:
        seen, raw = feed.fingerprint(session), feed.bars(session)
    except ProviderError as error:
        raise StepFailed(str(error)) from error
    bars, rejects = checked_bars(raw.frame, session=session)
    aside = pd.concat([raw.rejects, rejects], ignore_index=True)
    if len(aside) > REJECTED_TOLERANCE * max(len(bars), 1):
        reasons = aside["reason"].value_counts().head(3).to_dict()
        raise StepFailed(
            f"{raw.source}: {len(aside)} of {len(bars) + len(aside)} rows could not be taken ({reasons}), more than "
            f"{REJECTED_TOLERANCE:.0%}. The file is not believed: fetch it anew, then retry."
        )
    file = SourceFile(session=session, name=seen.name, size=seen.size, mtime_ns=seen.mtime_ns, sha256=seen.sha256)
    return ReadSession(session, file, bars, aside)


class RenameChain:
    """Walks through sessions in order and finds the renames between neighbours."""

    def __init__(self, context: StepContext) -> None:
        feed = source(context)
        self._official = feed.symbol_changes(context.session)
        self._isins = universe.isins()
        self._known = set(universe.symbols_with_history())
        self._yesterday: pd.DataFrame | None = None

    @cached_property
    def _stored(self) -> list[date]:
        return sorted(queries.loaded_sessions())

    def step(self, one: ReadSession) -> pd.DataFrame:
        """Return the renames that take effect with a session (from_symbol, to_symbol, date, proof)."""
        yesterday = self._yesterday if self._yesterday is not None else self._stored_before(one.session)
        found = renames(one.bars, yesterday, self._known, self._isins, self._official)
        self._known |= set(one.bars["symbol"])
        self._known -= set(found["from_symbol"])
        self._yesterday = one.bars
        return found

    def _stored_before(self, session: date) -> pd.DataFrame:
        earlier = [day for day in self._stored if day < session]
        return queries.bars_frame(earlier[-1], earlier[-1]) if earlier else queries.bars_frame(session, session).iloc[:0]


def _revised_symbols(read: Sequence[ReadSession]) -> dict[str, date]:
    """Return the symbols whose stored bar of a re-read session differs from what was read, with that session."""
    changed: dict[str, date] = {}
    stored = queries.loaded_sessions()
    columns = ["open", "high", "low", "close", "volume", "prev_close", "vwap", "turnover_lakh", "delivered_quantity"]
    for one in read:
        if one.session not in stored:
            continue
        old = queries.bars_frame(one.session, one.session).set_index("symbol")[columns].astype("float64")
        new = one.bars.set_index("symbol")[columns].astype("float64")
        both = old.index.union(new.index)
        old, new = old.reindex(both), new.reindex(both)
        differs = ~((old == new) | (old.isna() & new.isna())).all(axis=1)
        for symbol in both[differs]:
            changed.setdefault(str(symbol), one.session)
    return changed


def record_bars(context: StepContext, window: WindowOfBars) -> int:
    """Store a window of bars and apply its renames, session by session."""
    run = context.run
    bars = pd.concat([one.bars for one in window.read], ignore_index=True)
    universe.record_seen_symbols(bars, run.id)
    written = ingest.record_bars(window.read, window.adj_close, run.id)
    renamed = list(run.options.get("renamed", []))
    for found in window.renamed:
        universe.apply_renames(found, run.id)
        renamed += found["to_symbol"].astype(str).tolist()
    recompute = dict(run.options.get("recompute", {}))
    for symbol, day in window.revised.items():
        recompute[symbol] = min(recompute.get(symbol, "9999-12-31"), day.isoformat())
    fresh = [one.session.isoformat() for one in window.read if not window.revised or one.session not in window.revised.values()]
    run.options |= {"renamed": renamed, "recompute": recompute, "loaded": [*run.options.get("loaded", []), *fresh]}
    figures = run.summary
    context.summarise(
        sessions=figures.get("sessions", 0) + len(window.read),
        bars=figures.get("bars", 0) + len(bars),
        rejected=figures.get("rejected", 0) + sum(len(one.rejects) for one in window.read),
        renames=figures.get("renames", 0) + sum(len(found) for found in window.renamed),
    )
    return written.total

