"""The adjustment of a run: which events act or are inferred or settled, which jumps stay unexplained, adjusted closes.

Official events come first and are held against the price of their ex-date; what they do not reach may be inferred from
the day's own facts, or settled later by the number of issued shares. An event that becomes known after its ex-date has
the symbol's stored indicators computed again from that day (`recompute`).
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
    unexplained_jumps,
)
from market_data.prices.share_counts import SETTLED_BY_COUNTS, settled_jumps
from market_data.quality.checks.check import MOST_SYMBOLS
from market_data.runs.saga import StepContext
from market_data.steps import collection
from market_data.steps.pending import PendingWork, add_pending_work, earliest_dates, pending_work
from market_data.storage import queries
from market_data.storage import writer as market_writer
from stocks.fundamentals import share_counts

_SESSIONS_AT_ONCE, _SYMBOLS_AT_ONCE = 250, 500
"""Of a long load, so that what it needs of memory does not depend on how long it is."""

OPENING_GROUNDS = ("price", "isin", "issue_size")
"""Sources of events that were inferred from a day's opening; those by the number of shares are settled later."""


class Factors(NamedTuple):
    """What the adjustment of a run changes.

    Attributes
    ----------
    events
        Events that are new or changed.
    gone
        Events that were inferred from figures which have been corrected since.
    judged
        Sessions whose openings were judged, and so whose earlier jumps do not count any more.
    jumps
        Their jumps that nothing explains.
    adj_close
        symbol, date, adj_close (₹).
    late
        Symbols whose stored indicators must be computed again, with the first day.
    """

    events: pd.DataFrame
    gone: pd.DataFrame
    judged: list[date]
    jumps: pd.DataFrame
    adj_close: pd.DataFrame
    late: dict[str, date]


def compute_factors(context: StepContext) -> Factors:
    """Settle the events known by the session and adjust the closes of the symbols they concern."""
    session, judged = context.session, judged_sessions(context)
    stored = queries.events_frame(session)
    covered = collection.source(context).official_coverage()
    again = _inferred_on(stored, judged, covered)
    days = list(_suspect_days(judged, stored))
    events = _checked(stored.loc[~again].reset_index(drop=True), days)
    found = [pd.DataFrame(columns=list(JUMP_COLUMNS))]
    for number, (today, history) in enumerate(days, start=1):
        sizes = share_counts.issue_sizes_around(today["date"].iloc[0].date())
        events = typed_events(pd.concat([events, inferred_events(today, history, covered, events, sizes)]))
        found.append(unexplained_jumps(today, history, events))
        context.report(number, 2 * max(len(days), 1))
    earlier = queries.jumps_frame(session)
    earlier = earlier.loc[~earlier["date"].isin(pd.to_datetime(judged))]
    jumps = pd.concat([one for one in (earlier, *found) if len(one)] or found, ignore_index=True)
    doubtful = jumps.loc[jumps["reason"].isin(SETTLED_BY_COUNTS), "symbol"].unique().tolist()
    settled = settled_jumps(jumps, share_counts.share_counts(session, doubtful), session)
    events = typed_events(pd.concat([events, _not_yet_in(settled, events)]))
    changed, gone = _changed(events, stored), _missing_from(events, stored.loc[again])
    moved = pd.concat([changed, gone]) if len(gone) else changed
    symbols = _concerned(context, events, moved, judged)
    adj_close = _changed_closes(symbols, events, session)
    new_jumps = _unsettled(pd.concat(found, ignore_index=True), events)
    context.log("factors", inferred=len(changed), jumps=len(new_jumps), symbols=len(symbols))
    late = _late(context, moved)
    return Factors(changed, gone, judged, new_jumps, adj_close, late)


def _changed_closes(symbols: Sequence[str], events: pd.DataFrame, session: date) -> pd.DataFrame:
    """Return symbol, date and adj_close (₹) of the bars whose adjusted close differs from the stored one."""
    parts = []
    for start in range(0, max(len(symbols), 1), _SYMBOLS_AT_ONCE):
        stored = queries.closes_frame(symbols[start : start + _SYMBOLS_AT_ONCE], session)
        wanted = adjustments.adj_close(adjustments.adjusted(stored, events, session))
        differs = wanted.ne(stored["adj_close"]) & ~(wanted.isna() & stored["adj_close"].isna())
        parts.append(stored[["symbol", "date"]].assign(adj_close=wanted).loc[differs])
    return pd.concat(parts, ignore_index=True)


def judged_sessions(context: StepContext) -> list[date]:
    """Return the sessions whose openings this run judges: from the first one that is new or was revised, on."""
    since = pending_work(context.run).judge_from
    return queries.sessions_between(since, context.session) if since else []


def _inferred_on(events: pd.DataFrame, sessions: Sequence[date], covered: date | None) -> pd.Series:
    """Tell which events were inferred from the openings of some sessions that no list covers yet."""
    by_opening = events["source"].isin(OPENING_GROUNDS) & events["status"].eq("inferred")
    open_days = [day for day in sessions if covered is None or day > covered]
    return by_opening & events["ex_date"].isin(pd.to_datetime(open_days))


def _missing_from(events: pd.DataFrame, inferred: pd.DataFrame) -> pd.DataFrame:
    """Return the inferred events that are no longer among the events."""
    key = ["symbol", "ex_date", "kind", "purpose"]
    return inferred.loc[~pd.MultiIndex.from_frame(inferred[key]).isin(pd.MultiIndex.from_frame(events[key]))]


def loaded_sessions(context: StepContext) -> list[date]:
    """Return the sessions this run has loaded for the first time."""
    return sorted(pending_work(context.run).loaded)


def _suspect_days(sessions: Sequence[date], events: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield the sessions with suspect openings: the suspects' bars of the day, and the bars before it to judge them by.

    The bars before are the suspects' own, and one of the session just before, which tells gaps from neighbours.
    """
    for start in range(0, len(sessions), _SESSIONS_AT_ONCE):
        yield from _suspects_of(sessions[start : start + _SESSIONS_AT_ONCE], events)


def _suspects_of(sessions: Sequence[date], events: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    start = min(queries.sessions_before(sessions[0], 2 * HISTORY_ROWS), default=sessions[0])
    parts = [part for part in (queries.last_bars_before(start), queries.bars_frame(start, sessions[-1])) if len(part)]
    bars = pd.concat(parts, ignore_index=True).astype({"symbol": object})
    bars = bars.sort_values(["symbol", "date"], kind="stable", ignore_index=True)
    position = bars.index.to_series()
    first_row = position.groupby(bars["symbol"]).transform("min").to_numpy()
    one_of_day = position.groupby(bars["date"]).first()
    suspect = far_openings(bars, events) & (bars["date"] >= pd.Timestamp(sessions[0]))
    for day, rows in position[suspect].groupby(bars["date"]):
        neighbour = one_of_day[one_of_day.index < day]
        own = [range(max(first_row[row], row - 2 * HISTORY_ROWS), row) for row in rows]
        wanted = sorted({*(row for part in own for row in part), *neighbour.iloc[-1:]})
        yield bars.loc[rows].reset_index(drop=True), bars.loc[wanted].reset_index(drop=True)


def _checked(stored: pd.DataFrame, days: Sequence[tuple[pd.DataFrame, pd.DataFrame]]) -> pd.DataFrame:
    """Settle inferred events by official ones, and hold those of the new days against the price."""
    official = stored.loc[stored["status"].eq("official")]
    events = adjustments.reconciled_events(stored, official)
    parts = [part for day in days for part in day if len(part)]
    if not parts:
        return events
    bars = pd.concat(parts, ignore_index=True).drop_duplicates(["symbol", "date"])
    return adjustments.checked_events(events, bars)


def _not_yet_in(settled: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    known = pd.MultiIndex.from_frame(events.loc[events["kind"].isin(FACTOR_KINDS), ["symbol", "ex_date"]])
    return settled.loc[~pd.MultiIndex.from_frame(settled[["symbol", "ex_date"]]).isin(known)]


def _changed(events: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """Return the events that are new or bear another status, factor or evidence than the stored ones."""
    key = ["symbol", "ex_date", "kind", "purpose"]
    before = stored[[*key, "status", "factor", "evidence"]].assign(evidence=stored["evidence"].map(str))
    joined = events.assign(said=events["evidence"].map(str)).merge(before, on=key, how="left", suffixes=("", "_before"))
    same_factor = joined["factor"].eq(joined["factor_before"]) | (
        joined["factor"].isna() & joined["factor_before"].isna()
    )
    same = joined["status"].eq(joined["status_before"]) & same_factor & joined["said"].eq(joined["evidence_before"])
    return events.loc[~same.to_numpy()]


def _concerned(context: StepContext, events: pd.DataFrame, changed: pd.DataFrame, fresh: Sequence[date]) -> list[str]:
    """Return the symbols whose adjusted closes may change: events due or changed, a rename, a revision."""
    pending = pending_work(context.run)
    priced = events.loc[events["kind"].isin(FACTOR_KINDS)]
    due = priced.iloc[:0]
    if fresh:
        # An ex-date on a day without a session acts on the next one; one that is only announced does not act yet.
        before = queries.session_before(fresh[0]) or date.min
        due = priced.loc[priced["ex_date"].dt.date.gt(before) & priced["ex_date"].le(pd.Timestamp(context.session))]
    arrived = priced.loc[priced["symbol"].isin(pending.events_changed)]
    moved = pending.renamed.union(pending.recompute)
    return sorted({*due["symbol"], *changed["symbol"], *arrived["symbol"], *moved})


def _late(context: StepContext, changed: pd.DataFrame) -> dict[str, date]:
    """Return the symbols of which a new factor concerns sessions computed before this run, with its ex-date."""
    fresh = set(loaded_sessions(context))
    others = queries.sessions_before(context.session + timedelta(days=1), len(fresh) + 1)
    computed = max((day for day in others if day not in fresh), default=None)
    if computed is None:
        return {}
    priced = changed.loc[changed["kind"].isin(FACTOR_KINDS) & changed["factor"].notna(), ["symbol", "ex_date"]]
    concerned = list(pending_work(context.run).events_changed.items())
    concerned += [(str(row["symbol"]), row["ex_date"].date()) for row in priced.to_dict("records")]
    return earliest_dates((symbol, ex_date) for symbol, ex_date in concerned if ex_date <= computed)


def _unsettled(jumps: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    acting = events.loc[events["kind"].isin(FACTOR_KINDS) & events["status"].ne("rejected")]
    settled = pd.MultiIndex.from_frame(acting.loc[acting["source"].eq("share_count"), ["symbol", "ex_date"]])
    return jumps.loc[~pd.MultiIndex.from_frame(jumps[["symbol", "date"]]).isin(settled)].reset_index(drop=True)


def record_factors(context: StepContext, factors: Factors) -> int:
    """Store changed events, jumps and adjusted closes, and note which symbols' indicators must be computed again."""
    run = context.run
    market_writer.remove_corporate_actions(factors.gone, run.id)
    market_writer.record_corporate_actions(factors.events, run.id)
    market_writer.remove_findings(JUMP_CHECK, factors.judged, run.id)
    for day in sorted(factors.jumps["date"].unique()):
        rows = factors.jumps.loc[factors.jumps["date"] == day]
        market_writer.record_findings(run.id, pd.Timestamp(day).date(), _jump_findings(rows))
    add_pending_work(run, PendingWork(recompute=factors.late))
    inferred = factors.events.loc[factors.events["status"].eq("inferred"), "source"].value_counts()
    context.summarise(
        inferred_events={str(name): int(count) for name, count in inferred.items()}, price_jumps=len(factors.jumps)
    )
    return market_writer.record_adj_close(factors.adj_close, run.id)


def _jump_findings(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a finding for each jump of a day; where there are many, one that distrusts the day and keeps them all."""
    jumps = [_jump_finding(row) for row in rows.itertuples()]
    if len(jumps) <= MOST_SYMBOLS:
        return jumps
    together = [{"symbol": one["symbol"], **one["sample"]} for one in jumps]
    message = f"{len(jumps)} symbols opened far from their previous level, among them: {jumps[0]['message']}"
    remedy = "Compare the day's file, and that of the session before, with the exchange's: the prices of one are wrong."
    sample = {"count": len(jumps), "jumps": together}
    return [jumps[0] | {"severity": "error", "symbol": "", "message": message, "remedy": remedy, "sample": sample}]


def _jump_finding(row: Any) -> dict[str, Any]:
    near = "" if pd.isna(row.near_factor) else f", near the simple ratio {row.near_factor:.4g}"
    return {
        "check_name": JUMP_CHECK,
        "severity": "warning",
        "blocks": True,
        "symbol": row.symbol,
        "message": f"{row.symbol} opened on {row.date:%Y-%m-%d} at {row.ratio:.3f} of its previous level"
        f" ({row.reason}{near})",
        "remedy": "Enter the corporate action that explains it, or wait for one: the symbol stays out of the picks"
        " meanwhile.",
        "sample": {
            "ratio": float(row.ratio),
            "reason": row.reason,
            "near_factor": None if pd.isna(row.near_factor) else float(row.near_factor),
        },
    }
