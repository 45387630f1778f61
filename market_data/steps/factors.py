"""The factors of a run: which events act, are inferred or settled; which jumps stay unexplained; adjusted closes.

Official events come first and are held against the price of their ex-date; what they do not reach may be inferred from
the day's own facts, or settled later by the number of issued shares. An event that becomes known after its ex-date
leaves its symbol's stored indicators to be recomputed from that day on.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import pandas as pd

from market_data.prices import adjustments
from market_data.prices.events import FACTOR_KINDS, typed_events
from market_data.prices.jumps import (
    HISTORY_ROWS,
    JUMP_CHECK,
    JUMP_COLUMNS,
    far_openings,
    inferred_events,
    jump_sentence,
    unexplained_jumps,
)
from market_data.prices.share_counts import SETTLED_BY_COUNTS, settled_jumps
from market_data.quality.checks.check import MOST_SYMBOLS
from market_data.runs.saga import StepContext
from market_data.steps.pending import PendingWork, add_pending_work, earliest_dates, pending_work
from market_data.steps.sources import run_provider
from market_data.storage import queries
from market_data.storage import writer as market_writer
from stocks.fundamentals import share_counts

# Sizes of what is held in memory at once: a long load needs no more of it than a short one.
_SESSIONS_AT_ONCE, _SYMBOLS_AT_ONCE = 250, 500

OPENING_SOURCES = ("price", "isin", "issue_size")
"""Sources of events inferred from a day's opening; those inferred from the number of shares come later."""

_EVENT_KEY = ["symbol", "ex_date", "kind", "purpose"]


class Factors(NamedTuple):
    """What the adjustment of a run changes.

    `events` are new or changed, `removed` were inferred from figures that have been corrected since; earlier jumps of
    the `sessions`, whose openings were checked, no longer count, and `jumps` are those that no event explains.
    `adj_close` has symbol, date, adj_close (₹); `recompute` a symbol's first date of indicators that no longer hold.
    """

    events: pd.DataFrame
    removed: pd.DataFrame
    sessions: list[date]
    jumps: pd.DataFrame
    adj_close: pd.DataFrame
    recompute: dict[str, date]


def compute_factors(context: StepContext) -> Factors:
    """Settle the events known by the session and adjust the closes of the symbols they concern."""
    session, sessions = context.session, sessions_to_check(context)
    stored = queries.events_frame(session)
    covered = run_provider(context).official_coverage()
    # Openings are judged afresh: what was inferred from them before must not explain them now.
    is_open = _is_inferred_on(stored, sessions, covered)
    days = list(_suspect_days(sessions, stored))
    events = _reconciled(stored.loc[~is_open].reset_index(drop=True), days)
    new_jumps = [pd.DataFrame(columns=list(JUMP_COLUMNS))]
    for number, (today, history) in enumerate(days, start=1):
        sizes = share_counts.issue_sizes_around(today["date"].iloc[0].date())
        inferred = inferred_events(today, history, covered, events, sizes)
        if len(inferred):
            events = typed_events(pd.concat([events, inferred]))
        new_jumps.append(unexplained_jumps(today, history, events))
        context.report(number, 2 * max(len(days), 1))
    settled = _settled_by_counts(new_jumps, sessions, session)
    events = typed_events(pd.concat([events, _without_known(settled, events)]))
    changed, removed = _changed_events(events, stored), _missing_events(events, stored.loc[is_open])
    moved = pd.concat([changed, removed]) if len(removed) else changed
    symbols = _symbols_to_adjust(context, events, moved, sessions)
    jumps = _without_settled(pd.concat(new_jumps, ignore_index=True), events)
    context.log("factors", inferred=len(changed), jumps=len(jumps), symbols=len(symbols))
    return Factors(
        events=changed,
        removed=removed,
        sessions=sessions,
        jumps=jumps,
        adj_close=_changed_closes(symbols, events, session),
        recompute=_symbols_to_recompute(context, moved),
    )


def sessions_to_check(context: StepContext) -> list[date]:
    """Return the sessions whose openings this run checks: all from the first one that is new or was revised."""
    first = pending_work(context.run).judge_from
    return queries.sessions_between(first, context.session) if first else []


def _is_inferred_on(events: pd.DataFrame, sessions: Sequence[date], covered: date | None) -> pd.Series:
    """Whether each event was inferred from the opening of one of the sessions, on which no list is complete yet."""
    from_opening = events["source"].isin(OPENING_SOURCES) & events["status"].eq("inferred")
    uncovered = [day for day in sessions if covered is None or day > covered]
    return from_opening & events["ex_date"].isin(pd.to_datetime(uncovered))


def _suspect_days(sessions: Sequence[date], events: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield the sessions with suspect openings: the suspects' bars of the day, and the bars before to judge them by.

    The bars before are the suspects' own, and one of the session just before, which tells gaps from neighbours.
    """
    for start in range(0, len(sessions), _SESSIONS_AT_ONCE):
        yield from _suspect_days_at_once(sessions[start : start + _SESSIONS_AT_ONCE], events)


def _suspect_days_at_once(
    sessions: Sequence[date], events: pd.DataFrame
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    start = min(queries.sessions_before(sessions[0], 2 * HISTORY_ROWS), default=sessions[0])
    parts = [part for part in (queries.last_bars_before(start), queries.bars_frame(start, sessions[-1])) if len(part)]
    bars = pd.concat(parts, ignore_index=True).astype({"symbol": object})
    bars = bars.sort_values(["symbol", "date"], kind="stable", ignore_index=True)
    position = bars.index.to_series()
    first_row = position.groupby(bars["symbol"]).transform("min").to_numpy()
    any_row = position.groupby(bars["date"]).first()
    is_suspect = far_openings(bars, events) & (bars["date"] >= pd.Timestamp(sessions[0]))
    for day, rows in position[is_suspect].groupby(bars["date"]):
        neighbours = any_row[any_row.index < day]
        own = [range(max(first_row[row], row - 2 * HISTORY_ROWS), row) for row in rows]
        history = sorted({*(row for part in own for row in part), *neighbours.iloc[-1:]})
        yield bars.loc[rows].reset_index(drop=True), bars.loc[history].reset_index(drop=True)


def _reconciled(stored: pd.DataFrame, days: Sequence[tuple[pd.DataFrame, pd.DataFrame]]) -> pd.DataFrame:
    """Return the events with inferred ones settled by official ones, and those of the days held against the price."""
    official = stored.loc[stored["status"].eq("official")]
    events = adjustments.reconciled_events(stored, official)
    parts = [part for day in days for part in day if len(part)]
    if not parts:
        return events
    bars = pd.concat(parts, ignore_index=True).drop_duplicates(["symbol", "date"])
    return adjustments.checked_events(events, bars)


def _settled_by_counts(new_jumps: Sequence[pd.DataFrame], sessions: Sequence[date], session: date) -> pd.DataFrame:
    """Return the events by which the numbers of issued shares explain jumps, earlier ones and those of this run."""
    earlier = queries.jumps_frame(session)
    earlier = earlier.loc[~earlier["date"].isin(pd.to_datetime(sessions))]
    jumps = pd.concat([part for part in (earlier, *new_jumps) if len(part)] or new_jumps, ignore_index=True)
    doubtful = jumps.loc[jumps["reason"].isin(SETTLED_BY_COUNTS), "symbol"].unique().tolist()
    return settled_jumps(jumps, share_counts.share_counts(session, doubtful), session)


def _without_known(settled: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    known = pd.MultiIndex.from_frame(events.loc[events["kind"].isin(FACTOR_KINDS), ["symbol", "ex_date"]])
    return settled.loc[~pd.MultiIndex.from_frame(settled[["symbol", "ex_date"]]).isin(known)]


def _changed_events(events: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """Return the events that are new, or differ from the stored ones in status, factor or evidence."""
    before = stored[[*_EVENT_KEY, "status", "factor", "evidence"]].assign(evidence=stored["evidence"].map(str))
    after = events.assign(evidence=events["evidence"].map(str))
    both = after.merge(before, on=_EVENT_KEY, how="left", suffixes=("", "_before"))
    same_factor = both["factor"].eq(both["factor_before"]) | (both["factor"].isna() & both["factor_before"].isna())
    same = both["status"].eq(both["status_before"]) & same_factor & both["evidence"].eq(both["evidence_before"])
    return events.loc[~same.to_numpy()]


def _missing_events(events: pd.DataFrame, inferred: pd.DataFrame) -> pd.DataFrame:
    keys = pd.MultiIndex.from_frame(events[_EVENT_KEY])
    return inferred.loc[~pd.MultiIndex.from_frame(inferred[_EVENT_KEY]).isin(keys)]


def _symbols_to_adjust(
    context: StepContext, events: pd.DataFrame, moved: pd.DataFrame, sessions: Sequence[date]
) -> list[str]:
    """Return the symbols whose adjusted closes may change: events due or changed, a rename, a revision."""
    pending = pending_work(context.run)
    priced = events.loc[events["kind"].isin(FACTOR_KINDS)]
    due = priced.iloc[:0]
    if sessions:
        # An ex-date on a day without a session acts on the next one; one that is only announced does not act yet.
        before = queries.session_before(sessions[0]) or date.min
        due = priced.loc[priced["ex_date"].dt.date.gt(before) & priced["ex_date"].le(pd.Timestamp(context.session))]
    arrived = priced.loc[priced["symbol"].isin(pending.events_changed)]
    return sorted({*due["symbol"], *moved["symbol"], *arrived["symbol"], *pending.renamed, *pending.recompute})


def _changed_closes(symbols: Sequence[str], events: pd.DataFrame, session: date) -> pd.DataFrame:
    """Return symbol, date and adj_close (₹) of the bars whose adjusted close differs from the stored one."""
    parts = []
    for start in range(0, max(len(symbols), 1), _SYMBOLS_AT_ONCE):
        stored = queries.closes_frame(symbols[start : start + _SYMBOLS_AT_ONCE], session)
        wanted = adjustments.adj_close(adjustments.adjusted(stored, events, session))
        differs = wanted.ne(stored["adj_close"]) & ~(wanted.isna() & stored["adj_close"].isna())
        parts.append(stored[["symbol", "date"]].assign(adj_close=wanted).loc[differs])
    return pd.concat(parts, ignore_index=True)


def _symbols_to_recompute(context: StepContext, moved: pd.DataFrame) -> dict[str, date]:
    """Return the symbols whose indicators a new factor invalidates, with the first affected date."""
    pending = pending_work(context.run)
    stored = queries.sessions_before(context.session + timedelta(days=1), len(pending.loaded) + 1)
    computed = max((day for day in stored if day not in pending.loaded), default=None)
    if computed is None:
        return {}
    priced = moved.loc[moved["kind"].isin(FACTOR_KINDS) & moved["factor"].notna(), ["symbol", "ex_date"]]
    dates = [(str(symbol), ex_date.date()) for symbol, ex_date in priced.itertuples(index=False, name=None)]
    return earliest_dates(
        (symbol, ex_date) for symbol, ex_date in [*pending.events_changed.items(), *dates] if ex_date <= computed
    )


def _without_settled(jumps: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    acting = events.loc[events["kind"].isin(FACTOR_KINDS) & events["status"].ne("rejected")]
    settled = pd.MultiIndex.from_frame(acting.loc[acting["source"].eq("share_count"), ["symbol", "ex_date"]])
    return jumps.loc[~pd.MultiIndex.from_frame(jumps[["symbol", "date"]]).isin(settled)].reset_index(drop=True)


def record_factors(context: StepContext, factors: Factors) -> int:
    """Store changed events, jumps and adjusted closes, and leave the indicators to recompute as pending work."""
    run = context.run
    market_writer.remove_corporate_actions(factors.removed, run.id)
    market_writer.record_corporate_actions(factors.events, run.id)
    market_writer.remove_findings(JUMP_CHECK, factors.sessions, run.id)
    for day in sorted(factors.jumps["date"].unique()):
        rows = factors.jumps.loc[factors.jumps["date"] == day]
        market_writer.record_findings(run.id, pd.Timestamp(day).date(), jump_findings(rows))
    add_pending_work(run, PendingWork(recompute=factors.recompute))
    inferred = factors.events.loc[factors.events["status"].eq("inferred"), "source"].value_counts()
    context.summarise(
        inferred_events={str(name): int(count) for name, count in inferred.items()}, price_jumps=len(factors.jumps)
    )
    return market_writer.record_adj_close(factors.adj_close, run.id)


def jump_findings(jumps: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a finding per jump of a day; of many jumps one that blocks the whole day and lists them all."""
    findings = [_jump_finding(row) for row in jumps.itertuples()]
    if len(findings) <= MOST_SYMBOLS:
        return findings
    first = findings[0]
    samples = [{"symbol": finding["symbol"], **finding["sample"]} for finding in findings]
    joint = {
        "severity": "error",
        "symbol": "",
        "message": f"{len(findings)} symbols opened far from their previous level, among them: {first['message']}",
        "remedy": "Compare the day's file, and that of the session before, with the exchange's: the prices of one are"
        " wrong.",
        "sample": {"count": len(findings), "jumps": samples},
    }
    return [first | joint]


def _jump_finding(row: Any) -> dict[str, Any]:
    return {
        "check_name": JUMP_CHECK,
        "severity": "warning",
        "blocks": True,
        "symbol": row.symbol,
        "message": jump_sentence(row),
        "remedy": "Enter the corporate action that explains it, or wait for one: the symbol stays out of the picks"
        " meanwhile.",
        "sample": {
            "ratio": float(row.ratio),
            "reason": row.reason,
            "near_factor": None if pd.isna(row.near_factor) else float(row.near_factor),
        },
    }
