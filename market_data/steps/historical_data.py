"""HISTORICAL_DATA: daily bars with their renames, in windows of sessions, and after the last one the factors.

Read are the sessions that are missing and those whose file changed. A window is checked outside any transaction and
recorded, its renames included, inside one; what later steps must do because of it is pending work.
"""

from collections.abc import Container, Sequence
from datetime import date
from functools import partial
from typing import NamedTuple

import pandas as pd

from market_data.models import SourceFile
from market_data.prices import adjustments
from market_data.prices.bars import FINAL, checked_bars
from market_data.providers import Provider
from market_data.runs.saga import Chunk, NotYet, StepContext, StepFailed
from market_data.steps.factors import compute_factors, record_factors
from market_data.steps.pending import PendingWork, add_pending_work
from market_data.steps.sources import require_bars, run_provider
from market_data.storage import queries
from market_data.storage import writer as market_writer
from market_data.storage.writer import ReadSession
from stocks.universe import writer as universe_writer
from stocks.universe.renames import renames
from stocks.universe.symbols import follow_renames

SESSIONS_PER_CHUNK = 40

REJECTED_TOLERANCE = 0.05
"""Share of a session's rows that may be rejected before the whole file is."""

_COMPARED = ("open", "high", "low", "close", "volume", "prev_close", "vwap", "turnover_lakh", "delivered_quantity")
"""Columns of a bar that make a re-read session a revised one."""


def bar_chunks(context: StepContext) -> Sequence[Chunk]:
    """Return windows of the sessions to read, then the factors."""
    sessions = _sessions_to_read(context)
    windows = [sessions[start : start + SESSIONS_PER_CHUNK] for start in range(0, len(sessions), SESSIONS_PER_CHUNK)]
    chunks = [Chunk(f"{days[0]}..{days[-1]}", partial(read_window, window=days), record_window) for days in windows]
    return [*chunks, Chunk("factors", compute_factors, record_factors)]


def _sessions_to_read(context: StepContext) -> list[date]:
    source, stored = run_provider(context), queries.source_files()
    require_bars(context, source)
    offered = source.sessions(None, context.session)
    return [session for session in offered if session not in stored or _is_revised(source, stored[session])]


def _is_revised(source: Provider, stored: SourceFile) -> bool:
    """Whether a stored session's source has another content now; a mere copy is noted, and not compared again."""
    current = source.fingerprint(stored.session)
    if (current.name, current.size, current.mtime_ns) == (stored.name, stored.size, stored.mtime_ns):
        return False
    if current.sha256 != stored.sha256:
        return True
    market_writer.record_same_content(stored.session, current.name, current.size, current.mtime_ns)
    return False


class WindowOfBars(NamedTuple):
    """What a window of sessions, ascending, brings.

    `sessions` are final, `adj_close` (₹) is that of all their bars in order; `renames` has a frame (from_symbol,
    to_symbol, date, proof) per session that has any, `changed` the first date from which a symbol's stored indicators
    no longer hold. `first_loads` were not stored before as final. On `provisional` sessions nothing is computed.
    """

    sessions: list[ReadSession]
    adj_close: pd.Series
    renames: list[pd.DataFrame]
    changed: dict[str, date]
    first_loads: list[date]
    provisional: list[ReadSession]


def read_window(context: StepContext, window: Sequence[date]) -> WindowOfBars:
    """Read and check some sessions, ascending, and find their renames."""
    stored = set(queries.sessions_between(window[0], window[-1]))
    every = []
    for number, session in enumerate(window, start=1):
        every.append(read_session(run_provider(context), session))
        context.report(number, len(window))
    sessions = [read for read in every if read.file.status == FINAL]
    # What the exchange published stays, should its file be gone.
    provisional = [read for read in every if read.file.status != FINAL and read.session not in stored]
    rejected = sum(len(read.rejects) for read in every)
    context.log("bars read", sessions=len(every), bars=sum(len(read.bars) for read in every), rejected=rejected)
    chain = RenameChain(context)
    renamed = [chain.renames_of(read) for read in sessions]
    return WindowOfBars(
        sessions=sessions,
        adj_close=_adj_close(context, sessions),
        renames=[frame for frame in renamed if not frame.empty],
        changed=_changed_symbols(sessions, stored),
        first_loads=[read.session for read in sessions if read.session not in stored],
        provisional=provisional,
    )


def _adj_close(context: StepContext, sessions: Sequence[ReadSession]) -> pd.Series:
    """Return the adjusted closes (₹) of the bars of some sessions in order."""
    if not sessions:
        return pd.Series(dtype="float64")
    bars = pd.concat([read.bars for read in sessions], ignore_index=True)
    events = queries.events_frame(context.session, only_factors=True)
    return adjustments.adj_close(adjustments.adjusted(bars, events, context.session))


def read_session(source: Provider, session: date) -> ReadSession:
    """Read one session's bars and check them.

    Raises
    ------
    NotYet
        When the file is being written meanwhile.
    StepFailed
        When it cannot be read, or too many of its rows are rejected.
    """
    try:
        before = source.fingerprint(session)
        digest, raw = before.sha256, source.bars(session)
        after = source.fingerprint(session)
    except OSError as error:
        sentence = f"The file of {session} could not be read: {error}. Make it readable, then retry."
        raise StepFailed(sentence, runbook="file-refused") from error
    if after != before:
        # Hash and rows could be of two contents, and the revision would never be noticed again.
        sentence = f"{before.name} changed while it was being read. Retry when it is complete."
        raise NotYet(sentence, runbook="file-refused")
    bars, rejects = checked_bars(raw.frame, session=session)
    rejects = pd.concat([raw.rejects, rejects], ignore_index=True)
    if len(rejects) > REJECTED_TOLERANCE * max(len(bars), 1):
        reasons = rejects["reason"].value_counts().head(3).to_dict()
        raise StepFailed(
            f"{raw.source}: {len(rejects)} of {len(bars) + len(rejects)} rows were rejected ({reasons}), more than "
            f"{REJECTED_TOLERANCE:.0%}. The whole file is rejected: download it again, then retry.",
            runbook="file-refused",
        )
    identity = {"name": before.name, "size": before.size, "mtime_ns": before.mtime_ns, "sha256": digest}
    file = SourceFile(session=session, status=raw.status, **identity)
    return ReadSession(session, file, follow_renames(bars).sort_values("symbol", ignore_index=True), rejects)


class RenameChain:
    """Finds the renames between neighbouring sessions; give it the sessions in order."""

    def __init__(self, context: StepContext) -> None:
        self._official = run_provider(context).symbol_changes(context.session)
        self._isins = universe_writer.isins()
        self._known = set(universe_writer.symbols_with_history())
        self._previous: ReadSession | None = None

    def renames_of(self, read: ReadSession) -> pd.DataFrame:
        """Return the renames that take effect with a session (from_symbol, to_symbol, date, proof)."""
        frame = renames(read.bars, self._bars_before(read.session), self._known, self._isins, self._official)
        self._known |= set(read.bars["symbol"])
        self._known -= set(frame["from_symbol"])
        self._previous = read
        return frame

    def _bars_before(self, session: date) -> pd.DataFrame:
        """Return the bars of the session just before: the one read last, unless a stored one lies between."""
        stored = queries.session_before(session)
        if self._previous is not None and (stored is None or stored <= self._previous.session):
            return self._previous.bars
        return queries.bars_frame(stored, stored) if stored else queries.bars_frame(session, session).iloc[:0]


def _changed_symbols(sessions: Sequence[ReadSession], stored: Container[date]) -> dict[str, date]:
    """Return the symbols whose later indicators no longer hold, with the first date of the change.

    A stored session that was read again changes the symbols whose bar differs; one that arrives after later ones were
    stored changes all of its symbols.
    """
    changed: dict[str, date] = {}
    latest = queries.latest_session()
    for read in sessions:
        if read.session in stored:
            symbols = _symbols_that_differ(read)
        else:
            symbols = read.bars["symbol"].tolist() if latest and read.session < latest else []
        for symbol in symbols:
            changed.setdefault(str(symbol), read.session)
    return changed


def _symbols_that_differ(read: ReadSession) -> list[str]:
    columns = list(_COMPARED)
    old = queries.bars_frame(read.session, read.session).set_index("symbol")[columns].astype("float64")
    new = read.bars.set_index("symbol")[columns].astype("float64")
    both = old.index.union(new.index)
    old, new = old.reindex(both), new.reindex(both)
    return both[~((old == new) | (old.isna() & new.isna())).all(axis=1)].tolist()


def record_window(context: StepContext, window: WindowOfBars) -> int:
    """Store a window of bars, final and provisional, and apply the renames of the final ones, session by session."""
    run = context.run
    written = _record_provisional(context, window.provisional)
    if window.sessions:
        bars = pd.concat([read.bars for read in window.sessions], ignore_index=True)
        universe_writer.record_traded_symbols(bars, run.id)
        written += market_writer.record_bars(window.sessions, window.adj_close, run.id).total
    for frame in window.renames:
        universe_writer.apply_renames(frame, run.id)
        market_writer.rename_corporate_actions(frame, run.id)
    if window.renames:
        market_writer.recount_symbols()
    add_pending_work(
        run,
        PendingWork(
            loaded=frozenset(window.first_loads),
            renamed=frozenset(str(symbol) for frame in window.renames for symbol in frame["to_symbol"]),
            recompute=window.changed,
            judge_from=min([*window.first_loads, *window.changed.values()], default=None),
        ),
    )
    counts = {
        "sessions": len(window.sessions),
        "bars": sum(len(read.bars) for read in window.sessions),
        "rejected": sum(len(read.rejects) for read in (*window.sessions, *window.provisional)),
        "renames": sum(map(len, window.renames)),
    }
    if window.provisional:
        counts |= {"provisional_bars": sum(len(read.bars) for read in window.provisional)}
    context.summarise(**{name: run.summary.get(name, 0) + count for name, count in counts.items()})
    return written


def _record_provisional(context: StepContext, sessions: Sequence[ReadSession]) -> int:
    """Store a vendor's bars: they are shown, and nothing is computed on them until the exchange's replace them."""
    if not sessions:
        return 0
    symbols = {str(symbol) for read in sessions for symbol in read.bars["symbol"]}
    universe_writer.record_names(symbols, context.run.id)
    return market_writer.record_bars(sessions, _adj_close(context, sessions), context.run.id).total
