"""The trading calendar: which days are sessions, as stored in `market_days` and, how far it reaches, in `market_years`.

What the sources say is combined by `calendar_sources`; a person's word (an import, or an edit in the admin) overrules
it until a person withdraws it. What a source no longer says is withdrawn by the next seed: a file that is gone or of
another day proves no session. How far the calendar reaches is a fact of its own, never the last row: a day outside the
covered years is refused, never guessed (`CalendarExhausted`). All times are IST.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd
from django.conf import settings
from django.db import transaction

from market_data.calendar_sources import (
    ONE_DAY,
    WEEKDAY,
    CoveredYear,
    KnownDays,
    covered_span,
    covered_years,
    day_frame,
    listed_years,
    seeded_days,
    weekday_sessions,
    whole_year,
)
from market_data.calendar_sources import CalendarError as CalendarError
from market_data.calendar_sources import CalendarExhausted as CalendarExhausted
from market_data.models import CalendarYear, MarketDay, RunUndo, SourceFile
from market_data.providers import DAILY_FILE, DAY_COLUMNS, Provider, SourceUnreadable, provider
from stocks.storage import bulk

IST = ZoneInfo("Asia/Kolkata")

IMPORTED, OPERATOR = "import", "operator"
BY_PERSON = (IMPORTED, OPERATOR)
"""Prefixes of the sources of days that a seed does not overrule."""

_CONTENT = ("kind", "is_session", "open", "close", "source")


class RecordedDays(NamedTuple):
    """How many market days a seed or an import added, changed and withdrew, and the years that an import covers."""

    added: int
    changed: int
    withdrawn: int = 0
    covers: tuple[int, ...] = ()


def record_market_days(
    from_provider: pd.DataFrame, calendar: str | None, run_id: str | None = None, *, as_of: date = date.max
) -> RecordedDays:
    """Write what the sources say (see `seeded_days`), except over a person's days, and withdraw what none says.

    `as_of` is the day up to which the provider looked for sessions: what it knew of later ones stays. A session whose
    bars are loaded stays one. `run_id` is stored on inserted rows and with the before-images of all others.
    """
    _record_years(covered_years(from_provider, calendar), run_id, keeps_all=calendar is None)
    days = _with_weekdays(seeded_days(from_provider, calendar))
    stored = {row.date: row for row in MarketDay.objects.all()}
    loaded = set(SourceFile.objects.values_list("session", flat=True))

    def is_kept(old: MarketDay, new: MarketDay | None) -> bool:
        is_later = old.date > as_of and (calendar is None or old.source == DAILY_FILE)
        is_proven = old.is_session and old.date in loaded and not (new and new.is_session)
        return old.source.startswith(BY_PERSON) or is_later or is_proven

    rows = {row.date: row for row in _rows(days)}
    gone = [day for day, old in stored.items() if day not in rows and not is_kept(old, None)]
    wanted = [row for day, row in rows.items() if day not in stored or not is_kept(stored[day], row)]
    _delete(gone, run_id)
    return _record(wanted, stored, run_id)._replace(withdrawn=len(gone))


def record_imported_days(
    days: pd.DataFrame, source: str, run_id: str | None = None, *, covers: Iterable[int] = ()
) -> RecordedDays:
    """Write imported market days; they overrule every source, until a person withdraws them.

    `days` has date, kind, is_session, open, close (times or None), and, if it was exported, source: a row that is
    stored exactly so stays as it is. A year that is not covered yet becomes so when it is among `covers`, or the days
    hold its whole list of holidays (see `listed_years`): then its other weekdays are sessions. The run `run_id` can be
    rolled back; without one the rows are final: rolling back a run that wrote these days before no longer changes them.
    Raises CalendarError when a kind is unknown, a date occurs twice, or a session closes before it opens.
    """
    by = f"{IMPORTED}:{source}"[:60]
    _check(days)
    # On their own, the imported days would look like the whole calendar.
    _ensure_seed(days["date"].max(), run_id)
    stored = {row.date: row for row in MarketDay.objects.all()}
    if "source" in days:
        days = days.loc[[not _is_stored(row, stored) for row in _rows(_day_rows(days))]]
    frame = _day_rows(days.assign(source=by))
    if run_id is None:
        _make_final(frame["date"].tolist())
    recorded = _record(list(_rows(frame)), stored, run_id)
    years = _cover({*covers, *listed_years(frame)}, by, run_id)
    missing = weekday_sessions(years)
    missing = missing[~missing["date"].isin([*stored, *frame["date"]])]
    weekdays = _record(list(_rows(missing)), {}, run_id)
    return RecordedDays(recorded.added + weekdays.added, recorded.changed, covers=tuple(sorted(years)))


def record_edited_day(day: MarketDay) -> None:
    """Write a day as an operator entered it; it overrules every source until `withdraw_days`."""
    with transaction.atomic():
        _ensure_seed(day.date, None)
        _forget_images([day.date])
        day.source, day.run_id = OPERATOR, None
        day.save()


def withdraw_days(days: Collection[date]) -> None:
    """Take a person's days back: at once they are again what the other sources say.

    Raises ProviderError when the provider cannot be asked; then nothing is changed.
    """
    feed = provider(settings.MARKET_DATA_PROVIDER)
    offered = _with_weekdays(seeded_days(feed.market_days(max(days)), feed.calendar))
    with transaction.atomic():
        _forget_images(days)
        MarketDay.objects.filter(date__in=days).delete()
        _record(list(_rows(offered[offered["date"].isin(list(days))])), {}, None)


def withdraw_years(years: Collection[int]) -> None:
    """Take the coverage of years by imports back, and with it the sessions that nothing but it made."""
    with transaction.atomic():
        CalendarYear.objects.filter(year__in=years).delete()
        MarketDay.objects.filter(date__year__in=years, source=WEEKDAY).delete()


def planned_sessions(source: Provider, as_of: date) -> Callable[[date, date], list[date]]:
    """Return `sessions_between` as the next seed will know it: with what the provider's lists say now.

    A download asks it, so that a session announced in a list is fetched in the same evening.
    """

    def sessions(start: date, end: date) -> list[date]:
        try:
            offered = source.market_days(as_of)
        except SourceUnreadable:  # a download may replace the damaged list
            return sessions_between(start, end)
        seed = _with_weekdays(seeded_days(offered, source.calendar))
        by_person = [(row.date, row.is_session) for row in MarketDay.objects.all() if row.source.startswith(BY_PERSON)]
        days = dict(zip(seed["date"], seed["is_session"], strict=True)) | dict(by_person)
        years = [*covered_years(offered, source.calendar), *_stored_years()]
        return KnownDays.of(days.items(), years).between(start, end)

    return sessions


def is_session(day: date) -> bool:
    """Whether a day is a session; raises CalendarExhausted outside the known days."""
    calendar = known_days(day)
    calendar.require(day, day)
    return calendar.sessions.get(day, False)


def sessions_between(start: date, end: date) -> list[date]:
    """Return the sessions from `start`, or the first known day, to `end`, inclusive.

    Raises CalendarExhausted when a day in between is not known.
    """
    return known_days(end).between(start, end)


def session_on_or_before(day: date) -> date:
    """Return the day itself if it is a session, else the last one before it; raises CalendarExhausted."""
    calendar = known_days(day)
    calendar.require(day, day)
    for earlier in reversed(calendar.sessions):
        if earlier <= day and calendar.sessions[earlier]:
            calendar.require(earlier, day)
            return earlier
    raise CalendarExhausted(
        f"No session on or before {day} is known; import older market days with import_market_days."
    )


def next_session(day: date) -> date:
    """Return the first session after a day; raises CalendarExhausted when none is known."""
    calendar = known_days(day)
    later = next((later for later, session in calendar.sessions.items() if later > day and session), None)
    if later is None or calendar.first_unknown(day + ONE_DAY, later):
        raise CalendarExhausted(f"No session after {day} is known; add market days with import_market_days.")
    return later


def latest_completed_session(now: datetime) -> date:
    """Return the last session whose trading is over; `now` has a time zone.

    Today's session counts from its close on; one whose hours are unknown counts from the next day on. Raises
    CalendarExhausted when the moment lies beyond the known days.
    """
    local = now.astimezone(IST)
    today = MarketDay.objects.filter(date=local.date(), is_session=True).first() or _seeded_session(local.date())
    is_over = today is not None and today.close is not None and local.time() >= today.close
    return session_on_or_before(local.date() if is_over else local.date() - ONE_DAY)


def known_days(until: date) -> KnownDays:
    """Return the stored calendar; before the first seed, the one that it would write for a day."""
    stored = list(MarketDay.objects.values_list("date", "is_session"))
    if stored:
        return KnownDays.of(stored, _stored_years())
    feed = provider(settings.MARKET_DATA_PROVIDER)
    offered = feed.market_days(until)
    days = seeded_days(offered, feed.calendar)
    return KnownDays.of(zip(days["date"], days["is_session"], strict=True), covered_years(offered, feed.calendar))


def _seeded_session(day: date) -> MarketDay | None:
    """Return a session as the first seed would write it; None once there is one."""
    if MarketDay.objects.exists():
        return None
    feed = provider(settings.MARKET_DATA_PROVIDER)
    rows = _rows(seeded_days(feed.market_days(day), feed.calendar))
    return next((row for row in rows if row.date == day and row.is_session), None)


def _stored_years() -> list[CoveredYear]:
    """Return the covered years; a back-up of an older version has none, and its seeded days were a whole calendar."""
    years = [CoveredYear(*year) for year in CalendarYear.objects.values_list("year", "first", "last", "source")]
    if years:
        return sorted(years)
    rows = MarketDay.objects.order_by("date").values_list("date", "source")
    seeded = [row for row in rows if not row[1].startswith(BY_PERSON)]
    return covered_span(seeded[0][0], seeded[-1][0], seeded[-1][1]) if seeded else []


def _ensure_seed(until: date, run_id: str | None) -> None:
    if not MarketDay.objects.exists():
        feed = provider(settings.MARKET_DATA_PROVIDER)
        record_market_days(feed.market_days(until), feed.calendar, run_id)
    elif not CalendarYear.objects.exists():
        _record_years(_stored_years(), run_id, keeps_all=True)


def _record_years(years: Iterable[CoveredYear], run_id: str | None, *, keeps_all: bool) -> None:
    """Write covered years, except over a person's; with `keeps_all` no stored year is narrowed or withdrawn."""
    stored = {row.year: row for row in CalendarYear.objects.all()}
    for year in years:
        old = stored.pop(year.year, None)
        if old is None:
            CalendarYear.objects.create(**year._asdict(), run_id=run_id)
            continue
        first, last = (min(year.first, old.first), max(year.last, old.last)) if keeps_all else (year.first, year.last)
        wanted = year._replace(first=first, last=last)
        if not old.source.startswith(BY_PERSON) and CoveredYear(old.year, old.first, old.last, old.source) != wanted:
            _change_year(wanted, run_id)
    gone = [year for year, old in stored.items() if not keeps_all and not old.source.startswith(BY_PERSON)]
    if gone and run_id:
        bulk.keep_before_images("market_years", "t.year = ANY(%s)", [gone], run_id)
    CalendarYear.objects.filter(year__in=gone).delete()


def _change_year(year: CoveredYear, run_id: str | None) -> None:
    row = CalendarYear.objects.filter(year=year.year)
    if run_id:
        bulk.keep_before_images("market_years", "t.year = %s", [year.year], run_id)
    else:
        row.update(run_id=None)
        RunUndo.objects.filter(table_name="market_years", row_image__year=year.year).delete()
    row.update(first=year.first, last=year.last, source=year.source)


def _cover(years: Collection[int], source: str, run_id: str | None) -> set[int]:
    """Cover whole years by a person's word, except those that a complete calendar covers; return which."""
    stored = {year.year: year for year in _stored_years()}
    covered = set()
    for year in sorted(years):
        old = stored.get(year)
        if old is None:
            CalendarYear.objects.create(**whole_year(year, source)._asdict(), run_id=run_id)
        elif old.source == WEEKDAY or old.source.startswith(BY_PERSON):
            _change_year(whole_year(year, source), run_id)
        else:
            continue
        covered.add(year)
    return covered


def _with_weekdays(days: pd.DataFrame) -> pd.DataFrame:
    """Add the weekdays of years that a person covers."""
    weekdays = weekday_sessions([year.year for year in _stored_years() if year.source.startswith(BY_PERSON)])
    missing = weekdays[~weekdays["date"].isin(days["date"])]
    records = [*days.itertuples(index=False, name=None), *missing.itertuples(index=False, name=None)]
    return day_frame(records) if len(missing) else days


def _day_rows(days: pd.DataFrame) -> pd.DataFrame:
    return day_frame(list(days[list(DAY_COLUMNS)].itertuples(index=False, name=None)))


def _is_stored(row: MarketDay, stored: dict[date, MarketDay]) -> bool:
    return row.date in stored and _content(stored[row.date]) == _content(row)


def _check(days: pd.DataFrame) -> None:
    unknown = set(days["kind"]) - set(MarketDay.Kind.values)
    if unknown:
        raise CalendarError(f"Kinds {sorted(unknown)} are unknown; use one of {', '.join(MarketDay.Kind.values)}.")
    repeated = days["date"][days["date"].duplicated()]
    if len(repeated):
        raise CalendarError(f"{repeated.iloc[0]} occurs twice; keep one line a day.")
    for row in days.to_dict("records"):
        if not pd.isna(row["open"]) and not pd.isna(row["close"]) and row["close"] <= row["open"]:
            raise CalendarError(
                f"{row['date']} closes at {row['close']} and opens at {row['open']}; correct the hours."
            )


def _make_final(days: Collection[date]) -> None:
    """Let no rollback of an earlier run change these days again."""
    MarketDay.objects.filter(date__in=days).update(run_id=None)
    _forget_images(days)


def _forget_images(days: Collection[date]) -> None:
    written = [day.isoformat() for day in days]
    RunUndo.objects.filter(table_name="market_days", row_image__date__in=written).delete()


def _record(rows: Iterable[MarketDay], stored: dict[date, MarketDay], run_id: str | None) -> RecordedDays:
    added, changed = [], []
    for row in rows:
        old = stored.get(row.date)
        if old is None:
            added.append(row)
        elif _content(old) != _content(row):
            changed.append(row)
    for row in added:
        row.run_id = run_id
    if run_id:
        bulk.keep_before_images("market_days", "t.date = ANY(%s)", [[row.date for row in changed]], run_id)
    MarketDay.objects.bulk_create(added, batch_size=2000)
    MarketDay.objects.bulk_update(changed, _CONTENT, batch_size=500)
    return RecordedDays(len(added), len(changed))


def _delete(days: list[date], run_id: str | None) -> None:
    if run_id:
        bulk.keep_before_images("market_days", "t.date = ANY(%s)", [days], run_id)
    MarketDay.objects.filter(date__in=days).delete()


def _rows(days: pd.DataFrame) -> Iterator[MarketDay]:
    for record in days.to_dict("records"):
        yield MarketDay(**{str(column): value for column, value in record.items()})


def _content(day: MarketDay) -> tuple[object, ...]:
    return tuple(getattr(day, name) for name in _CONTENT)
