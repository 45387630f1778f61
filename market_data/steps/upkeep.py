"""Steps that hand out and tidy up: CSV export, quotes, cleanup."""

from datetime import date, timedelta
from typing import Any

import pandas as pd
from django.conf import settings
from django_q.models import Task

from market_data.exports import files as export_files
from market_data.models import ImportedFile, PipelineRun, RunUndo
from market_data.providers import NotOffered
from market_data.runs import rollback
from market_data.runs.saga import StepContext, purges
from market_data.steps.sources import as_of, run_provider
from market_data.storage import writer as market_writer
from stocks.models import Stock

EXPORTS_KEPT_DAYS = 30
RESULTS_KEPT_DAYS = 30
HANDED_IN_KEPT_DAYS = 30


def export(context: StepContext) -> export_files.PreparedExport:
    """Write the four CSV files and their manifest under temporary names."""
    return export_files.prepared_export(context.session, settings.EXPORT_DIR, context.run.id, context.report)


def record_export(context: StepContext, prepared: export_files.PreparedExport) -> int:
    """Put the files in place, while the fence is held, and keep in the run's summary what was written."""
    export_files.put_in_place(prepared)
    context.summarise(files={file.name: file.rows for file in prepared.files})
    return sum(file.rows for file in prepared.files)


def read_quotes(context: StepContext) -> pd.DataFrame:
    """Ask the provider for the prices of now."""
    symbols = list(Stock.objects.filter(last_seen__isnull=False).values_list("symbol", flat=True))
    try:
        return run_provider(context).quotes(symbols)
    except NotOffered as error:
        context.summarise(quotes=str(error))
        return pd.DataFrame()


def record_quotes(context: StepContext, quotes: pd.DataFrame) -> int:
    """Store quotes, each symbol and moment once."""
    return market_writer.record_quotes(quotes)


def old_things(context: StepContext) -> date:
    """Return the day whose age counts from."""
    return as_of(context)


def remove_old(context: StepContext, today: date) -> int:
    """Remove exports, queue results, undo data and picks past their time; nothing else."""
    removed: dict[str, Any] = {
        "exports": len(export_files.purge_exports(settings.EXPORT_DIR, today - timedelta(days=EXPORTS_KEPT_DAYS))),
        "queue results": Task.objects.filter(stopped__date__lt=today - timedelta(days=RESULTS_KEPT_DAYS)).delete()[0],
        "handed-in files": ImportedFile.objects.filter(
            uploaded_at__date__lt=today - timedelta(days=HANDED_IN_KEPT_DAYS)
        ).delete()[0],
        "undo rows": purge_undo(),
        **{name: remove(today) for name, remove in purges().items()},
    }
    context.summarise(removed=removed)
    return sum(removed.values())


def purge_undo() -> int:
    """Delete the images of runs that can no longer be rolled back: of all but the last ten nights."""
    kept = PipelineRun.objects.filter(sequence__gte=rollback.oldest_undoable_sequence())
    return RunUndo.objects.exclude(run_id__in=kept.values("pk")).delete()[0]
