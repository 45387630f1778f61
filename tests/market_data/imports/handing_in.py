"""Files handed in by a test, and their runs done at once."""

from typing import Any

from market_data.models import ImportedFile, PipelineRun
from market_data.runs import engine
from tradingsite.imports import uploads


def checked(kind: str, content: str | bytes, name: str = "rows.csv") -> ImportedFile:
    """Hand a file in and judge it."""
    raw = content.encode() if isinstance(content, str) else content
    file = uploads.store_upload(raw, name, kind, "asha")
    uploads.start_check(file, "asha")
    file.refresh_from_db()
    engine.advance(file.check_run_id)
    return file


def report(file: ImportedFile) -> dict[str, Any]:
    """Return what the check found."""
    return uploads.state_of(file).report


def imported(file: ImportedFile, *, only_good: bool = False) -> PipelineRun:
    """Write a judged file's rows; return the run as it ended."""
    run = uploads.start_import(file, "asha", only_good=only_good)
    file.refresh_from_db()
    return engine.advance(run.id)
