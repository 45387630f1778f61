"""Single-step jobs around the pipeline: CSV export, quotes, cleanup."""

from datetime import date, timedelta
from typing import Any

import pandas as pd
from django.conf import settings
from django_q.models import Task

from market_data.exports import files as export_files
from market_data.models import ImportedFile, PipelineRun, RunUndo
from market_data.providers import NotOffered
from market_data.runs import attempts, rollback
from market_data.runs.saga import StepContext, purges
from market_data.steps.sources import run_provider
from market_data.storage import writer as market_writer
from stocks.models import Stock

EXPORTS_KEPT_DAYS = 30
RESULTS_KEPT_DAYS = 30
UPLOADS_KEPT_DAYS = 30
ATTEMPTS_KEPT_DAYS = 90
"""Longer than the thirty nights whose time at work is shown, and than a rollback is possible."""


def export(context: StepContext) -> export_files.PreparedExport:
    """Write the four CSV files and their manifest under temporary names."""
    return export_files.prepare_export(context.session, settings.EXPORT_DIR, context.run.id, context.report)


def record_export(context: StepContext, prepared: export_files.PreparedExport) -> int:
    """Put the files in place, while the fence is held, and list them in the run's summary."""
    export_files.put_in_place(prepared)
    context.summarise(files={file.name: file.rows for file in prepared.files})
    return sum(file.rows for file in prepared.files)


def read_quotes(context: StepContext) -> pd.DataFrame:
    """Return the provider's quotes of every symbol that has ever traded; none if it does not offer quotes."""
    symbols = list(Stock.objects.filter(last_seen__isnull=False).values_list("symbol", flat=True))
    try:
        return run_provider(context).quotes(symbols)
    except NotOffered as error:
        context.summarise(quotes=str(error))
        return pd.DataFrame()


def record_quotes(context: StepContext, quotes: pd.DataFrame) -> int:
    """Store quotes, one per symbol and moment."""
    return market_writer.record_quotes(quotes)


def purge_expired(context: StepContext, today: date) -> int:
    """Delete exports, queue results, uploads, attempts, images and what other apps registered, past their time."""
    purged: dict[str, Any] = {
        "exports": len(export_files.purge_exports(settings.EXPORT_DIR, today - timedelta(days=EXPORTS_KEPT_DAYS))),
        "queue results": Task.objects.filter(stopped__date__lt=today - timedelta(days=RESULTS_KEPT_DAYS)).delete()[0],
        "uploaded files": ImportedFile.objects.filter(
            uploaded_at__date__lt=today - timedelta(days=UPLOADS_KEPT_DAYS)
        ).delete()[0],
        "attempts": attempts.purge_attempts(today - timedelta(days=ATTEMPTS_KEPT_DAYS)),
        "undo rows": purge_undo(),
        **{name: purge(today) for name, purge in purges().items()},
    }
    context.summarise(removed=purged)
    return sum(purged.values())


def purge_undo() -> int:
    """Delete before-images of runs too old to be rolled back; return how many."""
    kept = PipelineRun.objects.filter(last_commit__gte=rollback.oldest_undoable_commit())
    return RunUndo.objects.exclude(run_id__in=kept.values("pk")).delete()[0]
