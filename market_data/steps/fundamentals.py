"""READ_FILES: statements and screener snapshots from a folder, imported as a run that can be rolled back."""

from pathlib import Path

import pandas as pd

from market_data.models import RejectedRow
from market_data.runs.saga import StepContext
from market_data.storage import writer as market_writer
from stocks.fundamentals import writer as fundamentals_writer
from stocks.fundamentals.writer import FolderContents, ImportReport
from stocks.storage import bulk

_REJECT_KEY = ("symbol", "session", "source", "reason")


def read_folder(context: StepContext) -> FolderContents:
    """Read the folder named in the run's options."""
    return fundamentals_writer.read_fundamentals(Path(context.run.options["folder"]))


def record_folder(context: StepContext, contents: FolderContents) -> int:
    """Store statements, snapshots and the rejected figures."""
    imported = fundamentals_writer.record_fundamentals(contents, context.run.id)
    record_rejects(imported.rejects, context.run.id)
    context.summarise(**report(imported))
    return imported.statements.total + imported.snapshots.total


def report(imported: ImportReport) -> dict[str, object]:
    """Return the counts of an import as JSON values."""
    return {
        "statements": {"read": imported.statement_rows, **imported.statements._asdict()},
        "snapshots": {"read": imported.snapshot_rows, **imported.snapshots._asdict()},
        "empty_rows": imported.empty,
        "rejected": {str(reason): int(count) for reason, count in imported.rejects["reason"].value_counts().items()},
    }


def record_rejects(rejects: pd.DataFrame, run_id: str) -> None:
    """Store rejected figures in place of those from earlier imports of the same files; equal ones stay as they are."""
    dates = pd.to_datetime(rejects["date"])
    days = [None if missing else day for missing, day in zip(dates.isna(), dates.dt.date, strict=True)]
    texts = (rejects[column].astype(str) for column in ("symbol", "source", "reason"))
    keys = {(symbol, day, source, reason) for day, symbol, source, reason in zip(days, *texts, strict=True)}
    sources = sorted({source for _, _, source, _ in keys})
    stored = RejectedRow.objects.filter(run_id__startswith="import_fundamentals_", source__in=sources)
    if keys != set(stored.values_list(*_REJECT_KEY)):
        earlier = "t.run_id LIKE 'import\\_fundamentals\\_%%' AND t.source = ANY(%s)"
        bulk.delete("rejected_rows", earlier, [sources], run_id)
        market_writer.record_rejected(rejects, run_id)
