"""Steps that compute from stored bars: the indicators, whole or for one evening.

Work is incremental: an evening reads the last rows of each symbol and writes one session. Earlier rows are computed
again only for symbols whose past changed (a revised file, a late event), from the first day that changed.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import pandas as pd

from market_data.prices import adjustments
from market_data.prices.events import empty_events
from market_data.prices.indicators import WARM_UP_ROWS, indicators, indicators_on
from market_data.runs.saga import StepContext
from market_data.steps import collection, factors
from market_data.steps.factors import Factors, loaded_sessions
from market_data.steps.pending import pending_work
from market_data.storage import queries
from market_data.storage import writer as market_writer
from stocks.universe import writer as universe_writer

EVENING_SESSIONS = 5
"""Up to so many new sessions are computed one by one; more of them by groups of symbols."""

ROWS_AT_ONCE = 1_000_000
"""Rows of a group of symbols: what a long load needs of memory does not depend on how long it is."""

_AGAIN = "again "


def indicator_chunks(context: StepContext) -> Sequence[str]:
    """Return what to write piece by piece: an evening's sessions at once, a long load by symbols, then what changed."""
    fresh, changed = loaded_sessions(context), pending_work(context.run).recompute
    context.memo["pieces"] = pieces = {}
    if 0 < len(fresh) <= EVENING_SESSIONS:
        pieces[f"{fresh[0]}..{fresh[-1]}"] = Piece([], fresh)
    elif fresh:
        pieces |= _by_symbols("", universe_writer.symbols_seen_since(fresh[0]), fresh)
    if changed:
        since = min(changed.values())
        pieces |= _by_symbols(_AGAIN, sorted(changed), queries.sessions_between(since, context.session))
    return list(pieces) or [_AGAIN]


class Piece(NamedTuple):
    """Symbols (none: all that traded) and the sessions wanted of them."""

    symbols: list[str]
    sessions: list[date]


def _by_symbols(prefix: str, symbols: list[str], sessions: list[date]) -> dict[str, Piece]:
    size = max(1, ROWS_AT_ONCE // (len(sessions) + WARM_UP_ROWS))
    groups = [symbols[start : start + size] for start in range(0, len(symbols), size)]
    return {f"{prefix}{group[0]}..{group[-1]}": Piece(group, sessions) for group in groups}


def compute_indicators(context: StepContext, label: str) -> pd.DataFrame:
    """Return the indicator frame of an evening's sessions, or of a group of symbols."""
    piece: Piece | None = context.memo["pieces"].get(label)
    if piece is None:
        return indicators(adjustments.adjusted(queries.last_prices([], 0), empty_events(), context.session))
    if not piece.symbols:
        return pd.concat([_evening(session) for session in piece.sessions], ignore_index=True)
    rows = len(piece.sessions) + WARM_UP_ROWS
    prices = queries.last_prices(piece.symbols, rows, before=context.session + timedelta(days=1))
    events = queries.events_frame(context.session, only_factors=True)
    frame = indicators(adjustments.adjusted(prices, events, context.session))
    wanted = frame["date"].isin(pd.to_datetime(piece.sessions))
    if label.startswith(_AGAIN):
        wanted &= frame["date"] >= pd.to_datetime(frame["symbol"].map(pending_work(context.run).recompute))
    return frame.loc[wanted]


def _evening(session: date) -> pd.DataFrame:
    events = queries.events_frame(session, only_factors=True)
    return indicators_on(adjustments.adjusted(queries.recent_prices(session, WARM_UP_ROWS), events, session), session)


def record_indicators(context: StepContext, frame: pd.DataFrame) -> int:
    """Store a window of indicators."""
    return market_writer.record_indicators(frame, context.run.id).total


def step_of_bars(context: StepContext, label: str) -> collection.WindowOfBars | Factors:
    """Read a window of bars, or, after the last one, compute the factors."""
    return factors.compute_factors(context) if label == collection.FACTORS else collection.read_bars(context, label)


def record_step_of_bars(context: StepContext, payload: collection.WindowOfBars | Factors) -> int:
    """Store what `step_of_bars` returned."""
    if isinstance(payload, Factors):
        return factors.record_factors(context, payload)
    return collection.record_bars(context, payload)
