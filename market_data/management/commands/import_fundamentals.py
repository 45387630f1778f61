"""`manage.py import_fundamentals`: statements and screener evenings out of a folder of files."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pandas as pd
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from market_data import ingest
from market_data.models import RejectedRow
from market_data.tables import ready_tables
from stocks.fundamentals_files import FundamentalsUnreadableError
from stocks.statements import Imported, import_fundamentals

_KEY = ["symbol", "session", "source", "reason"]


class Command(BaseCommand):
    """Import statements and snapshots; the same files again change nothing."""

    help = (
        "Import company statements and screener snapshots from FUNDAMENTALS_DIR; the same files again change nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--dir`, `--dry-run` and `--json`."""
        parser.add_argument("--dir", type=Path, help="folder of the files (default: FUNDAMENTALS_DIR)")
        parser.add_argument("--dry-run", action="store_true", help="read and judge the files, write nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *_: object, **options: Any) -> None:
        """Read, record, and say what came of it.

        Raises
        ------
        CommandError
            No folder is named, nothing usable is in it, or a file is damaged; nothing is written then.
        """
        ready_tables(self.stderr)
        folder = options["dir"] or settings.FUNDAMENTALS_DIR
        if folder is None:
            raise CommandError("No folder is named: set FUNDAMENTALS_DIR, or pass --dir.")
        run_id = f"import_fundamentals_{timezone.localtime():%Y%m%d_%H%M%S}"
        try:
            with transaction.atomic():
                done = import_fundamentals(Path(folder), run_id, dry_run=options["dry_run"])
                if not options["dry_run"]:
                    _record_rejects(done.rejects, run_id)
        except FundamentalsUnreadableError as error:
            raise CommandError(str(error)) from error
        report = _report(done, run_id)
        self.stdout.write(json.dumps(report) if options["json"] else _text(report, dry_run=options["dry_run"]))


def _record_rejects(rejects: pd.DataFrame, run_id: str) -> None:
    """Keep the refused figures in place of those that an earlier import of the same files left."""
    dates = pd.to_datetime(rejects["date"])
    days = [None if missing else day for missing, day in zip(dates.isna(), dates.dt.date, strict=True)]
    texts = (rejects[column].astype(str) for column in ("symbol", "source", "reason"))
    now = {(symbol, day, source, reason) for day, symbol, source, reason in zip(days, *texts, strict=True)}
    stored = RejectedRow.objects.filter(run_id__startswith="import_fundamentals_", source__in={key[2] for key in now})
    if now != set(stored.values_list(*_KEY)):
        stored.delete()
        ingest.record_rejected(rejects, run_id)


def _report(done: Imported, run_id: str) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "statements": {"read": done.statement_rows, **done.statements._asdict()},
        "snapshots": {"read": done.snapshot_rows, **done.snapshots._asdict()},
        "empty_rows": done.empty,
        "rejected": {str(reason): int(count) for reason, count in done.rejects["reason"].value_counts().items()},
    }


def _text(report: dict[str, Any], *, dry_run: bool) -> str:
    lines = ["Dry run: nothing was written." if dry_run else f"Imported as {report['run_id']}."]
    for name in ("statements", "snapshots"):
        part = report[name]
        lines.append(f"  {name:<11}{part['read']:>9,} read, {part['inserted']:,} inserted, {part['updated']:,} changed")
    lines.append(f"  {'empty':<11}{report['empty_rows']:>9,} rows without any figure, left out")
    lines.append(f"  {'rejected':<11}{sum(report['rejected'].values()):>9,} figures")
    lines += [f"  {count:>20,} {reason}" for reason, count in report["rejected"].items()]
    return "\n".join(lines)
