"""The table of phases: built in by the migration, read for a day, changed by an import that leaves no gap."""

from dataclasses import replace
from datetime import date, datetime, time

import pytest

from market_data import phase_records, trading_calendar
from market_data.calendar_sources import CalendarError, CalendarExhausted, weekday_sessions
from market_data.models import MarketDay, TradingPhase
from market_data.trading_phases import BUILT_IN, IST, Phase
from stocks.storage import bulk

pytestmark = pytest.mark.django_db
NEXT = date(2027, 1, 1)
[POST] = [rule for rule in BUILT_IN if rule.phase is Phase.POST_CLOSE and rule.last is None]
ENDED = replace(POST, last=date(2026, 12, 31), source="import:circular.csv")
LATER = replace(POST, first=NEXT, opens=time(15, 45), source="import:circular.csv")


def test_the_migration_wrote_the_built_in_rows():
    TradingPhase.objects.all().delete()
    phase_records.record_phases([])
    assert set(phase_records.phase_rules()) == set(BUILT_IN)


def test_an_emptied_table_is_not_a_closed_market():
    TradingPhase.objects.all().delete()
    assert phase_records.phase_rules() == BUILT_IN


def test_an_import_is_rolled_back_exactly():
    phase_records.record_phases([])
    before = list(TradingPhase.objects.values())
    assert phase_records.record_phases([ENDED, LATER], "r1") == (1, 1)
    assert {ENDED, LATER} <= set(phase_records.phase_rules())
    assert phase_records.record_phases([ENDED, LATER], "r2") == (0, 0)
    bulk.roll_back("trading_phases", "r1")
    assert list(TradingPhase.objects.values()) == before


def test_an_overlap_is_refused_and_nothing_written():
    with pytest.raises(CalendarError, match="post close row of all from 2027-01-01 overlaps"):
        phase_records.record_phases([LATER])
    assert set(phase_records.phase_rules()) == set(BUILT_IN)


def test_the_day_of_a_moment_is_the_calendars():
    trading_calendar.record_market_days(weekday_sessions([2026]), None)
    MarketDay.objects.filter(date=date(2026, 11, 9)).update(kind="muhurat", open=time(18), close=time(19))
    muhurat = phase_records.session_day(datetime(2026, 11, 9, 1, 0, tzinfo=IST))
    assert (muhurat.kind, muhurat.is_session, muhurat.opens, muhurat.closes) == ("muhurat", True, time(18), time(19))
    assert not phase_records.session_day(datetime(2026, 11, 8, 12, 0, tzinfo=IST)).is_session
    with pytest.raises(CalendarExhausted):
        phase_records.session_day(datetime(2027, 6, 1, 12, 0, tzinfo=IST))
