"""The trading calendar: seeded from a library, corrected by the exchange's files, stored in `market_days`.

The library (calendar ``XBOM``, with the NSE's holidays) has no Muhurat, Budget-day or test sessions and ends on
2026-12-31. Later sources overrule earlier ones: the library, the sessions listed in this module, the provider's files,
imported days. Days beyond the last one are refused, never guessed: `CalendarExhausted`. All times are IST.
"""

import warnings
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd
from django.conf import settings

from market_data.models import MarketDay, RunUndo
from market_data.providers import DAY_COLUMNS, provider
from stocks.storage import bulk

IST = ZoneInfo("Asia/Kolkata")
OPEN, CLOSE = time(9, 15), time(15, 30)
SEED_FROM = date(2016, 1, 1)
"""Official corporate actions of the sample begin here; no bars are older."""

IMPORTED = "import"
"""Prefix of the source of imported days, which a seed does not overrule."""

_SPECIAL, _MUHURAT, _DRILL = "special", "muhurat", "drill"
# From the exchange's circulars. All were real sessions with settlement; a drill ran on the recovery site, in two parts.
SPECIAL_SESSIONS: tuple[tuple[date, str, time | None, time | None], ...] = (
    (date(2016, 10, 30), _MUHURAT, None, None),
    (date(2017, 10, 19), _MUHURAT, None, None),
    (date(2018, 11, 7), _MUHURAT, None, None),
    (date(2019, 10, 27), _MUHURAT, None, None),
    (date(2020, 2, 1), _SPECIAL, OPEN, CLOSE),
    (date(2020, 11, 14), _MUHURAT, time(18, 15), time(19, 15)),
    (date(2021, 11, 4), _MUHURAT, time(18, 15), time(19, 15)),
    (date(2022, 10, 24), _MUHURAT, time(18, 15), time(19, 15)),
    (date(2023, 11, 12), _MUHURAT, time(18, 15), time(19, 15)),
    (date(2024, 1, 20), _SPECIAL, OPEN, CLOSE),
    (date(2024, 3, 2), _DRILL, time(9, 15), time(12, 30)),
    (date(2024, 5, 18), _DRILL, time(9, 15), time(12, 30)),
    (date(2024, 11, 1), _MUHURAT, time(18, 0), time(19, 0)),
    (date(2025, 2, 1), _SPECIAL, OPEN, CLOSE),
    (date(2025, 10, 21), _MUHURAT, time(13, 45), time(14, 45)),
    (date(2026, 2, 1), _SPECIAL, OPEN, CLOSE),
)
_BY_CIRCULAR = "exchange's circular"


class CalendarError(Exception):
    """The calendar cannot answer, or a day cannot be stored; the sentence says what to do."""


class CalendarExhausted(CalendarError):
    """The day lies outside the known market days."""

    runbook = "calendar-ends"


class RecordedDays(NamedTuple):
    """How many market days a seed or an import added and changed."""

    added: int
    changed: int


def library_days(calendar: str, start: date = SEED_FROM) -> pd.DataFrame:
    """Return the sessions of a calendar of the library, for example ``XBOM``, from `start` to its last one.

    The frame has ``DAY_COLUMNS``, one row a session, kind normal.
    """
    import exchange_calendars  # slow, and only needed to seed the calendar

    with warnings.catch_warnings():
        # The library uses what a later pandas will change; our tests check its results, so users need no warning.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Without an explicit end the library stops a year from today.
        last = exchange_calendars.get_calendar(calendar).bound_max()
        sessions = exchange_calendars.get_calendar(calendar, start=pd.Timestamp(start), end=last).sessions
    days = [stamp.date() for stamp in sessions]
    source = f"exchange_calendars {calendar}"
    return _frame([(day, "normal", True, OPEN, CLOSE, source) for day in days])


def seeded_days(from_provider: pd.DataFrame, calendar: str | None) -> pd.DataFrame:
    """Combine the library, the special sessions of this module, and what a provider's files prove.

    Both frames have ``DAY_COLUMNS``, the result one row a date, ascending. Without `calendar`, the library's, the
    provider's days are the whole calendar. A file only proves that there was a session. Kind and hours of a session
    outside the library come from this module's list; one that is in neither is special, its hours unknown.
    """
    if calendar is None:
        return _frame(list(from_provider.itertuples(index=False, name=None)))
    library = library_days(calendar)
    known = _frame([(*special[:2], True, *special[2:], _BY_CIRCULAR) for special in SPECIAL_SESSIONS])
    # About a session that a circular announced, the file knows less than the circular.
    proven = from_provider.loc[~(from_provider["date"].isin(known["date"]) & from_provider["is_session"].astype(bool))]
    unusual = proven["is_session"].astype(bool) & ~proven["date"].isin(library["date"])
    proven = proven.astype({"kind": "object", "open": "object", "close": "object"})
    proven.loc[unusual, ["kind", "open", "close"]] = [_SPECIAL, None, None]
    parts = [part for part in (library, known, proven) if not part.empty]
    days = pd.concat(parts, ignore_index=True).drop_duplicates("date", keep="last")
    return _frame(list(days.itertuples(index=False, name=None)))


def record_market_days(from_provider: pd.DataFrame, calendar: str | None, run_id: str | None = None) -> RecordedDays:
    """Write the seed (see `seeded_days`), except over imported days.

    `run_id` is stored on inserted rows and with the before-images of changed ones.
    """
    return _record(seeded_days(from_provider, calendar), run_id, keep_imported=True)


def record_imported_days(days: pd.DataFrame, source: str, run_id: str | None = None) -> RecordedDays:
    """Write imported market days; they overrule every other source.

    `days` has date, kind, is_session, open, close (times or None). The run `run_id` can be rolled back; without one the
    rows are final: rolling back a run that wrote these days before no longer changes them. Raises CalendarError when a
    kind is unknown, a date occurs twice, or a session closes before it opens.
    """
    named = days.assign(source=f"{IMPORTED}:{source}"[:60])
    unknown = set(named["kind"]) - set(MarketDay.Kind.values)
    if unknown:
        raise CalendarError(f"Kinds {sorted(unknown)} are unknown; use one of {', '.join(MarketDay.Kind.values)}.")
    repeated = named["date"].loc[named["date"].duplicated()]
    if len(repeated):
        raise CalendarError(f"{repeated.iloc[0]} occurs twice; keep one line a day.")
    if not MarketDay.objects.exists():
        # On their own, the imported days would look like the whole calendar.
        feed = provider(settings.MARKET_DATA_PROVIDER)
        record_market_days(feed.market_days(days["date"].max()), feed.calendar, run_id)
    frame = _frame(list(named.loc[:, list(DAY_COLUMNS)].itertuples(index=False, name=None)))
    for row in _rows(frame):
        if row.open is not None and row.close is not None and row.close <= row.open:
            raise CalendarError(f"{row.date} closes at {row.close} and opens at {row.open}; correct the hours.")
    if run_id is None:
        dates: list[date] = frame["date"].tolist()
        MarketDay.objects.filter(date__in=dates).update(run_id=None)
        written = [day.isoformat() for day in dates]
        RunUndo.objects.filter(table_name="market_days", row_image__date__in=written).delete()
    return _record(frame, run_id, keep_imported=False)


def is_session(day: date) -> bool:
    """Whether a day is a session; raises CalendarExhausted outside the known days."""
    days = _known_days(day)
    return day in days and days[day].is_session


def sessions_between(start: date, end: date) -> list[date]:
    """Return the sessions from `start` to `end`, inclusive; raises CalendarExhausted when `end` is outside."""
    days = _known_days(end)
    return [day for day in days if start <= day <= end and days[day].is_session]


def session_on_or_before(day: date) -> date:
    """Return the day itself if it is a session, else the last one before it; raises CalendarExhausted."""
    days = _known_days(day)
    for earlier in reversed(days):
        if earlier <= day and days[earlier].is_session:
            return earlier
    raise CalendarExhausted(
        f"No session on or before {day} is known; import older market days with import_market_days."
    )


def next_session(day: date) -> date:
    """Return the first session after a day; raises CalendarExhausted when none is known."""
    days = _days(day)
    for later in days:
        if later > day and days[later].is_session:
            return later
    raise CalendarExhausted(f"No session after {day} is known; add market days with import_market_days.")


def latest_completed_session(now: datetime) -> date:
    """Return the last session whose trading is over; `now` has a time zone.

    Today's session counts from its close on; one whose hours are unknown counts from the next day on. Raises
    CalendarExhausted when the moment lies beyond the known days.
    """
    local = now.astimezone(IST)
    today = _days(local.date()).get(local.date())
    is_over = today is not None and today.close is not None and local.time() >= today.close
    return session_on_or_before(local.date() if is_over else local.date() - timedelta(days=1))


class _Day(NamedTuple):
    is_session: bool
    close: time | None


def _days(until: date) -> dict[date, _Day]:
    """Return the known days in order of date; before the first seed, those that it would write."""
    stored = MarketDay.objects.order_by("date").values_list("date", "is_session", "close")
    days = {day: _Day(session, close) for day, session, close in stored}
    if days:
        return days
    feed = provider(settings.MARKET_DATA_PROVIDER)
    seed = _rows(seeded_days(feed.market_days(until), feed.calendar))
    return {row.date: _Day(row.is_session, row.close) for row in seed}


def _known_days(day: date) -> dict[date, _Day]:
    """Return the known days; raises CalendarExhausted unless the day lies among them."""
    days = _days(day)
    if not days or not min(days) <= day <= max(days):
        known = f"from {min(days)} to {max(days)}" if days else "not at all"
        raise CalendarExhausted(f"Market days are known {known}, not for {day}; add them with import_market_days.")
    return days


def _record(days: pd.DataFrame, run_id: str | None, *, keep_imported: bool) -> RecordedDays:
    stored = {row.date: row for row in MarketDay.objects.all()}
    added, changed = [], []
    for row in _rows(days):
        old = stored.get(row.date)
        if old is None:
            added.append(row)
        elif not (keep_imported and old.source.startswith(IMPORTED)) and _content(old) != _content(row):
            changed.append(row)
    for row in added:
        row.run_id = run_id
    if run_id:
        bulk.keep_before_images("market_days", "t.date = ANY(%s)", [[row.date for row in changed]], run_id)
    MarketDay.objects.bulk_create(added, batch_size=2000)
    MarketDay.objects.bulk_update(changed, ["kind", "is_session", "open", "close", "source"], batch_size=500)
    return RecordedDays(len(added), len(changed))


def _rows(days: pd.DataFrame) -> Iterator[MarketDay]:
    for record in days.to_dict("records"):
        yield MarketDay(**{str(column): value for column, value in record.items()})


def _content(day: MarketDay) -> tuple[object, ...]:
    return (day.kind, day.is_session, day.open, day.close, day.source)


def _frame(records: list[tuple[object, ...]]) -> pd.DataFrame:
    """Return days as ``DAY_COLUMNS``, ascending, unknown hours as None."""
    frame = pd.DataFrame.from_records(sorted(records, key=lambda row: str(row[0])), columns=list(DAY_COLUMNS))
    frame = frame.astype("object")
    return frame.where(frame.notna(), None)
