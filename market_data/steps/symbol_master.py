"""SYMBOL_MASTER and STOCKS: what the provider lists, and the universe it makes.

SYMBOL_MASTER first lets the provider download what is missing, so it is also where an evening waits for the exchange.
"""

from datetime import date, timedelta
from typing import Any, NamedTuple

import pandas as pd
from django.conf import settings

from market_data import trading_calendar
from market_data.providers import NotOffered, Provider, SessionNotAvailable, SourceCheck
from market_data.runs.saga import NotYet, StepContext
from market_data.steps.pending import PendingWork, add_pending_work, take_over_pending_work
from market_data.steps.sources import as_of, require_bars, run_provider
from market_data.storage import queries
from market_data.storage import writer as market_writer
from stocks.fundamentals import writer as fundamentals_writer
from stocks.universe import writer as universe_writer

LATE_FACTS_SESSIONS = 5
"""The exchange's reports come later than its bars: those of so many last sessions are looked for again."""


class Master(NamedTuple):
    """The provider's lists as of a session, and what it lacks, as fields of findings.

    `facts` has those published for a session; sessions without any are absent. `limits` are those of the session.
    """

    listed: pd.DataFrame
    events: pd.DataFrame
    facts: dict[date, pd.DataFrame]
    limits: pd.DataFrame
    days: pd.DataFrame
    findings: list[dict[str, Any]]


def read_master(context: StepContext) -> Master:
    """Let the provider download what is missing, then read its lists.

    Raises
    ------
    NotYet
        When the run's session has bars neither at the provider nor in the database; a run without a session needs none.
    """
    source, session = run_provider(context), as_of(context)
    _download_missing(context, source)
    facts = {day: source.daily_facts(day) for day in _sessions_for_facts(source, session)}
    master = Master(
        listed=source.listed_symbols(session),
        events=source.corporate_actions(session),
        facts={day: frame for day, frame in facts.items() if not frame.empty},
        limits=source.trading_limits(session),
        days=source.market_days(session),
        findings=[
            {
                "check_name": found.check.value,
                "severity": found.severity,
                "message": found.message,
                "remedy": found.remedy,
            }
            for found in source.findings()
        ],
    )
    context.log("lists read", symbols=len(master.listed), events=len(master.events), facts=len(master.facts))
    return master


def _download_missing(context: StepContext, source: Provider) -> None:
    wanted = context.run.session or as_of(context) - timedelta(days=1)
    reason = ""
    try:
        sessions = trading_calendar.planned_sessions(source, wanted)
        source.fetch(wanted, sessions, context.now, context.report)
    except SessionNotAvailable as error:
        if context.run.session is not None and source.sessions(wanted, wanted):
            raise NotYet(str(error)) from error
        reason = str(error)
    if context.run.session is not None:
        require_bars(context, source, reason)


def _sessions_for_facts(source: Provider, session: date) -> list[date]:
    offered = source.sessions(None, session)
    stored = set(queries.sessions_between(offered[0], session)) if offered else set()
    return sorted({*offered} - stored | {*offered[-LATE_FACTS_SESSIONS:], session})


def record_master(context: StepContext, master: Master) -> int:
    """Store the provider's lists, and note what new or changed events require of the later steps."""
    run = context.run
    calendar = run_provider(context).calendar
    trading_calendar.record_market_days(master.days, calendar, run.id, as_of=as_of(context))
    written = market_writer.record_official_events(master.events, run.id)
    take_over_pending_work(run)
    if written.total:
        changed = market_writer.first_dates_of_events(run.id)
        past = [ex_date for ex_date in changed.values() if ex_date <= as_of(context)]
        add_pending_work(run, PendingWork(events_changed=changed, judge_from=min(past, default=None)))
    for day, facts in master.facts.items():
        universe_writer.record_exchange_facts(facts, day, run.id)
    market_writer.record_trading_limits(master.limits, run.id)
    market_writer.replace_findings(run.id, run.session, [check.value for check in SourceCheck], master.findings)
    simulated = settings.PROVIDER_KIND == "simulated"
    return universe_writer.record_symbols(master.listed, run.id, as_of(context), simulated=simulated).total


def read_statements(context: StepContext) -> pd.DataFrame | None:
    """Return the provider's statements since the previous session; None when it has no statements at all."""
    try:
        return run_provider(context).statements(context.session, queries.session_before(context.session))
    except NotOffered:
        return None


def record_universe(context: StepContext, statements: pd.DataFrame | None) -> int:
    """Store the provider's statements, and what snapshots tell of the symbols; return how many symbols there are."""
    if statements is not None:
        context.summarise(statements=fundamentals_writer.record_statements(statements, context.run.id).total)
    universe_writer.fill_symbols_from_snapshots(context.session, context.run.id)
    return len(universe_writer.kinds())
