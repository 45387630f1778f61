"""The trading calendar: which source overrules which, what is a session, and refusals beyond the known days."""

from datetime import UTC, date, datetime, time

import pandas as pd
import pytest

from market_data import trading_calendar
from market_data.models import MarketDay
from market_data.providers import DAY_COLUMNS
from market_data.providers.nse.archive import NseArchive
from market_data.trading_calendar import CalendarError, CalendarExhausted, library_days, seeded_days

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
