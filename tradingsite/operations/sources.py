"""What came from outside: the file of each of the last sessions, the lists beside it, what the next session brings."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Final

from django.db import connection

from market_data.models import CorporateAction, DailyBar, RunUndo, SourceFile
from market_data.quality.checks.facts import EVENTS_OLD_DAYS
from stocks.models import SymbolChange
from tradingsite.operations.evening import History, stored_sessions

SHOWN: Final = 6
_COMPARED: Final = 20
_UNUSUAL: Final = 0.10
_LISTED: Final = 12
_DAYS_BACK: Final = timedelta(days=20)


@dataclass(frozen=True)
class FileLine:
    """A session's file.

    Attributes
    ----------
    state : str
        ``absent``, ``provisional``, ``final`` or ``re-published``.
    rows_change, size_change : float or None
        Percent against the median of the last twenty files before it.
    is_unusual : bool
        Whether one of the two is off by more than a tenth.
    """

    session: date
    state: str
    name: str = ""
    rows: int = 0
    rejected: int = 0
    size: int = 0
    read_at: datetime | None = None
    rows_change: float | None = None
    size_change: float | None = None
    is_unusual: bool = False


def file_lines(until: date, history: History) -> list[FileLine]:
    """Return the files of the last sessions up to a day, newest first; a session without one is absent."""
    wanted = stored_sessions(until - _DAYS_BACK, until)[-SHOWN:]
    files = list(SourceFile.objects.filter(session__lte=until).order_by("-session")[: SHOWN + _COMPARED])
    days = sorted({*wanted, *(one.session for one in files[:SHOWN])}, reverse=True)[:SHOWN]
    # Sessions before all data are not missed.
    first = files[-1].session if files else None
    provisional = set(
        DailyBar.objects.filter(date__in=days, status=DailyBar.Status.PROVISIONAL)
        .order_by()
        .values_list("date", flat=True)
        .distinct()
    )
    again = _published_again(history)
    by_day = {one.session: place for place, one in enumerate(files)}
    lines = []
    for day in days:
        if day in by_day:
            place = by_day[day]
            state = "re-published" if day in again else "provisional" if day in provisional else "final"
            lines.append(_line(files[place], files[place + 1 : place + 1 + _COMPARED], state))
        elif first is not None and day > first:
            lines.append(FileLine(day, "absent"))
    return lines


def _line(file: SourceFile, before: list[SourceFile], state: str) -> FileLine:
    rows = _change(file.rows, [one.rows for one in before])
    size = _change(file.size, [one.size for one in before])
    return FileLine(
        session=file.session,
        state=state,
        name=file.name,
        rows=file.rows,
        rejected=file.rejected,
        size=file.size,
        read_at=file.read_at,
        rows_change=rows,
        size_change=size,
        is_unusual=any(one is not None and abs(one) > 100 * _UNUSUAL for one in (rows, size)),
    )


def _change(value: int, before: list[int]) -> float | None:
    usual = median(before) if before else 0
    return 100 * (value / usual - 1) if usual else None


def _published_again(history: History) -> set[date]:
    """Return the sessions whose file another one replaced in a recent run: an image of its row was kept then."""
    recent = [run.id for run in history.runs if run.job == "pipeline"][:20]
    images = RunUndo.objects.filter(run_id__in=recent, table_name="source_files")
    return {date.fromisoformat(day) for day in images.values_list("row_image__session", flat=True)}


@dataclass(frozen=True)
class ListLine:
    """What came beside the bars: how far it reaches, and how many days that lies before the evening's session."""

    name: str
    what: str
    latest: date | None
    age_days: int | None
    is_old: bool


_LISTS: Final = (
    # Name, what the day is, table and column (each the first of an index), condition, days after which it is old.
    ("Corporate actions", "last ex-date", "corporate_actions", "ex_date", "status = 'official'", EVENTS_OLD_DAYS),
    ("Report pack", "of", "exchange_facts", "date", "true", 7),
    ("Screener", "evening of", "fundamental_snapshots", "snapshot", "true", 7),
    ("Statements", "period to", "financial_statements", "period_end", "true", 200),
)


def list_lines(session: date) -> list[ListLine]:
    """Return the exchange's lists and the fundamentals with their latest day up to a session."""
    latest = ", ".join(
        f"(SELECT max({column}) FROM {table} WHERE {column} <= %s AND {condition})"
        for _, _, table, column, condition, _ in _LISTS
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {latest}", [session] * len(_LISTS))
        days = cursor.fetchone() or ()
    return [
        ListLine(name, what, day, (session - day).days if day else None, day is None or (session - day).days > old)
        for (name, what, _, _, _, old), day in zip(_LISTS, days, strict=True)
    ]


@dataclass(frozen=True)
class Ahead:
    """What the next session brings: texts of (symbol, what), with how many there are beyond those listed."""

    following: date | None
    ex_dates: list[tuple[str, str]]
    renames: list[tuple[str, str]]
    series: list[tuple[str, str]]
    ex_dates_more: int = 0

    @property
    def is_quiet(self) -> bool:
        """Return whether nothing is known to happen."""
        return not (self.ex_dates or self.renames or self.series)


_SERIES = (
    "SELECT n.symbol, o.series, n.series FROM historical_data n JOIN historical_data o"
    " ON o.symbol = n.symbol AND o.date = %s WHERE n.date = %s AND n.series <> o.series ORDER BY n.symbol LIMIT %s"
)


def _ex_dates(day: date) -> list[tuple[str, str, str]]:
    events = CorporateAction.objects.filter(ex_date=day).exclude(status=CorporateAction.Status.REJECTED)
    return list(events.order_by("symbol").values_list("symbol", "kind", "purpose"))


def ahead(session: date, previous: date | None, following: date | None) -> Ahead:
    """Return the next session's ex-dates, renames that took effect with or after the session, and moves of series."""
    named = _ex_dates(following) if following else []
    changes = SymbolChange.objects.filter(date__gte=session).order_by("date", "to_symbol")[:_LISTED]
    with connection.cursor() as cursor:
        cursor.execute(_SERIES, [previous, session, _LISTED])
        moved = cursor.fetchall()
    return Ahead(
        following=following,
        ex_dates=[(symbol, purpose or kind) for symbol, kind, purpose in named[:_LISTED]],
        renames=[(one.from_symbol, f"is {one.to_symbol} from {one.date:%d %b}") for one in changes],
        series=[(symbol, f"{old} → {new}") for symbol, old, new in moved],
        ex_dates_more=max(0, len(named) - _LISTED),
    )
