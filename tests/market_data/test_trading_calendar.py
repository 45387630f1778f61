"""The trading calendar: which source overrules which, what is a session, and refusals beyond the known days."""

from datetime import UTC, date, datetime, time
from typing import Any

import pandas as pd
import pytest

from market_data import tasks, trading_calendar
from market_data.calendar_sources import covered_years, library_days, listed_years, seeded_days
from market_data.models import CalendarYear, MarketDay, SourceFile
from market_data.providers import DAY_COLUMNS
from market_data.providers.nse.archive import NseArchive
from market_data.quality.system import late_session
from market_data.trading_calendar import CalendarError, CalendarExhausted
from stocks.storage import bulk

SOME_DAY = date(2026, 4, 30)
NOTHING = pd.DataFrame(columns=list(DAY_COLUMNS), dtype="object")


def days(*records: tuple[object, ...]) -> pd.DataFrame:
    return pd.DataFrame.from_records(records, columns=list(DAY_COLUMNS))


def file_of(day: date) -> tuple[object, ...]:
    return (day, "normal", True, time(9, 15), time(15, 30), "nse_archive:daily file")


@pytest.fixture(scope="module")
def plain() -> pd.DataFrame:
    """The seed without any file, by date."""
    return seeded_days(NOTHING, "XBOM").set_index("date")


def test_the_library_knows_ordinary_sessions_to_the_end_of_2026(plain):
    library = library_days("XBOM")
    assert library["date"].max() == date(2026, 12, 31)
    assert plain.at[date(2026, 4, 30), "kind"] == "normal"
    assert date(2026, 5, 1) not in plain.index
    assert not {day for day in library["date"] if day.weekday() > 4}


@pytest.mark.parametrize(
    ("day", "kind", "opens"),
    [
        (date(2023, 11, 12), "muhurat", time(18, 15)),
        (date(2024, 11, 1), "muhurat", time(18, 0)),
        (date(2025, 10, 21), "muhurat", time(13, 45)),
        (date(2024, 1, 20), "special", time(9, 15)),
        (date(2025, 2, 1), "special", time(9, 15)),
        (date(2026, 2, 1), "special", time(9, 15)),
        (date(2024, 3, 2), "drill", time(9, 15)),
        (date(2024, 5, 18), "drill", time(9, 15)),
    ],
)
def test_known_special_sessions_count_and_a_file_does_not_make_them_ordinary(plain, day, kind, opens):
    with_file = seeded_days(days(file_of(day)), "XBOM").set_index("date")
    for seed in (plain, with_file):
        assert (seed.at[day, "kind"], seed.at[day, "is_session"], seed.at[day, "open"]) == (kind, True, opens)


def test_a_file_on_an_unknown_day_makes_it_special():
    for day in (date(2026, 5, 1), date(2026, 5, 3)):
        seed = seeded_days(days(file_of(day)), "XBOM").set_index("date")
        assert (seed.at[day, "kind"], seed.at[day, "is_session"], seed.at[day, "close"]) == ("special", True, None)


def test_a_listed_holiday_overrules_the_library():
    day = date(2026, 4, 30)
    seed = seeded_days(days((day, "holiday", False, None, None, "list")), "XBOM").set_index("date")
    assert not seed.at[day, "is_session"]


def test_a_providers_complete_calendar_needs_no_library():
    assert seeded_days(days(file_of(date(2027, 3, 3))), None)["date"].tolist() == [date(2027, 3, 3)]


@pytest.mark.django_db
class TestStored:
    @pytest.fixture(autouse=True)
    def _seed(self) -> None:
        trading_calendar.record_market_days(days(file_of(date(2026, 4, 30))), "XBOM")

    def test_a_second_seed_changes_nothing(self):
        before = list(MarketDay.objects.values())
        again = trading_calendar.record_market_days(days(file_of(date(2026, 4, 30))), "XBOM")
        assert (again.added, again.changed) == (0, 0)
        assert list(MarketDay.objects.values()) == before

    def test_questions_about_sessions(self):
        assert trading_calendar.is_session(date(2026, 4, 30))
        assert not trading_calendar.is_session(date(2026, 5, 1))
        assert trading_calendar.session_on_or_before(date(2026, 5, 3)) == date(2026, 4, 30)
        assert trading_calendar.next_session(date(2026, 4, 30)) == date(2026, 5, 4)
        between = trading_calendar.sessions_between(date(2026, 1, 30), date(2026, 2, 2))
        assert between == [date(2026, 1, 30), date(2026, 2, 1), date(2026, 2, 2)]

    def test_a_session_is_completed_from_its_close_on(self):
        closing = datetime(2026, 4, 30, 10, 0, tzinfo=UTC)  # 15:30 in India
        assert trading_calendar.latest_completed_session(closing) == date(2026, 4, 30)
        before = datetime(2026, 4, 30, 9, 59, tzinfo=UTC)
        assert trading_calendar.latest_completed_session(before) == date(2026, 4, 29)
        after_midnight = datetime(2026, 5, 1, 20, 0, tzinfo=UTC)  # Saturday 2 May, 01:30 in India
        assert trading_calendar.latest_completed_session(after_midnight) == date(2026, 4, 30)

    def test_a_session_of_unknown_hours_counts_from_the_next_day_on(self):
        day = date(2026, 5, 1)
        trading_calendar.record_market_days(days(file_of(day)), "XBOM")
        late, next_day = datetime(2026, 5, 1, 18, 0, tzinfo=UTC), datetime(2026, 5, 1, 19, 0, tzinfo=UTC)
        assert trading_calendar.latest_completed_session(late) == date(2026, 4, 30)
        assert trading_calendar.latest_completed_session(next_day) == day

    @pytest.mark.parametrize("day", [date(2027, 1, 4), date(2010, 1, 4)])
    def test_days_beyond_the_known_ones_are_refused(self, day):
        for question in (
            trading_calendar.is_session,
            trading_calendar.session_on_or_before,
            lambda day: trading_calendar.sessions_between(day, day),
        ):
            with pytest.raises(CalendarExhausted, match="import_market_days"):
                question(day)
        with pytest.raises(CalendarExhausted):
            trading_calendar.next_session(date(2026, 12, 31))

    def test_imported_days_overrule_and_survive_a_seed(self):
        muhurat = pd.DataFrame(
            [
                (date(2026, 11, 8), "muhurat", True, time(18, 0), time(19, 0)),
                (date(2026, 4, 30), "drill", False, None, None),
            ],
            columns=["date", "kind", "is_session", "open", "close"],
        )
        recorded = trading_calendar.record_imported_days(muhurat, "holidays.csv")
        assert (recorded.added, recorded.changed) == (1, 1)
        trading_calendar.record_market_days(days(file_of(date(2026, 4, 30))), "XBOM")
        assert trading_calendar.is_session(date(2026, 11, 8))
        assert not trading_calendar.is_session(date(2026, 4, 30))
        assert MarketDay.objects.get(date=date(2026, 11, 8)).source == "import:holidays.csv"

    @pytest.mark.parametrize(
        ("records", "sentence"),
        [
            ([(date(2027, 1, 4), "party", True, None, None)], "party"),
            ([(date(2027, 1, 4), "normal", True, time(15), time(9))], "correct the hours"),
            ([(date(2027, 1, 4), "normal", True, None, None)] * 2, "twice"),
        ],
    )
    def test_a_contradictory_import_is_refused(self, records, sentence):
        frame = pd.DataFrame.from_records(records, columns=["date", "kind", "is_session", "open", "close"])
        before = MarketDay.objects.count()
        with pytest.raises(CalendarError, match=sentence):
            trading_calendar.record_imported_days(frame, "x.csv")
        assert MarketDay.objects.count() == before


ONE_YEAR = [
    *("2027-01-26", "2027-03-26", "2027-04-14", "2027-08-16", "2027-10-29"),
    *("2027-11-15", "2027-12-25", "2027-12-26"),
]
"""Holidays of 2027; the last two are a Saturday and a Sunday."""


def holidays(*days: str, **columns: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"date": [date.fromisoformat(day) for day in days], "kind": "holiday", "is_session": False})
    return frame.assign(open=None, close=None, **columns)


def listed(*days: str) -> pd.DataFrame:
    return holidays(*days, source="nse_archive:holiday list, x").loc[:, list(DAY_COLUMNS)]


@pytest.mark.parametrize(
    ("days", "years"),
    [
        (ONE_YEAR, [2027]),
        (["2027-01-26", "2027-03-26", "2027-04-14", "2027-12-25", "2027-12-26"], []),  # three of them on weekdays
        (["2027-10-01", "2027-10-04", "2027-10-29", "2027-11-15", "2027-12-24"], []),  # of three months
        ([], []),
    ],
)
def test_only_the_list_of_a_whole_year_covers_it(days, years):
    assert listed_years(listed(*days)) == years


def test_a_list_makes_the_other_weekdays_of_a_year_sessions_that_the_library_does_not_know():
    offered = listed("2026-01-26", *ONE_YEAR)
    seed = seeded_days(offered, "XBOM").set_index("date")
    assert [(year.first, year.last) for year in covered_years(offered, "XBOM")][-2:] == [
        (date(2026, 1, 1), date(2026, 12, 31)),
        (date(2027, 1, 1), date(2027, 12, 31)),
    ]
    assert seed.at[date(2027, 1, 5), "is_session"]
    assert not seed.at[date(2027, 1, 26), "is_session"]
    assert date(2027, 1, 3) not in seed.index
    # Of a year that the library knows, a closed day that a list leaves out stays closed: it may have come later.
    assert date(2026, 4, 3) not in seed.index


@pytest.mark.django_db
class TestCoverage:
    """How far the calendar reaches: never as far as its last row, always as far as somebody answers for."""

    @pytest.fixture(autouse=True)
    def _seed(self) -> None:
        trading_calendar.record_market_days(NOTHING, "XBOM")

    def test_a_list_of_a_month_answers_for_its_own_days_only(self):
        recorded = trading_calendar.record_imported_days(holidays("2027-01-26", "2027-03-26"), "january.csv")
        assert (recorded.added, recorded.covers) == (2, ())
        assert not trading_calendar.is_session(date(2027, 1, 26))
        for question in (
            lambda: trading_calendar.is_session(date(2027, 1, 5)),
            lambda: trading_calendar.sessions_between(date(2026, 12, 28), date(2027, 1, 26)),
            lambda: trading_calendar.session_on_or_before(date(2027, 1, 26)),
            lambda: trading_calendar.latest_completed_session(datetime(2027, 6, 30, 22, tzinfo=trading_calendar.IST)),
            lambda: tasks.session_for("same day", datetime(2027, 1, 5, 21, tzinfo=trading_calendar.IST)),
        ):
            with pytest.raises(CalendarExhausted, match=r"not for 2027-0[16].*import_market_days"):
                question()
        with pytest.raises(CalendarExhausted):
            trading_calendar.next_session(date(2026, 12, 31))
        assert trading_calendar.known_days(SOME_DAY).until(SOME_DAY) == date(2026, 12, 31)
        [finding] = late_session(datetime(2027, 6, 30, 22, tzinfo=trading_calendar.IST))
        assert finding["severity"] == "error"

    @pytest.mark.parametrize(
        ("days", "covers"), [(ONE_YEAR, ()), (["2027-01-26"], (2027,))], ids=["a whole list", "stated"]
    )
    def test_the_holidays_of_a_year_make_its_other_weekdays_sessions(self, days, covers):
        recorded = trading_calendar.record_imported_days(holidays(*days), "holidays.csv", covers=covers)
        assert recorded.covers == (2027,)
        assert trading_calendar.is_session(date(2027, 1, 5))
        assert not trading_calendar.is_session(date(2027, 1, 26))
        assert not trading_calendar.is_session(date(2027, 1, 3))
        assert trading_calendar.next_session(date(2026, 12, 31)) == date(2027, 1, 1)
        assert tasks.session_for("same day", datetime(2027, 1, 5, 21, tzinfo=trading_calendar.IST)) == date(2027, 1, 5)
        late = datetime(2027, 6, 30, 22, tzinfo=trading_calendar.IST)
        assert trading_calendar.latest_completed_session(late) == date(2027, 6, 30)
        assert trading_calendar.known_days(SOME_DAY).until(SOME_DAY) == date(2027, 12, 31)
        with pytest.raises(CalendarExhausted, match="2028"):
            trading_calendar.is_session(date(2028, 1, 3))
        # The next evening's seed, which knows nothing of it, leaves it alone.
        before = list(MarketDay.objects.values())
        again = trading_calendar.record_market_days(NOTHING, "XBOM")
        assert (again.added, again.changed, again.withdrawn) == (0, 0, 0)
        assert list(MarketDay.objects.values()) == before
        trading_calendar.withdraw_years([2027])
        with pytest.raises(CalendarExhausted):
            trading_calendar.is_session(date(2027, 1, 5))

    def test_a_year_after_a_gap_does_not_reach_back_over_it(self):
        trading_calendar.record_imported_days(holidays("2028-01-26"), "x.csv", covers=(2028,))
        assert trading_calendar.is_session(date(2028, 1, 3))
        with pytest.raises(CalendarExhausted, match="2027-01-01"):
            trading_calendar.sessions_between(date(2026, 12, 1), date(2028, 1, 31))
        with pytest.raises(CalendarExhausted):
            trading_calendar.session_on_or_before(date(2027, 12, 31))
        with pytest.raises(CalendarExhausted):
            trading_calendar.next_session(date(2026, 12, 31))

    def test_a_list_in_the_archive_covers_its_year_while_it_is_there(self):
        trading_calendar.record_market_days(listed(*ONE_YEAR), "XBOM", "r1")
        assert trading_calendar.is_session(date(2027, 1, 5))
        before = [list(table.objects.values()) for table in (MarketDay, CalendarYear)]
        gone = trading_calendar.record_market_days(NOTHING, "XBOM", "r2")
        assert gone.withdrawn > 250
        with pytest.raises(CalendarExhausted):
            trading_calendar.is_session(date(2027, 1, 5))
        for table in ("market_days", "market_years"):
            bulk.roll_back(table, "r2")
        assert [list(table.objects.values()) for table in (MarketDay, CalendarYear)] == before

    def test_files_older_than_the_library_are_all_the_sessions_of_their_time(self):
        first, second = date(2015, 12, 24), date(2015, 12, 29)
        trading_calendar.record_market_days(days(file_of(first), file_of(second)), "XBOM")
        assert trading_calendar.sessions_between(date(2015, 1, 1), date(2015, 12, 31)) == [first, second]
        assert trading_calendar.session_on_or_before(date(2015, 12, 28)) == first

    def test_an_import_and_its_coverage_are_rolled_back_together(self):
        before = [list(table.objects.values()) for table in (MarketDay, CalendarYear)]
        trading_calendar.record_imported_days(holidays(*ONE_YEAR), "holidays.csv", "r1")
        for table in ("market_days", "market_years"):
            bulk.roll_back(table, "r1")
        assert [list(table.objects.values()) for table in (MarketDay, CalendarYear)] == before

    def test_an_older_backup_has_no_covered_years_and_its_seed_still_counts(self):
        CalendarYear.objects.all().delete()
        assert trading_calendar.is_session(SOME_DAY)
        with pytest.raises(CalendarExhausted):
            trading_calendar.is_session(date(2027, 1, 5))
        trading_calendar.record_imported_days(holidays(*ONE_YEAR), "holidays.csv")
        assert trading_calendar.sessions_between(date(2026, 12, 31), date(2027, 1, 1))[-1] == date(2027, 1, 1)


@pytest.mark.django_db
class TestWithdrawal:
    """What a source no longer says is no longer so."""

    SUNDAY = date(2026, 5, 3)

    def test_a_session_that_only_a_file_proved_goes_with_the_file(self):
        trading_calendar.record_market_days(days(file_of(self.SUNDAY)), "XBOM", "r1")
        assert trading_calendar.is_session(self.SUNDAY)
        before = list(MarketDay.objects.values())
        # A run of an earlier day does not know the file yet.
        earlier = trading_calendar.record_market_days(NOTHING, "XBOM", "r2", as_of=date(2026, 5, 2))
        assert earlier.withdrawn == 0
        assert trading_calendar.is_session(self.SUNDAY)
        gone = trading_calendar.record_market_days(NOTHING, "XBOM", "r3", as_of=date(2026, 5, 4))
        assert gone.withdrawn == 1
        assert not trading_calendar.is_session(self.SUNDAY)
        assert trading_calendar.next_session(date(2026, 4, 30)) == date(2026, 5, 4)
        bulk.roll_back("market_days", "r3")
        assert list(MarketDay.objects.values()) == before

    def test_loaded_bars_prove_a_session_whose_file_was_cleared_away(self):
        trading_calendar.record_market_days(days(file_of(self.SUNDAY)), "XBOM")
        facts = {"size": 1, "mtime_ns": 1, "sha256": "0" * 64, "rows": 1, "rejected": 0}
        SourceFile.objects.create(session=self.SUNDAY, name="f", **facts)
        assert trading_calendar.record_market_days(NOTHING, "XBOM").withdrawn == 0
        assert trading_calendar.is_session(self.SUNDAY)

    def test_a_holiday_taken_from_the_list_is_a_session_again(self):
        trading_calendar.record_market_days(listed(str(SOME_DAY)), "XBOM")
        assert not trading_calendar.is_session(SOME_DAY)
        trading_calendar.record_market_days(NOTHING, "XBOM")
        assert trading_calendar.is_session(SOME_DAY)


@pytest.mark.django_db
class TestOperator:
    """A person's word holds until a person takes it back."""

    @pytest.fixture(autouse=True)
    def _seed(self, settings, tmp_path) -> None:
        (tmp_path / "bhavcopy").mkdir()
        (tmp_path / "bhavcopy" / "sec_bhavdata_full_29042026.csv").write_text("later")
        settings.MARKET_DATA_PROVIDER, settings.NSE_ARCHIVE_DIR = "nse_archive", tmp_path
        trading_calendar.record_market_days(NOTHING, "XBOM", "r1")

    def test_an_edit_outlives_seeds_and_rollbacks_until_it_is_taken_back(self):
        row = MarketDay.objects.get(date=SOME_DAY)
        row.kind, row.is_session, row.open, row.close = "holiday", False, None, None
        trading_calendar.record_edited_day(row)
        trading_calendar.record_market_days(days(file_of(SOME_DAY)), "XBOM", "r2")
        bulk.roll_back("market_days", "r2")
        bulk.roll_back("market_days", "r1")
        row = MarketDay.objects.get(date=SOME_DAY)
        assert (row.is_session, row.source, row.run_id) == (False, "operator", None)
        trading_calendar.record_market_days(NOTHING, "XBOM")
        trading_calendar.withdraw_days([SOME_DAY])
        assert MarketDay.objects.get(date=SOME_DAY).source == "exchange_calendars XBOM"
        assert trading_calendar.is_session(SOME_DAY)

    def test_a_day_that_only_a_person_knew_goes_when_it_is_taken_back(self):
        sunday = date(2026, 5, 3)
        trading_calendar.record_edited_day(MarketDay(date=sunday, kind="special", is_session=True))
        assert trading_calendar.is_session(sunday)
        trading_calendar.withdraw_days([sunday])
        assert not trading_calendar.is_session(sunday)

    def test_a_holiday_of_an_imported_year_is_a_session_when_it_is_taken_back(self):
        trading_calendar.record_imported_days(holidays(*ONE_YEAR), "holidays.csv")
        trading_calendar.withdraw_days([date(2027, 1, 26)])
        assert trading_calendar.is_session(date(2027, 1, 26))


@pytest.mark.django_db
def test_before_the_first_seed_the_provider_in_use_answers(settings):
    settings.MARKET_DATA_PROVIDER, settings.SIMULATOR_SYMBOLS = "simulator", 20
    assert trading_calendar.is_session(date(2027, 3, 15))
    assert not trading_calendar.is_session(date(2027, 3, 14))
    assert not MarketDay.objects.exists()


@pytest.mark.real
def test_every_session_of_the_sample_is_in_the_seed_and_none_is_missing(sample_dir):
    """762 files; the library has 754 of these days, the other eight are the known special sessions."""
    feed = NseArchive(sample_dir / "nse")
    end = date(2026, 4, 30)
    files = set(feed.sessions(None, end))
    seed = seeded_days(feed.market_days(end), feed.calendar)
    sessions = {day for day in seed.loc[seed["is_session"].astype(bool), "date"] if date(2023, 4, 3) <= day <= end}
    assert sessions == files
    unusual = files - set(library_days("XBOM")["date"])
    assert len(unusual) == 8
    assert not seed.loc[seed["date"].isin(unusual), "kind"].eq("normal").any()
