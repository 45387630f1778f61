"""Steps that complete the day: its metrics, what was missing in them, the ratios from statements, its validation."""

from datetime import date, timedelta
from typing import Any, NamedTuple

import pandas as pd
from django.conf import settings

from market_data import adjustments, factors, ingest, quality, queries, trading_calendar, volatility
from market_data.indicators import WARM_UP_ROWS, indicators_on
from market_data.models import Finding
from market_data.saga import StepContext, StepFailed
from stocks import latest_facts, universe
from stocks.metrics import session_metrics

QUARANTINE_SESSIONS = 20
"""How long a blocking finding keeps its symbol out of the picks."""

JUMP_SESSIONS = 252
"""How long a jump that nothing explains does: averages and volatility look back that far across it."""

TURNOVER_SESSIONS = 20

_METRIC_SESSIONS = volatility.SESSIONS_PER_YEAR + 1
"""A year of returns, and the session before the first of them."""


def session_frame(session: date) -> pd.DataFrame:
    """Return the metrics of every symbol that traded on a session, from stored bars and dated facts.

    Point in time: bars, indicators, events, statements and snapshots known at the close of the session, nothing later.
    """
    events = queries.events_frame(session, only_factors=True)
    recent = adjustments.adjusted(queries.window_bars(session, _METRIC_SESSIONS), events, session)
    kinds, jumps = universe.kinds(), queries.unsettled_jumps(session, events)
    return session_metrics(
        session,
        recent.loc[recent["date"] == pd.Timestamp(session)].reset_index(drop=True),
        queries.indicator_frame(session),
        _from_history(recent, session, set(kinds.index[kinds == "share"]), jumps),
        latest_facts.latest_statements(session),
        latest_facts.latest_snapshots(session),
        latest_facts.latest_facts(session),
        adjustments.effective_events(events, session),
        kinds=kinds,
        quarantined=quarantined(session, jumps),
        simulated=settings.PROVIDER_KIND == "simulated",
    )


def _from_history(recent: pd.DataFrame, session: date, shares: set[str], jumps: pd.DataFrame) -> pd.DataFrame:
    """Return what takes more than a day's bars: symbol, volatility, beta, average volume, median turnover (₹ lakh)."""
    frame = volatility.metrics(recent, session, shares=shares, jumps=jumps)
    since = pd.Timestamp(
        trading_calendar.sessions_between(session - timedelta(days=60), session)[-TURNOVER_SESSIONS:][0]
    )
    last = recent.loc[recent["date"] >= since].groupby("symbol")["turnover_lakh"]
    frame["turnover_median_20"] = last.median().where(last.count() >= TURNOVER_SESSIONS // 2)
    return frame.reset_index(names="symbol")


def quarantined(session: date, jumps: pd.DataFrame) -> set[str]:
    """Return the symbols kept out of the picks: a blocking finding of the month, an unexplained jump of the year."""
    days = trading_calendar.sessions_between(session - timedelta(days=400), session)
    found = Finding.objects.filter(session__in=days[-QUARANTINE_SESSIONS:], blocks=True).exclude(
        check_name=factors.JUMP_CHECK
    )
    recent = jumps.loc[jumps["date"] >= pd.Timestamp(days[-JUMP_SESSIONS:][0])]
    return {*found.exclude(symbol="").values_list("symbol", flat=True), *recent["symbol"]}


def compute_metrics(context: StepContext, _: str) -> pd.DataFrame:
    """Return the session's metrics."""
    return session_frame(context.session)


def record_metrics(context: StepContext, frame: pd.DataFrame) -> int:
    """Store the metrics, and make `stocks` their latest row."""
    written = universe.record_metrics(frame, context.session, context.run.id)
    universe.refresh_stocks(context.session, context.run.id)
    context.summarise(tradable=int(frame["tradable"].sum()), coverage=_coverage(frame))
    return written.total


def _coverage(frame: pd.DataFrame) -> dict[str, str]:
    """Return the percentage of tradable shares that have a figure, for the columns a reader asks about first."""
    shares = frame.loc[frame["tradable"]]
    columns = ("market_cap", "pe_ratio", "pb_ratio", "roe", "beta", "revenue_growth", "debt_to_equity")
    return {column: f"{shares[column].notna().mean():.0%}" for column in columns} if len(shares) else {}


class Filled(NamedTuple):
    """Rows that were missing and the metrics as they should be."""

    indicators: pd.DataFrame
    metrics: pd.DataFrame


def compute_missing(context: StepContext, _: str) -> Filled:
    """Compute again what the session lacks, with the pipeline's own functions."""
    session = context.session
    if queries.latest_session() is None:
        raise StepFailed("There are no bars yet; run the pipeline first.")
    missing = queries.symbols_without_indicators(session)
    prices = queries.last_prices(missing, WARM_UP_ROWS, before=session + timedelta(days=1))
    bars = adjustments.adjusted(prices, queries.events_frame(session, only_factors=True), session)
    return Filled(
        indicators_on(bars, session) if missing else queries.indicator_frame(session).iloc[:0], session_frame(session)
    )


def record_missing(context: StepContext, filled: Filled) -> int:
    """Write what was NULL or absent, and count it by column."""
    indicators = ingest.record_indicators(filled.indicators, context.run.id).inserted
    by_column = universe.fill_metrics(filled.metrics, context.session, context.run.id)
    universe.refresh_stocks(context.session, context.run.id)
    context.summarise(
        filled={"indicators": indicators, **by_column} if indicators or by_column else "nothing was missing"
    )
    return indicators + sum(by_column.values())


def compute_ratios(context: StepContext, _: str) -> pd.DataFrame:
    """Return the session's metrics with the ratios from the statements published by now."""
    return session_frame(context.session)


def record_ratios(context: StepContext, frame: pd.DataFrame) -> int:
    """Store the ratios where they changed."""
    changed = universe.record_metrics(frame, context.session, context.run.id).total
    universe.refresh_stocks(context.session, context.run.id)
    context.summarise(rows_changed=changed, coverage=_coverage(frame))
    return changed


def check(context: StepContext, _: str) -> list[dict[str, Any]]:
    """Run the checks on the session."""
    return quality.findings_of(context.session, context.report)


def record_check(context: StepContext, findings: list[dict[str, Any]]) -> int:
    """Keep the findings and count them by severity; a blocking one of the day makes the selection abstain."""
    if not context.run.is_replay:
        ingest.clear_findings(context.run.id, *(one.name for one in quality.CHECKS))
        ingest.record_findings(context.run.id, context.session, findings)
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding["severity"]] = counts.get(finding["severity"], 0) + 1
    day = [finding["message"] for finding in findings if finding["blocks"] and not finding["symbol"]]
    context.summarise(findings=counts or "none", day_blocked=day or "no")
    return len(findings)
