"""`manage.py import_market_days FILE`: imports market days from a CSV file."""

from argparse import ArgumentParser
from datetime import time
from pathlib import Path
from typing import Any

import pandas as pd
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from market_data.calendar_sources import FEWEST_HOLIDAYS
from market_data.models import MarketDay
from market_data.runs.command import parse_date
from market_data.runs.pending_migrations import apply_pending_migrations
from market_data.trading_calendar import CalendarError, RecordedDays, record_imported_days
from stocks.storage.file_contents import FIRST_DAY, LAST_DAY, FileUnreadable, decoded_text, file_bytes, text_table

_REQUIRED = ("date", "kind", "is_session")
_YES, _NO = {"1", "true", "yes"}, {"0", "false", "no"}


class Command(BaseCommand):
    help = (
        "Import market days from a CSV file with the columns date, kind, is_session"
        " and, where known, open and close (IST). They overrule the calendar library and the exchange's files."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="CSV file, for example: 2027-01-26,holiday,no,,")
        parser.add_argument(
            "--covers",
            type=int,
            nargs="+",
            default=(),
            metavar="YEAR",
            help=(
                "years of which the file lists all holidays, so that their other weekdays are sessions (default: those"
                f" with {FEWEST_HOLIDAYS} or more holidays on weekdays, half a year apart)"
            ),
        )

    def handle(self, *_: object, **options: Any) -> None:
        path: Path = options["file"]
        apply_pending_migrations(self.stderr)
        days = imported_days(path)
        try:
            with transaction.atomic():
                recorded = record_imported_days(days, path.name, covers=options["covers"])
        except CalendarError as error:
            raise CommandError(f"{path}: {error}") from error
        self.stdout.write(f"{path.name}: {recorded.added} days added, {recorded.changed} changed.")
        self.stdout.write(coverage_note(recorded))


def coverage_note(recorded: RecordedDays) -> str:
    """Return what an import means for the days that it does not list."""
    if recorded.covers:
        years = ", ".join(map(str, recorded.covers))
        return f"{years} counts as listed completely: its other weekdays are sessions."
    return (
        "Days that the file does not list stay as they were. If it lists all holidays of a coming year, say so with"
        " --covers YEAR."
    )


def imported_days(path: Path) -> pd.DataFrame:
    """Return the days of a file: date, kind, is_session, open, close (times or None).

    Raises
    ------
    CommandError
        When it is not such a table; the sentence names the file and, where one is wrong, the line.
    """
    try:
        table, rejected = text_table(decoded_text(file_bytes(path), path.name), path.name)
    except FileUnreadable as error:
        raise CommandError(f"{error} Nothing was imported.") from error
    if rejected:
        line, reason, raw = rejected[0]
        raise CommandError(f"{path.name}, line {line}: {reason} ({raw[:80]!r}). Nothing was imported.")
    missing = [column for column in _REQUIRED if column not in table.columns]
    if missing:
        raise CommandError(
            f"{path} lacks the columns {', '.join(missing)}; its first line must name date, kind, is_session."
        )
    return pd.DataFrame([_day(number, row) for number, row in enumerate(table.to_dict("records"), start=2)])


def _day(number: int, row: dict[Any, str]) -> dict[str, object]:
    try:
        is_session, kind, day = row["is_session"].lower(), row["kind"], parse_date(row["date"])
        if is_session not in _YES | _NO:
            raise CommandError(f"is_session {is_session!r} is neither yes nor no")
        if not FIRST_DAY.date() <= day <= LAST_DAY.date():
            raise CommandError(f"{day} lies outside {FIRST_DAY:%Y} to {LAST_DAY:%Y}")
        if kind == MarketDay.Kind.HOLIDAY and is_session in _YES:
            raise CommandError(f"{day} is both a holiday and a session; only one can be true")
        hours = {name: _hour(row.get(name, "")) for name in ("open", "close")}
    except (CommandError, ValueError) as error:
        raise CommandError(f"Line {number}: {str(error).rstrip('.')}. Nothing was imported.") from error
    return {"date": day, "kind": kind, "is_session": is_session in _YES} | hours


def _hour(text: str) -> time | None:
    hour = time.fromisoformat(text) if text else None
    if hour and hour.tzinfo:
        raise CommandError(f"{text} names a time zone; write Indian time, for example 09:15")
    return hour
