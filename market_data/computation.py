"""Steps that compute from stored bars: factors and adjusted closes, indicators, the session's metrics.

Work is incremental: an evening reads the last rows of each symbol and writes one session. Earlier rows are computed again only
for symbols whose past changed (a revised file, a late event), from the first day that changed.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

import pandas as pd

from market_data import adjustments, collection, ingest, queries
from market_data.corporate_actions import FACTOR_KINDS
from market_data.indicators import WARM_UP_ROWS, indicators, indicators_on
from market_data.price_jumps import HISTORY_ROWS, far_openings, inferred_events, unexplained_jumps
from market_data.saga import StepContext
from stocks import universe

INDICATOR_WINDOW_SESSIONS = 80
EVENING_SESSIONS = 5
"""Up to so many new sessions are computed one by one from recent rows; more are computed from the first row."""


class Factors(NamedTuple):
    """Events inferred, jumps that nothing explains, and adjusted closes that change with them."""

    inferred: pd.DataFrame
    jumps: list[dict[str, Any]]
    adj_close: pd.DataFrame


def loaded_sessions(context: StepContext) -> list[date]:
    """Return the sessions this run has loaded for the first time."""
    return sorted(date.fromisoformat(text) for text in context.run.options.get("loaded", []))


def compute_factors(context: StepContext) -> Factors:
    """Infer what the official list does not reach, flag jumps, and adjust closes of the symbols concerned."""
    session, fresh = context.session, loaded_sessions(context)
    events = queries.events_frame(session)
    feed = collection.source(context)
    covered = feed.official_coverage()
    inferred, jumps = [], []
    days = list(_suspect_days(fresh, events))
    for number, (session_of, today, history) in enumerate(days, start=1):
        known = pd.concat([events, *inferred], ignore_index=True) if inferred else events
        found = inferred_events(today, history, covered, known, universe.issue_sizes_around(session_of))
        if not found.empty:
            inferred.append(found)
            known = pd.concat([known, found], ignore_index=True)
        jumps += [_jump_finding(row) for row in unexplained_jumps(today, history, known).itertuples()]
        context.report(number, 2 * len(days))
    new = pd.concat(inferred, ignore_index=True) if inferred else events.iloc[:0]
    everything = pd.concat([events, new], ignore_index=True)
    symbols = _concerned(context, everything, fresh)
    frame = adjustments.adjusted(queries.bars_frame(end=session, symbols=symbols), everything, session)
    frame["adj_close"] = adjustments.adj_close(frame)
    context.log("factors", inferred=len(new), jumps=len(jumps), symbols=len(symbols))
    return Factors(new, jumps, frame[["symbol", "date", "adj_close"]])


def _suspect_days(sessions: Sequence[date], events: pd.DataFrame) -> Iterator[tuple[date, pd.DataFrame, pd.DataFrame]]:
    """Yield the sessions with suspect openings: the suspects' bars of the day, and the bars before it to judge them by.

    The bars before are the suspects' own, and one of the session just before, which tells gaps from neighbours.
    """
    if not sessions:
        return
    before = [day for day in sorted(queries.loaded_sessions()) if day < sessions[0]][-2 * HISTORY_ROWS :]
    start = before[0] if before else sessions[0]
    bars = pd.concat([queries.last_bars_before(start), queries.bars_frame(start, sessions[-1])], ignore_index=True)
    bars = bars.astype({"symbol": object}).sort_values(["symbol", "date"], kind="stable", ignore_index=True)
    position = bars.index.to_series()
    first_row = position.groupby(bars["symbol"]).transform("min").to_numpy()
    one_of_day = position.groupby(bars["date"]).first()
    eventful = bars.merge(events[["symbol", "ex_date"]], left_on=["symbol", "date"], right_on=["symbol", "ex_date"], how="left")
    suspect = far_openings(bars) | eventful.drop_duplicates(["symbol", "date"])["ex_date"].notna().to_numpy()
    suspect &= bars["date"] >= pd.Timestamp(sessions[0])
    for day, rows in position[suspect].groupby(bars["date"]):
        neighbour = one_of_day[one_of_day.index < day]
        own = [range(max(first_row[row], row - 2 * HISTORY_ROWS), row) for row in rows]
        wanted = sorted({*(row for part in own for row in part), *neighbour.iloc[-1:]})
        yield pd.Timestamp(day).date(), bars.loc[rows].reset_index(drop=True), bars.loc[wanted].reset_index(drop=True)


def _jump_finding(row: Any) -> dict[str, Any]:
    near = "" if pd.isna(row.near_factor) else f", near the simple ratio {row.near_factor:.4g}"
    return {
        "check_name": "price_jump",
        "severity": "warning",
        "blocks": True,
        "symbol": row.symbol,
        "message": f"{row.symbol} opened on {row.date:%Y-%m-%d} at {row.ratio:.3f} of its previous level ({row.reason}{near}).",
        "remedy": "Enter the corporate action that explains it, or wait: the symbol stays out of the picks meanwhile.",
        "sample": {"ratio": round(float(row.ratio), 6), "reason": row.reason, "date": f"{row.date:%Y-%m-%d}"},
    }


def _concerned(context: StepContext, events: pd.DataFrame, fresh: Sequence[date]) -> list[str]:
    """Return the symbols whose adjusted closes may change: new events, a rename, a revision."""
    options = context.run.options
    priced = events.loc[events["kind"].isin(FACTOR_KINDS)]
    due = priced.loc[priced["ex_date"] >= pd.Timestamp(fresh[0])] if fresh else priced.iloc[:0]
    symbols = {*due["symbol"], *options.get("renamed", []), *options.get("recompute", {}), *options.get("events_changed", [])}
    return sorted(map(str, symbols))


def record_factors(context: StepContext, factors: Factors) -> int:
    """Store inferred events, jumps and adjusted closes."""
    run_id = context.run.id
    ingest.record_corporate_actions(factors.inferred, run_id)
    by_day: dict[str, list[dict[str, Any]]] = {}
    for jump in factors.jumps:
        by_day.setdefault(jump["sample"]["date"], []).append(jump)
    ingest.clear_findings(run_id, "price_jump")
    for day, jumps in by_day.items():
        ingest.record_findings(run_id, date.fromisoformat(day), jumps)
    context.summarise(inferred_events=len(factors.inferred), price_jumps=len(factors.jumps))
    return ingest.record_adj_close(factors.adj_close, run_id)


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
        context.memo["indicators"] = indicators(queries.adjusted_bars(context.session))
    whole: pd.DataFrame = context.memo["indicators"]
    return whole.loc[whole["date"].between(pd.Timestamp(window[0]), pd.Timestamp(window[-1]))]


def _evening(context: StepContext, session: date) -> pd.DataFrame:
    recent = queries.recent_bars(session, WARM_UP_ROWS)
    return indicators_on(adjustments.adjusted(recent, queries.events_frame(session), session), session)


def _recomputed(context: StepContext) -> pd.DataFrame:
    changed: dict[str, str] = context.run.options.get("recompute", {})
    if not changed:
        return indicators(queries.adjusted_bars(context.session, symbols=[]))
    frame = indicators(queries.adjusted_bars(context.session, symbols=sorted(changed)))
    since = pd.to_datetime(frame["symbol"].map(changed))
    return frame.loc[frame["date"] >= since]


def record_indicators(context: StepContext, frame: pd.DataFrame) -> int:
    """Store a window of indicators."""
    return ingest.record_indicators(frame, context.run.id).total


def step_of_bars(context: StepContext, label: str) -> "collection.WindowOfBars | Factors":
    """Read a window of bars, or, after the last one, compute the factors."""
    return compute_factors(context) if label == collection.FACTORS else collection.read_bars(context, label)


def record_step_of_bars(context: StepContext, payload: "collection.WindowOfBars | Factors") -> int:
    """Store what `step_of_bars` returned."""
    if isinstance(payload, Factors):
        return record_factors(context, payload)
    return collection.record_bars(context, payload)
