"""`manage.py import_market_days FILE`: the exchange's calendar out of a CSV file."""

from argparse import ArgumentParser
from datetime import time
from pathlib import Path
from typing import Any

import pandas as pd
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from market_data.job_command import parsed_date
from market_data.tables import ready_tables
from market_data.trading_calendar import CalendarError, record_imported_days

_NEEDED = ("date", "kind", "is_session")
_YES, _NO = {"1", "true", "yes"}, {"0", "false", "no"}


class Command(BaseCommand):
    """Imports market days; they overrule the library and the files."""

    help = (
        "Import market days from a CSV file with the columns date, kind, is_session"
        " and, where known, open and close (IST)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file."""
        parser.add_argument("file", type=Path, help="CSV file, for example: 2027-01-26,holiday,no,,")

    def handle(self, *_: object, **options: Any) -> None:
        """Read the whole file, then write it; nothing is written when a line is bad."""
        path: Path = options["file"]
        ready_tables(self.stderr)
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
        except (OSError, ValueError) as error:
            raise CommandError(f"{path} cannot be read as CSV: {error}.") from error
        missing = [column for column in _NEEDED if column not in table.columns]
        if missing:
            raise CommandError(
                f"{path} lacks the columns {', '.join(missing)}; its first line must name date, kind, is_session."
            )
        days = pd.DataFrame([_day(number, row) for number, row in enumerate(table.to_dict("records"), start=2)])
        try:
            with transaction.atomic():
                recorded = record_imported_days(days, path.name)
        except CalendarError as error:
            raise CommandError(f"{path}: {error}") from error
        self.stdout.write(f"{path.name}: {recorded.added} days added, {recorded.changed} changed.")


def _day(number: int, row: dict[Any, str]) -> dict[str, object]:
    try:
        said = row["is_session"].strip().lower()
        if said not in _YES | _NO:
            raise CommandError(f"is_session {said!r} is neither yes nor no")
        hours = {
            name: time.fromisoformat(text) if (text := row.get(name, "").strip()) else None
            for name in ("open", "close")
        }
        return {
            "date": parsed_date(row["date"].strip()),
            "kind": row["kind"].strip(),
            "is_session": said in _YES,
        } | hours
    except (CommandError, ValueError) as error:
        raise CommandError(f"Line {number}: {str(error).rstrip('.')}. Nothing was imported.") from error
