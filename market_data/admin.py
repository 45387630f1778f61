"""Bars, indicators, the calendar and the runs in the admin; runs can be started and retried from their lists."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.admin import TabularInline

from market_data import runs, tasks
from market_data.models import (
    CorporateAction,
    DailyBar,
    Finding,
    Heartbeat,
    MarketDay,
    PipelineRun,
    PipelineStep,
    Quote,
    RejectedRow,
    RunUndo,
    SourceFile,
    TableTotal,
    TechnicalIndicator,
)
from market_data.saga import SagaError
from market_data.trading_calendar import CalendarExhausted
from stocks.admin import DatedAdmin, ReadOnlyAdmin, TableAdmin, coloured

_COLOURS = {
    "running": "info",
    "waiting": "warning",
    "completed": "success",
    "failed": "danger",
    "errored": "danger",
    "error": "danger",
    "warning": "warning",
    "info": "info",
}


def start_jobs(request: HttpRequest, jobs: Iterable[str]) -> None:
    """Start jobs for the latest completed session and tell the person what happened to each."""
    for job in jobs:
        try:
            run = tasks.trigger(job, triggered_by=request.user.get_username())
        except (SagaError, CalendarExhausted) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"{job} started as {run.id}.")


def retry_runs(request: HttpRequest, run_ids: Iterable[str]) -> None:
    """Go on with failed runs on their own rows and tell the person what happened to each."""
    for run_id in run_ids:
        try:
            run, names = runs.retry_failed(run_id, triggered_by=request.user.get_username())
        except (SagaError, CalendarExhausted) as error:
            messages.error(request, str(error))
        else:
            tasks.deliver(run)
            messages.success(request, f"{run.id} goes on with {', '.join(names)}.")


class OperatedAdmin(ReadOnlyAdmin):
    """Rows that nobody edits, with actions for those who may operate the system."""

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Return whether the person may start and retry runs."""
        return bool(request.user.has_perm("market_data.change_pipelinerun"))


class StepInline(TabularInline):
    """The steps below their run."""

    model = PipelineStep
    fields = (
        "order",
        "name",
        "status",
        "progress",
        "records_processed",
        "attempts",
        "started_at",
        "ended_at",
        "reason",
    )
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: PipelineRun | None = None) -> bool:
        """Return False."""
        return False


@admin.register(PipelineRun)
class PipelineRunAdmin(OperatedAdmin):
    """Runs of jobs."""

    list_display = ("id", "job", "session", "state", "triggered_by", "started_at", "ended_at", "reason")
    list_filter = ("job", "status")
    search_fields = ("id",)
    inlines = (StepInline,)
    actions = ("run_again", "retry")

    @coloured("status", _COLOURS)
    def state(self, run: PipelineRun) -> tuple[str, str]:
        """Return the status with its colour."""
        return run.status, run.get_status_display()

    @admin.action(description="Run the job again, for the latest session", permissions=["operate"])
    def run_again(self, request: HttpRequest, chosen: "QuerySet[PipelineRun]") -> None:
        """Start the chosen runs' jobs, each once."""
        start_jobs(request, sorted(set(chosen.values_list("job", flat=True))))

    @admin.action(description="Retry failed steps", permissions=["operate"])
    def retry(self, request: HttpRequest, chosen: "QuerySet[PipelineRun]") -> None:
        """Go on with the chosen runs."""
        retry_runs(request, chosen.order_by("sequence").values_list("id", flat=True))


@admin.register(PipelineStep)
class PipelineStepAdmin(OperatedAdmin):
    """Steps of runs."""

    list_display = (
        "run",
        "order",
        "name",
        "state",
        "share",
        "records_processed",
        "attempts",
        "started_at",
        "ended_at",
        "reason",
    )
    list_display_links = ("run", "name")
    list_filter = ("status", "run__job", "name")
    search_fields = ("run__id", "name")
    list_select_related = ("run",)
    ordering = ("-run__sequence", "order")
    actions = ("run_again", "retry")
    exclude = ("log_lines", "traceback")
    readonly_fields = ("log", "trace")

    @coloured("status", _COLOURS)
    def state(self, step: PipelineStep) -> tuple[str, str]:
        """Return the status with its colour."""
        return step.status, step.get_status_display()

    @admin.display(description="progress", ordering="progress")
    def share(self, step: PipelineStep) -> str:
        """Return the progress as a percentage."""
        return f"{step.progress:.0%}"

    @admin.display(description="log")
    def log(self, step: PipelineStep) -> SafeString:
        """Return the step's log lines, one a line."""
        return _lines(step.log_lines)

    @admin.display(description="traceback")
    def trace(self, step: PipelineStep) -> SafeString:
        """Return where it broke."""
        return _lines(step.traceback.splitlines())

    @admin.action(description="Run the step's job again, for the latest session", permissions=["operate"])
    def run_again(self, request: HttpRequest, chosen: "QuerySet[PipelineStep]") -> None:
        """Start the jobs of the chosen steps, each once."""
        start_jobs(request, sorted(set(chosen.values_list("run__job", flat=True))))

    @admin.action(description="Retry the failed steps of its run", permissions=["operate"])
    def retry(self, request: HttpRequest, chosen: "QuerySet[PipelineStep]") -> None:
        """Go on with the runs of the chosen steps."""
        retry_runs(request, dict.fromkeys(chosen.order_by("run__sequence").values_list("run_id", flat=True)))


def _lines(lines: Iterable[Any]) -> SafeString:
    return format_html_join("\n", "<div>{}</div>", ((str(line),) for line in lines))


@admin.register(DailyBar)
class DailyBarAdmin(DatedAdmin):
    """Daily bars."""

    import_kind = "historical_bars"
    list_display = (
        "ticker",
        "date",
        "series",
        "open",
        "high",
        "low",
        "close",
        "adj_close",
        "volume",
        "status",
        "source",
    )
    # Only choices: a filter that lists a column's values would read the whole table.
    list_filter = ("status",)


@admin.register(TechnicalIndicator)
class TechnicalIndicatorAdmin(DatedAdmin):
    """Indicators."""

    list_display = ("ticker", "date", "rsi_14", "macd", "signal_line", "sma_20", "sma_50", "sma_200", "atr_percentage")


@admin.register(Quote)
class QuoteAdmin(ReadOnlyAdmin):
    """Prices seen during a session."""

    list_display = ("symbol_name", "at", "last_price", "volume", "source")
    ordering = ("-at",)
    search_fields = ("=symbol__symbol",)
    list_select_related = False

    @admin.display(description="symbol", ordering="symbol_id")
    def symbol_name(self, quote: Quote) -> str:
        """Return the symbol without reading the stock's row."""
        return str(quote.symbol_id)


@admin.register(MarketDay)
class MarketDayAdmin(TableAdmin):
    """The exchange's calendar; a holiday that was announced late is corrected here."""

    import_kind = "market_days"
    list_display = ("date", "kind", "is_session", "open", "close", "source")
    list_filter = ("kind", "is_session", "source")
    date_hierarchy = "date"


@admin.register(CorporateAction)
class CorporateActionAdmin(ReadOnlyAdmin):
    """Corporate actions and their factors."""

    list_display = ("symbol", "ex_date", "kind", "factor", "status", "known_on", "purpose", "source")
    list_filter = ("kind", "status", "source")
    search_fields = ("=symbol", "purpose")
    date_hierarchy = "ex_date"


@admin.register(SourceFile)
class SourceFileAdmin(ReadOnlyAdmin):
    """Files that were read."""

    list_display = ("session", "name", "rows", "rejected", "size", "read_at", "run_id")
    search_fields = ("name",)
    date_hierarchy = "session"


@admin.register(RunUndo)
class RunUndoAdmin(ReadOnlyAdmin):
    """Rows as they were before a run."""

    list_display = ("id", "run_id", "table_name")
    search_fields = ("=run_id",)
    search_help_text = "A run, for example pipeline_20261004_210000"
    ordering = ("-id",)


@admin.register(RejectedRow)
class RejectedRowAdmin(ReadOnlyAdmin):
    """Rows that were not taken."""

    list_display = ("session", "symbol", "reason", "source", "raw", "run_id")
    search_fields = ("=symbol", "=run_id", "=source")
    search_help_text = "A symbol, a run or a file, exactly as it is written"
    ordering = ("-id",)


@admin.register(Finding)
class FindingAdmin(ReadOnlyAdmin):
    """What the checks found."""

    list_display = ("session", "level", "check_name", "symbol", "message", "blocks", "remedy")
    list_filter = ("severity", "blocks", "check_name")
    search_fields = ("=symbol", "message")
    date_hierarchy = "session"

    @coloured("severity", _COLOURS)
    def level(self, finding: Finding) -> tuple[str, str]:
        """Return the severity with its colour."""
        return finding.severity, finding.get_severity_display()


@admin.register(TableTotal)
class TableTotalAdmin(ReadOnlyAdmin):
    """Totals of the big tables, kept by their writers."""

    list_display = ("table_name", "rows", "symbols", "latest_date", "updated_at")


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    """Signs of life of the clusters."""

    list_display = ("cluster", "finished_at", "worker")
