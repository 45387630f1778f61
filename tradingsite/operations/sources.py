"""Inputs: the source file of each recent session, the lists and fundamentals, what the next session brings."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Final

from django.db import connection

from market_data.evenings.current_evening import stored_sessions
from market_data.evenings.recent_runs import RunHistory
from market_data.models import CorporateAction, DailyBar, RunUndo, SourceFile
from market_data.quality.checks.facts import EVENTS_OLD_DAYS
from stocks.models import SymbolChange
from tradingsite.operations.attention import COLOURS, Colour, Fact

SHOWN: Final = 6
_COMPARED: Final = 20
_UNUSUAL: Final = 0.10
_LISTED: Final = 12
_DAYS_BACK: Final = timedelta(days=20)


@dataclass(frozen=True)
class FileLine:
    """A session's file: ``absent``, ``provisional``, ``final`` or ``re-published``.

    Changes are in percent against the median of the twenty files before it; unusual is more than a tenth.
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


def file_lines(until: date, history: RunHistory) -> list[FileLine]:
    """Files of the last sessions up to a day, newest first; a session without one is ``absent``."""
    wanted = stored_sessions(until - _DAYS_BACK, until)[-SHOWN:]
    files = list(SourceFile.objects.filter(session__lte=until).order_by("-session")[: SHOWN + _COMPARED])
    days = sorted({*wanted, *(file.session for file in files[:SHOWN])}, reverse=True)[:SHOWN]
    # Sessions before the first file are not missing: they lie before all data.
    first = files[-1].session if files else None
    bars = DailyBar.objects.filter(date__in=days, status=DailyBar.Status.PROVISIONAL).order_by()
    provisional = set(bars.values_list("date", flat=True).distinct())
    republished = _republished_sessions(history)
    by_day = {file.session: place for place, file in enumerate(files)}
    lines = []
    for day in days:
        if day in by_day:
            place = by_day[day]
            state = "re-published" if day in republished else "provisional" if day in provisional else "final"
            lines.append(_line(files[place], files[place + 1 : place + 1 + _COMPARED], state))
        elif first is not None and day > first:
            lines.append(FileLine(day, "absent"))
    return lines


def _line(file: SourceFile, before: list[SourceFile], state: str) -> FileLine:
    rows = _change_pct(file.rows, [earlier.rows for earlier in before])
    size = _change_pct(file.size, [earlier.size for earlier in before])
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
        is_unusual=any(change is not None and abs(change) > 100 * _UNUSUAL for change in (rows, size)),
    )


def _change_pct(value: int, before: list[int]) -> float | None:
    usual = median(before) if before else 0
    return 100 * (value / usual - 1) if usual else None


def _republished_sessions(history: RunHistory) -> set[date]:
    """Sessions whose file was replaced in a recent run: the run kept a before-image of its row."""
    recent = [run.id for run in history.runs if run.job == "pipeline"][:20]
    images = RunUndo.objects.filter(run_id__in=recent, table_name="source_files")
    return {date.fromisoformat(day) for day in images.values_list("row_image__session", flat=True)}


@dataclass(frozen=True)
class ListLine:
    """A list or fundamentals: its latest day, and how many days that lies before the evening's session."""

    name: str
    meaning: str
    latest: date | None
    age_days: int | None
    is_old: bool

    @property
    def colour(self) -> Colour:
        """Of all these sources none is required: one that was never read is simply not in use."""
        if self.latest is None:
            return COLOURS[Fact.SOURCE_NOT_IN_USE]
        return COLOURS[Fact.SOURCE_OLD] if self.is_old else Colour.GREEN


_LISTS: Final = (
    # Name, meaning of the day, table and column (each leads an index), condition, days after which it is old.
    ("Corporate actions", "last ex-date", "corporate_actions", "ex_date", "status = 'official'", EVENTS_OLD_DAYS),
    ("Report pack", "of", "exchange_facts", "date", "true", 7),
    ("Screener", "evening of", "fundamental_snapshots", "snapshot", "true", 7),
    ("Statements", "period to", "financial_statements", "period_end", "true", 200),
)


def list_lines(session: date) -> list[ListLine]:
    """The exchange's lists and the fundamentals with their latest day up to a session."""
    latest = ", ".join(
        f"(SELECT max({column}) FROM {table} WHERE {column} <= %s AND {condition})"
        for _, _, table, column, condition, _ in _LISTS
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {latest}", [session] * len(_LISTS))
        days = cursor.fetchone() or ()
    return [
        ListLine(
            name, meaning, day, (session - day).days if day else None, day is not None and (session - day).days > old
        )
        for (name, meaning, _, _, _, old), day in zip(_LISTS, days, strict=True)
    ]


@dataclass(frozen=True)
class Ahead:
    """What the next session brings, as (symbol, text); `ex_dates_more` counts the ex-dates beyond those listed."""

    following: date | None
    ex_dates: list[tuple[str, str]]
    renames: list[tuple[str, str]]
    series: list[tuple[str, str]]
    ex_dates_more: int = 0

    @property
    def is_quiet(self) -> bool:
        return not (self.ex_dates or self.renames or self.series)


_SERIES = (
    "SELECT n.symbol, o.series, n.series FROM historical_data n JOIN historical_data o"
    " ON o.symbol = n.symbol AND o.date = %s WHERE n.date = %s AND n.series <> o.series ORDER BY n.symbol LIMIT %s"
)


def _ex_dates(day: date) -> list[tuple[str, str, str]]:
    events = CorporateAction.objects.filter(ex_date=day).exclude(status=CorporateAction.Status.REJECTED)
    return list(events.order_by("symbol").values_list("symbol", "kind", "purpose"))


def ahead(session: date, previous: date | None, following: date | None) -> Ahead:
    """The next session's ex-dates, renames in effect from the session on, and series moves on the session itself."""
    ex_dates = _ex_dates(following) if following else []
    changes = SymbolChange.objects.filter(date__gte=session).order_by("date", "to_symbol")[:_LISTED]
    with connection.cursor() as cursor:
        cursor.execute(_SERIES, [previous, session, _LISTED])
        series_moves = cursor.fetchall()
    return Ahead(
        following=following,
        ex_dates=[(symbol, purpose or kind) for symbol, kind, purpose in ex_dates[:_LISTED]],
        renames=[(change.from_symbol, f"is {change.to_symbol} from {change.date:%d %b}") for change in changes],
        series=[(symbol, f"{old} → {new}") for symbol, old, new in series_moves],
        ex_dates_more=max(0, len(ex_dates) - _LISTED),
    )
