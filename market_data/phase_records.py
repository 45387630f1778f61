"""The rows of `trading_phases`: read for a moment, and imported."""

from collections.abc import Hashable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final

import pandas as pd

from market_data import trading_calendar
from market_data.calendar_sources import CalendarError
from market_data.models import MarketDay, TradingPhase
from market_data.trading_phases import BUILT_IN, IST, ORDER_TYPES, Phase, PhaseRule, SessionDay, Shares, faults_of
from stocks.storage import bulk
from stocks.storage.bulk import WriteCounts

IMPORTED: Final = "import:"
_CONTENT = ("last", "opens", "closes", "order_types", "source")

Key = tuple[Phase, Shares, date]


def phase_rules() -> tuple[PhaseRule, ...]:
    """Return the stored rules; while none is stored, in an emptied table, the built-in ones."""
    return tuple(_rule(row) for row in TradingPhase.objects.all()) or BUILT_IN


def session_day(moment: datetime) -> SessionDay:
    """Return the calendar's day of a moment with a time zone; raises CalendarExhausted beyond the known days."""
    day = moment.astimezone(IST).date()
    is_session = trading_calendar.is_session(day)
    row = MarketDay.objects.filter(date=day).first()
    if row is None:
        return SessionDay(day, MarketDay.Kind.NORMAL, is_session)
    return SessionDay(day, row.kind, is_session, row.open, row.close)


def imported_rules(rows: pd.DataFrame, source: str) -> list[PhaseRule]:
    """Return the rules of an imported file's rows, in their order; a row that is stored as it is keeps its source."""
    stored = {_key(rule): rule for rule in phase_rules()}
    rules = []
    for row in rows.to_dict("records"):
        rule = _imported(row, f"{IMPORTED}{source}"[:60])
        as_exported = _imported(row, str(row["source"]) if not pd.isna(row["source"]) else rule.source)
        rules.append(as_exported if stored.get(_key(rule)) == as_exported else rule)
    return rules


def faults_with(rules: Iterable[PhaseRule]) -> list[tuple[PhaseRule, str]]:
    """Return what is wrong with the table once these rules are in it (see `faults_of`)."""
    return faults_of(({_key(rule): rule for rule in phase_rules()} | {_key(rule): rule for rule in rules}).values())


def record_phases(rules: Iterable[PhaseRule], run_id: str | None = None) -> WriteCounts:
    """Store rules, each in the place of the one of its phase, shares and first day, and keep before-images.

    Raises
    ------
    CalendarError
        When the table would have overlaps or gaps; then nothing is written.
    """
    wanted = list(rules)
    if faults := faults_with(wanted):
        rule, reason = faults[0]
        raise CalendarError(
            f"The {rule.words} row of {rule.shares} from {rule.first} {reason}."
            " Import the rows that belong together in one file."
        )
    if not TradingPhase.objects.exists():
        TradingPhase.objects.bulk_create([_row(rule, None) for rule in BUILT_IN])
    stored = {_key(_rule(row)): row for row in TradingPhase.objects.all()}
    added = [_row(rule, run_id) for rule in wanted if _key(rule) not in stored]
    changed = []
    for rule in wanted:
        old = stored.get(_key(rule))
        if old is not None and _rule(old) != rule:
            changed.append(_changed(old, rule))
    if run_id:
        bulk.keep_before_images("trading_phases", "t.id = ANY(%s)", [[row.pk for row in changed]], run_id)
    TradingPhase.objects.bulk_create(added)
    TradingPhase.objects.bulk_update(changed, _CONTENT)
    return WriteCounts(len(added), len(changed))


def _key(rule: PhaseRule) -> Key:
    return rule.phase, rule.shares, rule.first


def _rule(row: TradingPhase) -> PhaseRule:
    return PhaseRule(
        Phase(row.phase),
        Shares(row.shares),
        row.first,
        row.last,
        row.opens,
        row.closes,
        tuple(row.order_types.split()),
        row.source,
    )


def _imported(row: Mapping[Hashable, Any], source: str) -> PhaseRule:
    types = ORDER_TYPES if pd.isna(row["order_types"]) else tuple(row["order_types"].split())
    return PhaseRule(
        Phase(row["phase"]),
        Shares(row["shares"]),
        row["first"].date(),
        None if pd.isna(row["last"]) else row["last"].date(),
        row["opens"],
        row["closes"],
        types,
        source,
    )


def _row(rule: PhaseRule, run_id: str | None) -> TradingPhase:
    return _changed(TradingPhase(phase=rule.phase, shares=rule.shares, first=rule.first, run_id=run_id), rule)


def _changed(row: TradingPhase, rule: PhaseRule) -> TradingPhase:
    row.last, row.opens, row.closes, row.source = rule.last, rule.opens, rule.closes, rule.source
    row.order_types = " ".join(rule.order_types)
    return row
