"""The step that imports statements and screener evenings out of a folder of files, as a run that can be rolled back."""

from pathlib import Path

import pandas as pd

from market_data.models import RejectedRow
from market_data.runs.saga import StepContext
from market_data.storage import writer as market_writer
from stocks.fundamentals import writer as fundamentals_writer
from stocks.fundamentals.writer import FolderContents, ImportReport
from stocks.storage import bulk

_KEY = ["symbol", "session", "source", "reason"]


def read(context: StepContext) -> FolderContents:
    """Read the folder named in the run's options."""
    return fundamentals_writer.read_fundamentals(Path(context.run.options["folder"]))


def record(context: StepContext, found: FolderContents) -> int:
    """Store statements, snapshots and the refused figures."""
    done = fundamentals_writer.record_fundamentals(found, context.run.id)
    record_rejects(done.rejects, context.run.id)
    context.summarise(**report(done))
    return done.statements.total + done.snapshots.total


def report(done: ImportReport) -> dict[str, object]:
    """Return what an import did as plain values."""
    return {
        "statements": {"read": done.statement_rows, **done.statements._asdict()},
        "snapshots": {"read": done.snapshot_rows, **done.snapshots._asdict()},
        "empty_rows": done.empty,
        "rejected": {str(reason): int(count) for reason, count in done.rejects["reason"].value_counts().items()},
    }


def record_rejects(rejects: pd.DataFrame, run_id: str) -> None:
    """Keep the refused figures in place of those that an earlier import of the same files left."""
    dates = pd.to_datetime(rejects["date"])
    days = [None if missing else day for missing, day in zip(dates.isna(), dates.dt.date, strict=True)]
    texts = (rejects[column].astype(str) for column in ("symbol", "source", "reason"))
    now = {(symbol, day, source, reason) for day, symbol, source, reason in zip(days, *texts, strict=True)}
    sources = sorted({key[2] for key in now})
    stored = RejectedRow.objects.filter(run_id__startswith="import_fundamentals_", source__in=sources)
    if now != set(stored.values_list(*_KEY)):
        earlier = "t.run_id LIKE 'import\\_fundamentals\\_%%' AND t.source = ANY(%s)"
        bulk.delete("rejected_rows", earlier, [sources], run_id)
        market_writer.record_rejected(rejects, run_id)
