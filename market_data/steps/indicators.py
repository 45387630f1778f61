"""TECHNICAL_INDICATORS: of an evening's sessions, of a whole first load, and again where a symbol's past changed.

Work is incremental: an evening reads the last rows of each symbol and writes one session. Earlier rows are recomputed
only for symbols with pending work (a revised file, a late event), from the first affected date on.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import partial

import pandas as pd

from market_data.prices import adjustments
from market_data.prices.indicators import WARM_UP_ROWS, indicators, indicators_on
from market_data.runs.saga import Chunk, StepContext
from market_data.steps.pending import pending_work
from market_data.storage import queries
from market_data.storage import writer as market_writer
from stocks.universe import writer as universe_writer

EVENING_SESSIONS = 5
"""Up to so many new sessions are computed one by one; more of them by groups of symbols."""

ROWS_AT_ONCE = 1_000_000
"""Rows of a group of symbols: what a long load needs of memory does not depend on how long it is."""


def indicator_chunks(context: StepContext) -> Sequence[Chunk]:
    """Return an evening's sessions at once, or a long load by groups of symbols; then the symbols to recompute."""
    pending, chunks = pending_work(context.run), []
    loaded = sorted(pending.loaded)
    if 0 < len(loaded) <= EVENING_SESSIONS:
        evening = partial(_indicators_of_sessions, sessions=loaded)
        chunks.append(Chunk(f"{loaded[0]}..{loaded[-1]}", evening, record_indicators))
    elif loaded:
        for group in _groups(universe_writer.symbols_traded_since(loaded[0]), len(loaded)):
            compute = partial(_indicators_of_symbols, symbols=group, sessions=loaded)
            chunks.append(Chunk(f"{group[0]}..{group[-1]}", compute, record_indicators))
    if pending.recompute:
        affected = queries.sessions_between(min(pending.recompute.values()), context.session)
        for group in _groups(sorted(pending.recompute), len(affected)):
            compute = partial(_indicators_again, symbols=group, sessions=affected)
            chunks.append(Chunk(f"again {group[0]}..{group[-1]}", compute, record_indicators))
    return chunks


def _groups(symbols: Sequence[str], sessions: int) -> Iterator[Sequence[str]]:
    size = max(1, ROWS_AT_ONCE // (sessions + WARM_UP_ROWS))
    return (symbols[start : start + size] for start in range(0, len(symbols), size))


def _indicators_of_sessions(context: StepContext, sessions: Sequence[date]) -> pd.DataFrame:
    """Return the indicator frame of every symbol that traded on some sessions."""
    frames = []
    for session in sessions:
        events = queries.events_frame(session, only_factors=True)
        prices = queries.recent_prices(session, WARM_UP_ROWS)
        frames.append(indicators_on(adjustments.adjusted(prices, events, session), session))
    return pd.concat(frames, ignore_index=True)


def _indicators_of_symbols(context: StepContext, symbols: Sequence[str], sessions: Sequence[date]) -> pd.DataFrame:
    rows = len(sessions) + WARM_UP_ROWS
    prices = queries.last_prices(symbols, rows, before=context.session + timedelta(days=1))
    events = queries.events_frame(context.session, only_factors=True)
    frame = indicators(adjustments.adjusted(prices, events, context.session))
    return frame[frame["date"].isin(pd.to_datetime(sessions))]


def _indicators_again(context: StepContext, symbols: Sequence[str], sessions: Sequence[date]) -> pd.DataFrame:
    """Return the indicator frame of some symbols, of each from its first affected date on."""
    frame = _indicators_of_symbols(context, symbols, sessions)
    first = pd.to_datetime(frame["symbol"].map(pending_work(context.run).recompute))
    return frame[frame["date"] >= first]


def record_indicators(context: StepContext, frame: pd.DataFrame) -> int:
    """Store a chunk's indicators."""
    return market_writer.record_indicators(frame, context.run.id).total
