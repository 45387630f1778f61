"""`manage.py import_market_days FILE`: imports market days from a CSV file."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from market_data.calendar_sources import FEWEST_HOLIDAYS
from market_data.imports.kinds import KINDS
from market_data.imports.parsing import RowError, duplicate_errors, parsed_file
from market_data.runs.pending_migrations import apply_pending_migrations
from market_data.trading_calendar import CalendarError, RecordedDays, record_imported_days
from stocks.storage.file_contents import FIRST_DAY, LAST_DAY, LINE, FileUnreadable, file_bytes

_KIND = KINDS["market_days"]


def _year(text: str) -> int:
    if not text.isdecimal() or not FIRST_DAY.year <= int(text) <= LAST_DAY.year:
        raise ArgumentTypeError(f"{text[:20]} is not a year such as 2027")
    return int(text)


class Command(BaseCommand):
    help = (
        "Import market days from a CSV file with the columns date, kind, is_session"
        " and, where known, open and close (IST). They overrule the calendar library and the exchange's files."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="CSV file, for example: 2027-01-26,holiday,no,,")
        parser.add_argument(
            "--covers",
            type=_year,
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
        _refuse(path, _KIND.check(days.assign(date=pd.to_datetime(days["date"])), timezone.now()))
        try:
            with transaction.atomic():
                recorded = record_imported_days(days.drop(columns=LINE), path.name, covers=options["covers"])
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
    """Return the days of a file: date, kind, is_session, open, close, source, the unknown ones None, and ``LINE``.

    Raises
    ------
    CommandError
        When it is not such a table; the sentence names the file and, where one is wrong, the line.
    """
    try:
        file = parsed_file(file_bytes(path), path.name, _KIND.columns)
    except FileUnreadable as error:
        raise CommandError(f"{error} Nothing was imported.") from error
    _refuse(path, [*file.errors, *duplicate_errors(file.rows, _KIND.key)])
    return file.rows.assign(date=[stamp.date() for stamp in file.rows["date"]])


def _refuse(path: Path, errors: Sequence[RowError]) -> None:
    if errors:
        first = min(errors)
        raise CommandError(
            f"{path.name}, line {first.line}: {first.column} {first.value!r} {first.reason}. Nothing was imported."
        )
