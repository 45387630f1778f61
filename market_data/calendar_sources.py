"""What the sources of market days say, combined; pure.

Later sources overrule earlier ones: the calendar library, the weekdays of a year whose holidays are listed, the special
sessions of this module, the provider's files and lists. A person's word (`trading_calendar`) overrules them all.

The library (calendar ``XBOM``, with the NSE's holidays) has no Muhurat, Budget-day or test sessions and ends on
2026-12-31. A list of holidays names what is closed, so it makes the other weekdays of its year sessions, but only if it
is the list of a whole year: it names at least `FEWEST_HOLIDAYS` holidays on weekdays, half a year apart. A shorter list
tells nothing about the days that it does not name. All times are IST.
"""

import warnings
from collections.abc import Collection, Iterable, Sequence
from datetime import date, time, timedelta
from functools import cache
from typing import NamedTuple

import pandas as pd

from market_data.providers import DAY_COLUMNS

OPEN, CLOSE = time(9, 15), time(15, 30)
SEED_FROM = date(2016, 1, 1)
"""Official corporate actions of the sample begin here; no bars are older."""

FEWEST_HOLIDAYS = 5
"""The exchange has twelve or more holidays on weekdays a year, the first in January and the last in December."""

HALF_A_YEAR = timedelta(days=180)
ONE_DAY = timedelta(days=1)

WEEKDAY = "weekday of a year whose holidays are listed"
HOLIDAY = "holiday"
_SPECIAL, _MUHURAT, _DRILL = "special", "muhurat", "drill"
# From the exchange's circulars, before a seed could learn of them from the exchange's list of holidays. All were real
# sessions with settlement; a drill ran on the recovery site, in two parts.
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


class CoveredYear(NamedTuple):
    """The part of a year in which every session is known, first and last day included, and by which source."""

    year: int
    first: date
    last: date
    source: str


class KnownDays(NamedTuple):
    """The known days: day → whether it is a session, ascending, and the spans of days in which all are known."""

    sessions: dict[date, bool]
    spans: Sequence[tuple[date, date]]

    @classmethod
    def of(cls, days: Iterable[tuple[date, bool]], years: Iterable[CoveredYear]) -> "KnownDays":
        """Return what is known; `days` are days with whether each is a session."""
        sessions = dict(sorted(days))
        spans = [(year.first, year.last) for year in years]
        since = min((first for first, _ in spans), default=date.max)
        oldest = next((day for day, session in sessions.items() if session), since)
        if oldest < since < date.max:
            # Files older than the library's first day: their sessions are all that there were.
            spans.append((oldest, since - ONE_DAY))
        # A day that is listed is known, also where its year is not covered.
        return cls(sessions, sorted(spans + [(day, day) for day in sessions]))

    def first_unknown(self, start: date, end: date) -> date | None:
        """Return the first unknown day from `start` to `end`, inclusive."""
        unknown = start
        for first, last in self.spans:
            if first <= unknown <= last:
                unknown = last + ONE_DAY
        return unknown if unknown <= end else None

    def require(self, start: date, end: date) -> None:
        """Raise CalendarExhausted, naming the first unknown day, unless all days in between are known."""
        unknown = self.first_unknown(start, end)
        if unknown is None:
            return
        before = [last for _, last in self.spans if last < unknown]
        known = f"from {self.spans[0][0]}" if self.spans else "not at all"
        known += f" to {max(before)}" if before else ""
        raise CalendarExhausted(
            f"Market days are known {known}, not for {unknown}: add the whole list of"
            f" the holidays of {unknown.year} with import_market_days."
        )

    def until(self, day: date) -> date:
        """Return the last day up to which every day from `day` on is known; the day before it when it is not known."""
        return (self.first_unknown(day, date.max) or date.max) - ONE_DAY

    def between(self, start: date, end: date) -> list[date]:
        """Return the sessions from `start`, or the first known day, to `end`; raises CalendarExhausted."""
        earliest = self.spans[0][0] if self.spans else start
        if end >= start:
            self.require(min(max(start, earliest), end), end)
        return [day for day, session in self.sessions.items() if session and start <= day <= end]


def library_days(calendar: str, start: date = SEED_FROM) -> pd.DataFrame:
    """Return the sessions of a calendar of the library, for example ``XBOM``, from `start` to its last one.

    The frame has ``DAY_COLUMNS``, one row a session, kind normal.
    """
    return _library_frame(calendar, start).copy()


@cache
def _library_frame(calendar: str, start: date) -> pd.DataFrame:
    import exchange_calendars  # slow, and only needed to seed the calendar

    with warnings.catch_warnings():
        # The library uses what a later pandas will change; our tests check its results, so users need no warning.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Without an explicit end the library stops a year from today.
        last = exchange_calendars.get_calendar(calendar).bound_max()
        sessions = exchange_calendars.get_calendar(calendar, start=pd.Timestamp(start), end=last).sessions
    days = [stamp.date() for stamp in sessions]
    source = f"exchange_calendars {calendar}"
    return day_frame([(day, "normal", True, OPEN, CLOSE, source) for day in days])


def seeded_days(from_provider: pd.DataFrame, calendar: str | None) -> pd.DataFrame:
    """Combine the library, the weekdays of listed years, the special sessions of this module, and a provider's days.

    Both frames have ``DAY_COLUMNS``, the result one row a date, ascending. Without `calendar`, the library's, the
    provider's days are the whole calendar. A file only proves that there was a session. Kind and hours of a session
    outside the library come from this module's list; one that nobody announced is special, its hours unknown.
    """
    if calendar is None:
        return day_frame(list(from_provider.itertuples(index=False, name=None)))
    library = library_days(calendar)
    listed = set(listed_years(from_provider)) - {day.year for day in library["date"]}
    weekdays = weekday_sessions(listed)
    known = day_frame([(*special[:2], True, *special[2:], _BY_CIRCULAR) for special in SPECIAL_SESSIONS])
    # About a session that a circular announced, the provider knows less than the circular.
    announced = from_provider["date"].isin(known["date"])
    by_file = from_provider["is_session"].astype(bool)
    proven = from_provider[~(announced & by_file)].astype({"kind": "object", "open": "object", "close": "object"})
    usual = {*library["date"], *weekdays["date"]}
    unusual = proven["is_session"].astype(bool) & proven["kind"].eq("normal") & ~proven["date"].isin(usual)
    proven.loc[unusual, ["kind", "open", "close"]] = [_SPECIAL, None, None]
    parts = [part for part in (library, weekdays, known, proven) if not part.empty]
    days = pd.concat(parts, ignore_index=True).drop_duplicates("date", keep="last")
    return day_frame(list(days.itertuples(index=False, name=None)))


def covered_years(from_provider: pd.DataFrame, calendar: str | None) -> list[CoveredYear]:
    """Return how far the days that `seeded_days` combines are complete, ascending.

    Without `calendar` from the provider's first day to its last; with one, the library's span and the listed years.
    """
    complete = from_provider if calendar is None else library_days(calendar)
    if complete.empty:
        return []
    first, last = complete["date"].min(), complete["date"].max()
    years = covered_span(first if calendar is None else SEED_FROM, last, str(complete["source"].iloc[-1]))
    known = {year.year for year in years}
    listed = [] if calendar is None else [year for year in listed_years(from_provider) if year not in known]
    return years + [whole_year(year, WEEKDAY) for year in listed]


def covered_span(first: date, last: date, source: str) -> list[CoveredYear]:
    """Return a span of days year by year."""
    return [
        CoveredYear(year, max(first, date(year, 1, 1)), min(last, date(year, 12, 31)), source)
        for year in range(first.year, last.year + 1)
    ]


def whole_year(year: int, source: str) -> CoveredYear:
    return CoveredYear(year, date(year, 1, 1), date(year, 12, 31), source)


def listed_years(days: pd.DataFrame) -> list[int]:
    """Return the years of which a frame of days holds a whole list of holidays, ascending."""
    listed: dict[int, list[date]] = {}
    for day in sorted(set(days.loc[days["kind"].eq(HOLIDAY) & ~days["is_session"].astype(bool), "date"])):
        if day.weekday() < 5:
            listed.setdefault(day.year, []).append(day)
    return [
        year
        for year, closed in listed.items()
        if len(closed) >= FEWEST_HOLIDAYS and closed[-1] - closed[0] >= HALF_A_YEAR
    ]


def weekday_sessions(years: Collection[int]) -> pd.DataFrame:
    """Return every weekday of some years as a normal session: whoever knows better overrules it."""
    days = (date(year, 1, 1) + timedelta(days=number) for year in sorted(years) for number in range(366))
    inside = [day for day in days if day.year in years and day.weekday() < 5]
    return day_frame([(day, "normal", True, OPEN, CLOSE, WEEKDAY) for day in dict.fromkeys(inside)])


def day_frame(records: list[tuple[object, ...]]) -> pd.DataFrame:
    """Return days as ``DAY_COLUMNS``, ascending, unknown hours as None."""
    frame = pd.DataFrame.from_records(sorted(records, key=lambda row: str(row[0])), columns=list(DAY_COLUMNS))
    frame = frame.astype("object")
    return frame.where(frame.notna(), None)
