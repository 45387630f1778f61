"""`manage.py import_fundamentals`: imports statements and screener snapshots from a folder of files."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market_data.models import PipelineRun
from market_data.runs.command import execute_job, failure
from market_data.runs.pending_migrations import apply_pending_migrations
from market_data.steps import fundamentals as fundamentals_step
from stocks.fundamentals.files import FundamentalsUnreadableError
from stocks.fundamentals.writer import read_fundamentals, record_fundamentals


class Command(BaseCommand):
    help = (
        "Import company statements and screener snapshots from FUNDAMENTALS_DIR; the same files again change nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dir", type=Path, help="folder of the files (default: FUNDAMENTALS_DIR)")
        parser.add_argument("--dry-run", action="store_true", help="read and check the files, write nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *_: object, **options: Any) -> None:
        apply_pending_migrations(self.stderr)
        folder = options["dir"] or settings.FUNDAMENTALS_DIR
        if folder is None:
            raise CommandError("There is no folder to import: set FUNDAMENTALS_DIR, or pass --dir.")
        if not Path(folder).is_dir():
            raise CommandError(f"{folder} does not exist or is not a folder; pass the folder of the files as --dir.")
        report = _check(Path(folder)) if options["dry_run"] else _import(Path(folder))
        self.stdout.write(json.dumps(report) if options["json"] else _text(report, dry_run=options["dry_run"]))


def _check(folder: Path) -> dict[str, Any]:
    try:
        fundamentals = read_fundamentals(folder)
    except FundamentalsUnreadableError as error:
        raise CommandError(str(error)) from error
    return {"run_id": None, **fundamentals_step.report(record_fundamentals(fundamentals, "", dry_run=True))}


def _import(folder: Path) -> dict[str, Any]:
    run = execute_job("import_fundamentals", None, quiet=True, options={"folder": str(folder.resolve())})
    if run.status != PipelineRun.Status.COMPLETED:
        raise CommandError(failure(run))
    return {"run_id": run.id, **run.summary}


def _text(report: dict[str, Any], *, dry_run: bool) -> str:
    lines = ["Dry run: nothing was written." if dry_run else f"Imported as {report['run_id']}."]
    for name in ("statements", "snapshots"):
        part = report[name]
        lines.append(f"  {name:<11}{part['read']:>9,} read, {part['inserted']:,} inserted, {part['updated']:,} changed")
    lines.append(f"  {'empty':<11}{report['empty_rows']:>9,} rows without any figure, left out")
    lines.append(f"  {'rejected':<11}{sum(report['rejected'].values()):>9,} figures")
    lines += [f"  {count:>20,} {reason}" for reason, count in report["rejected"].items()]
    return "\n".join(lines)
