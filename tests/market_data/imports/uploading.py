"""Uploads of a test, their runs executed at once."""

from typing import Any

from market_data.models import ImportedFile, PipelineRun
from market_data.runs import engine
from tradingsite.imports import uploads


def checked(kind: str, content: str | bytes, name: str = "rows.csv") -> ImportedFile:
    """Upload a file and check it."""
    raw = content.encode() if isinstance(content, str) else content
    file = uploads.store_upload(raw, name, kind, "asha")
    uploads.start_check(file, "asha")
    file.refresh_from_db()
    engine.advance(file.check_run_id)
    return file


def report(file: ImportedFile) -> dict[str, Any]:
    """Report of the check."""
    return uploads.state_of(file).report


def imported(file: ImportedFile, *, only_good: bool = False) -> PipelineRun:
    """Import a checked file and return the finished run."""
    run = uploads.start_import(file, "asha", only_good=only_good)
    file.refresh_from_db()
    return engine.advance(run.id)
