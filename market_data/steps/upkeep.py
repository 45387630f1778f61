"""Single-step jobs around the pipeline: CSV export, quotes, cleanup."""

from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django_q.models import Task

from market_data.exports import files as export_files
from market_data.models import DailyBar, ImportedFile, PipelineRun, RunUndo
from market_data.providers import NotOffered, RawQuotes, provider
from market_data.runs import attempts, rollback
from market_data.runs.saga import StepContext, purges
from market_data.storage import writer as market_writer
from stocks.models import Stock

EXPORTS_KEPT_DAYS = 30
PROVISIONAL_DAYS = 14
"""Days back in which a broker's own bars make a symbol one of the market."""

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


def read_quotes(context: StepContext) -> RawQuotes | None:
    """Return the quotes of every symbol that has ever traded, by QUOTES_PROVIDER; None if it does not offer quotes."""
    # What only provisional bars know has no last session.
    recent = context.now.date() - timedelta(days=PROVISIONAL_DAYS)
    quoted = DailyBar.objects.filter(date__gte=recent, status=DailyBar.Status.PROVISIONAL).values("symbol_id")
    traded = Stock.objects.filter(Q(last_seen__isnull=False) | Q(symbol__in=quoted))
    symbols = list(traded.order_by("symbol").values_list("symbol", flat=True))
    try:
        return provider(settings.QUOTES_PROVIDER or context.run.provider).quotes(symbols, context.now)
    except NotOffered as error:
        context.summarise(quotes=str(error))
        return None


def record_quotes(context: StepContext, quotes: RawQuotes | None) -> int:
    """Store quotes, one per symbol and moment, and the rows set aside; count what was left out."""
    if quotes is None:
        return 0
    market_writer.record_rejected(quotes.rejects, context.run.id)
    context.summarise(
        quotes={
            "stored": (stored := market_writer.record_quotes(quotes.frame)),
            "of another day": quotes.other_day,
            "without a trade today": quotes.untraded,
            "rejected": len(quotes.rejects),
        },
        missing=list(quotes.missing) or "none",
    )
    return stored


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
