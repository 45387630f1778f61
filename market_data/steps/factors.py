"""The factors of a run: which events act, are inferred or settled; which jumps stay unexplained; adjusted closes.

Official events come first and are held against the price of their ex-date; what they do not reach, and the ratios of
demergers, may be inferred from the day's own facts, or settled later by the number of issued shares. An event that
becomes known after its ex-date leaves its symbol's stored indicators to be recomputed from that day on.
"""

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any, NamedTuple

import pandas as pd

from market_data import trading_calendar
from market_data.models import PipelineRun
from market_data.prices import adjustments
from market_data.prices.events import FACTOR_KINDS, SPECIAL_PREOPEN, typed_events
from market_data.prices.inference import OPENING_SOURCES, inferred_events
from market_data.prices.jumps import JUMP_CHECK, JUMP_COLUMNS, jump_sentence, unexplained_jumps
from market_data.prices.openings import HISTORY_ROWS, far_openings
from market_data.prices.share_counts import SETTLED_BY_COUNTS, counted_demergers, settled_jumps
from market_data.quality.checks.check import limit_of
from market_data.runs.saga import StepContext
from market_data.steps.pending import PendingWork, add_pending_work, earliest_dates, pending_work
from market_data.steps.sources import run_provider
from market_data.storage import queries
from market_data.storage import writer as market_writer
from stocks.fundamentals import share_counts
from stocks.universe import writer as universe_writer

# Sizes of what is held in memory at once: a long load needs no more of it than a short one.
_SESSIONS_AT_ONCE, _SYMBOLS_AT_ONCE = 250, 500

FACTOR_RULES = 2
"""Number of the rules of inference: sessions that were checked by earlier ones are all checked once more."""

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
    session, sessions = context.session, _sessions_to_infer_from(context)
    stored = queries.events_frame(session)
    covered, kinds = run_provider(context).official_coverage(), universe_writer.kinds().to_dict()
    # Openings are judged afresh: what was inferred from them before must not explain them now.
    is_open = _is_inferred_on(stored, sessions, covered, kinds)
    days = list(_suspect_days(sessions, stored))
    events = _reconciled(stored[~is_open].reset_index(drop=True), days)
    calendar = trading_calendar.sessions_between(date.min, session)
    new_jumps = [pd.DataFrame(columns=list(JUMP_COLUMNS))]
    for number, (today, history) in enumerate(days, start=1):
        if _follow_each_other(history, today, calendar):
            sizes = share_counts.issue_sizes_around(today["date"].iloc[0].date())
            inferred = _not_among(inferred_events(today, history, covered, events, sizes, kinds), events)
            if len(inferred):
                events = typed_events(pd.concat([events, inferred]))
        new_jumps.append(unexplained_jumps(today, history, events))
        context.report(number, 2 * max(len(days), 1))
    events = _settled_by_counts(events, new_jumps, sessions, session)
    changed, removed = _changed_events(events, stored), _not_among(stored[is_open], events)
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


def _sessions_to_infer_from(context: StepContext) -> list[date]:
    """Return the sessions to check; the first run under new rules checks all that are stored."""
    checked = PipelineRun.objects.filter(options__factor_rules=FACTOR_RULES, is_replay=False)
    if checked.exclude(status=PipelineRun.Status.ROLLED_BACK).exists():
        return sessions_to_check(context)
    return queries.sessions_between(date.min, context.session)


def _is_inferred_on(
    events: pd.DataFrame, sessions: Sequence[date], covered: date | None, kinds: Mapping[Hashable, str]
) -> pd.Series:
    """Whether each event was inferred from the opening of one of the sessions, and no list is complete for it."""
    from_opening = events["source"].isin(OPENING_SOURCES) & events["status"].eq("inferred")
    from_opening &= events["ex_date"].isin(pd.to_datetime(sessions))
    if covered is None:
        return from_opening
    is_covered = (events["ex_date"] <= pd.Timestamp(covered)) & events["source"].ne(SPECIAL_PREOPEN)
    is_company = events["symbol"].isin([symbol for symbol, kind in kinds.items() if kind == "share"])
    return from_opening & ~(is_covered & is_company)


def _follow_each_other(history: pd.DataFrame, today: pd.DataFrame, calendar: Sequence[date]) -> bool:
    """Whether no session of the calendar lies between two stored ones: over a missing file no band holds."""
    first, last = history["date"].max().date(), today["date"].iloc[0].date()
    return not any(first < day < last for day in calendar)


def _not_among(rows: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of an event frame whose key no event has, whatever its status."""
    keys = pd.MultiIndex.from_frame(events[_EVENT_KEY])
    return rows[~pd.MultiIndex.from_frame(rows[_EVENT_KEY]).isin(keys)]


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
    any_row, dates = position.groupby(bars["date"]).first(), bars["date"]
    is_suspect = far_openings(bars, events) & (bars["date"] >= pd.Timestamp(sessions[0]))
    for day, rows in position[is_suspect].groupby(bars["date"]):
        neighbours = any_row[any_row.index < day].iloc[-2 * HISTORY_ROWS :]
        # By date, not by rows: an evening reads no more than these sessions, and of older ones the last row alone.
        since = neighbours.index.min()
        own = [range(max(first_row[row], row - 2 * HISTORY_ROWS), row) for row in rows]
        recent = {row for part in own for row in part if dates[row] >= since or row == part.stop - 1}
        history = sorted(recent | set(neighbours.iloc[-1:]))
        yield bars.loc[rows].reset_index(drop=True), bars.loc[history].reset_index(drop=True)


def _reconciled(stored: pd.DataFrame, days: Sequence[tuple[pd.DataFrame, pd.DataFrame]]) -> pd.DataFrame:
    """Return the events with inferred ones settled by official ones, and those of the days held against the price."""
    official = stored[stored["status"].eq("official")]
    events = adjustments.reconciled_events(stored, official)
    parts = [part for day in days for part in day if len(part)]
    if not parts:
        return events
    bars = pd.concat(parts, ignore_index=True).drop_duplicates(["symbol", "date"])
    return adjustments.checked_events(events, bars)


def _settled_by_counts(
    events: pd.DataFrame, new_jumps: Sequence[pd.DataFrame], sessions: Sequence[date], session: date
) -> pd.DataFrame:
    """Add the events by which the numbers of issued shares explain jumps, earlier ones and those of this run."""
    earlier = queries.jumps_frame(session)
    earlier = earlier[~earlier["date"].isin(pd.to_datetime(sessions))]
    jumps = pd.concat([part for part in (earlier, *new_jumps) if len(part)] or new_jumps, ignore_index=True)
    doubtful = jumps.loc[jumps["reason"].isin(SETTLED_BY_COUNTS), "symbol"].unique().tolist()
    counts = share_counts.share_counts(session, doubtful)
    proven = _without_known(settled_jumps(jumps, counts, session), events)
    return counted_demergers(typed_events(pd.concat([events, proven])), counts, session)


def _without_known(settled: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    known = pd.MultiIndex.from_frame(events.loc[events["kind"].isin(FACTOR_KINDS), ["symbol", "ex_date"]])
    return settled[~pd.MultiIndex.from_frame(settled[["symbol", "ex_date"]]).isin(known)]


def _changed_events(events: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """Return the events that are new, or differ from the stored ones in status, factor or evidence."""
    # The database has its own order of the keys.
    text = partial(json.dumps, sort_keys=True, default=str)
    before = stored[[*_EVENT_KEY, "status", "factor", "evidence"]].assign(evidence=stored["evidence"].map(text))
    after = events.assign(evidence=events["evidence"].map(text))
    both = after.merge(before, on=_EVENT_KEY, how="left", suffixes=("", "_before"))
    same_factor = both["factor"].eq(both["factor_before"]) | (both["factor"].isna() & both["factor_before"].isna())
    same = both["status"].eq(both["status_before"]) & same_factor & both["evidence"].eq(both["evidence_before"])
    return events[~same.to_numpy()]


def _symbols_to_adjust(
    context: StepContext, events: pd.DataFrame, moved: pd.DataFrame, sessions: Sequence[date]
) -> list[str]:
    """Return the symbols whose adjusted closes may change: events due or changed, a rename, a revision."""
    pending = pending_work(context.run)
    priced = events[events["factor"].gt(0)]
    due = priced.iloc[:0]
    if sessions:
        # An ex-date on a day without a session acts on the next one; one that is only announced does not act yet.
        before = queries.session_before(sessions[0]) or date.min
        due = priced[priced["ex_date"].dt.date.gt(before) & priced["ex_date"].le(pd.Timestamp(context.session))]
    arrived = priced[priced["symbol"].isin(pending.events_changed)]
    return sorted({*due["symbol"], *moved["symbol"], *arrived["symbol"], *pending.renamed, *pending.recompute})


def _changed_closes(symbols: Sequence[str], events: pd.DataFrame, session: date) -> pd.DataFrame:
    """Return symbol, date and adj_close (₹) of the bars whose adjusted close differs from the stored one."""
    parts = []
    for start in range(0, max(len(symbols), 1), _SYMBOLS_AT_ONCE):
        stored = queries.closes_frame(symbols[start : start + _SYMBOLS_AT_ONCE], session)
        wanted = adjustments.adj_close(adjustments.adjusted(stored, events, session))
        differs = wanted.ne(stored["adj_close"]) & ~(wanted.isna() & stored["adj_close"].isna())
        parts.append(stored[["symbol", "date"]].assign(adj_close=wanted)[differs])
    return pd.concat(parts, ignore_index=True)


def _symbols_to_recompute(context: StepContext, moved: pd.DataFrame) -> dict[str, date]:
    """Return the symbols whose indicators a new factor invalidates, with the first affected date."""
    pending = pending_work(context.run)
    stored = queries.sessions_before(context.session + timedelta(days=1), len(pending.loaded) + 1)
    computed = max((day for day in stored if day not in pending.loaded), default=None)
    if computed is None:
        return {}
    priced = moved.loc[moved["factor"].notna(), ["symbol", "ex_date"]]
    dates = [(str(symbol), ex_date.date()) for symbol, ex_date in priced.itertuples(index=False, name=None)]
    return earliest_dates(
        (symbol, ex_date) for symbol, ex_date in [*pending.events_changed.items(), *dates] if ex_date <= computed
    )


def _without_settled(jumps: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    acting = events[events["kind"].isin(FACTOR_KINDS) & events["status"].ne("rejected")]
    settled = pd.MultiIndex.from_frame(acting.loc[acting["source"].eq("share_count"), ["symbol", "ex_date"]])
    return jumps[~pd.MultiIndex.from_frame(jumps[["symbol", "date"]]).isin(settled)].reset_index(drop=True)


def record_factors(context: StepContext, factors: Factors) -> int:
    """Store changed events, jumps and adjusted closes, and leave the indicators to recompute as pending work."""
    run = context.run
    market_writer.remove_corporate_actions(factors.removed, run.id)
    market_writer.record_corporate_actions(factors.events, run.id)
    market_writer.remove_findings(JUMP_CHECK, factors.sessions, run.id)
    for day in sorted(factors.jumps["date"].unique()):
        rows = factors.jumps[factors.jumps["date"] == day]
        session = pd.Timestamp(day).date()
        market_writer.record_findings(run.id, session, jump_findings(rows, limit_of(queries.bar_count(session))))
    add_pending_work(run, PendingWork(recompute=factors.recompute))
    run.options = run.options | {"factor_rules": FACTOR_RULES}
    inferred = factors.events.loc[factors.events["status"].eq("inferred"), "source"].value_counts()
    context.summarise(
        inferred_events={str(name): int(count) for name, count in inferred.items()}, price_jumps=len(factors.jumps)
    )
    return market_writer.record_adj_close(factors.adj_close, run.id)


def jump_findings(jumps: pd.DataFrame, limit: int) -> list[dict[str, Any]]:
    """Return a finding per jump of a day; of more than the limit one that blocks the whole day and lists them all."""
    findings = [_jump_finding(row) for row in jumps.itertuples()]
    if len(findings) <= limit:
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
        "remedy": "Add the corporate action that explains it to lists/CF-CA-equities.csv of the archive, or put a newer"
        " list there, and run the pipeline. The symbol stays out of the picks until then, or until the number of shares"
        " explains it.",
        "sample": {
            "ratio": float(row.ratio),
            "reason": row.reason,
            "near_factor": None if pd.isna(row.near_factor) else float(row.near_factor),
        },
    }
