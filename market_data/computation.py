"""Steps that compute from stored bars: the indicators, whole or for one evening.

Work is incremental: an evening reads the last rows of each symbol and writes one session. Earlier rows are computed
again only for symbols whose past changed (a revised file, a late event), from the first day that changed.
"""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from market_data import adjustments, collection, factors, ingest, queries
from market_data.factors import Factors, loaded_sessions
from market_data.indicators import INDICATOR_COLUMNS, WARM_UP_ROWS, indicators, indicators_on
from market_data.saga import StepContext

INDICATOR_WINDOW_SESSIONS = 80
EVENING_SESSIONS = 5
"""Up to so many new sessions are computed one by one from recent rows; more are computed from the first row."""


def indicator_chunks(context: StepContext) -> Sequence[str]:
    """Return windows of sessions to write: one for an evening, windows of eighty for a long load; then what changed."""
    fresh = loaded_sessions(context)
    size = INDICATOR_WINDOW_SESSIONS
    windows = [fresh[start : start + size] for start in range(0, len(fresh), size)]
    context.memo["windows"] = {f"{window[0]}..{window[-1]}": window for window in windows}
    return [*context.memo["windows"], "recompute"]


def compute_indicators(context: StepContext, label: str) -> pd.DataFrame:
    """Return the indicator frame of a window of sessions, or of the symbols whose past changed."""
    if label == "recompute":
        return _recomputed(context)
    window: list[date] = context.memo["windows"][label]
    if len(loaded_sessions(context)) <= EVENING_SESSIONS:
        return pd.concat([_evening(context, session) for session in window], ignore_index=True)
    if "indicators" not in context.memo:
        context.memo["indicators"] = indicators(queries.adjusted_bars(context.session, columns=queries.PRICE_COLUMNS))
    whole: pd.DataFrame = context.memo["indicators"]
    return whole.loc[whole["date"].between(pd.Timestamp(window[0]), pd.Timestamp(window[-1]))]


def _evening(context: StepContext, session: date) -> pd.DataFrame:
    recent = queries.recent_bars(session, WARM_UP_ROWS, queries.PRICE_COLUMNS)
    return indicators_on(adjustments.adjusted(recent, queries.events_frame(session), session), session)


def _recomputed(context: StepContext) -> pd.DataFrame:
    changed: dict[str, str] = context.run.options.get("recompute", {})
    if not changed:
        return pd.DataFrame(columns=["symbol", "date", *INDICATOR_COLUMNS])
    frame = indicators(queries.adjusted_bars(context.session, symbols=sorted(changed), columns=queries.PRICE_COLUMNS))
    since = pd.to_datetime(frame["symbol"].map(changed))
    return frame.loc[frame["date"] >= since]


def record_indicators(context: StepContext, frame: pd.DataFrame) -> int:
    """Store a window of indicators."""
    return ingest.record_indicators(frame, context.run.id).total


def step_of_bars(context: StepContext, label: str) -> collection.WindowOfBars | Factors:
    """Read a window of bars, or, after the last one, compute the factors."""
    return factors.compute_factors(context) if label == collection.FACTORS else collection.read_bars(context, label)


def record_step_of_bars(context: StepContext, payload: collection.WindowOfBars | Factors) -> int:
    """Store what `step_of_bars` returned."""
    if isinstance(payload, Factors):
        return factors.record_factors(context, payload)
    return collection.record_bars(context, payload)
