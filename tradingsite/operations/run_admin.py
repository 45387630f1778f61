"""Runs, steps and held evenings in the admin: lists with actions, and a page of its own for each run."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from market_data.models import EveningHold, PipelineRun, PipelineStep, StepAttempt
from market_data.runs import attempts
from market_data.runs.saga import job_title
from stocks.admin import ReadOnlyAdmin, coloured
from tradingsite.operations import actions, failed_runs, jobs, run_page
from tradingsite.operations.actions import ActionResult
from tradingsite.operations.rights import may_operate
from tradingsite.operations.tonight import duration
from tradingsite.operations.views import perform, run_url

_COLOURS = {
    "running": "info",
    "waiting": "warning",
    "completed": "success",
    "failed": "danger",
    "errored": "danger",
    "lost": "danger",
    "waited": "warning",
    "postponed": "warning",
    "cancelled": "warning",
}


def start_jobs(request: HttpRequest, names: Iterable[str]) -> None:
    """Start jobs for the latest completed session and show what became of each."""
    _perform_on_each(request, map(jobs.slug_of, names), actions.start_job)


def _perform_on_each(
    request: HttpRequest, targets: Iterable[Any], action: Callable[[AbstractUser, Any], ActionResult]
) -> None:
    user = cast("AbstractUser", request.user)
    for target in targets:
        perform(request, partial(action, user, target))


class OperatedAdmin(ReadOnlyAdmin):
    """Read-only rows with actions for users who may operate the system."""

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return may_operate(request.user)


@admin.register(PipelineRun)
class PipelineRunAdmin(OperatedAdmin):
    list_display = ("id", "job", "session", "state", "triggered_by", "started_at", "took", "reason")
    list_filter = (failed_runs.UnresolvedFilter, "job", "status", "triggered_by")
    search_fields = ("id",)
    date_hierarchy = "session"
    actions = ("run_again", "retry", "resume", "hold", "cancel", "roll_back")
    change_form_template = "operations/run.html"

    @coloured("status", _COLOURS)
    def state(self, run: PipelineRun) -> tuple[str, str]:
        return run.status, run.get_status_display()

    def get_queryset(self, request: HttpRequest) -> "QuerySet[PipelineRun]":
        runs: QuerySet[PipelineRun] = super().get_queryset(request)
        return runs.annotate(worked=attempts.time_at_work())

    @admin.display(description="took")
    def took(self, run: PipelineRun) -> str:
        worked: timedelta | None = getattr(run, "worked", None)
        return duration(worked.total_seconds()) if worked is not None and run.ended_at else "–"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *rest: Any, **more: Any
    ) -> HttpResponse:
        """Show the run's own page instead of a form."""
        run = more.get("obj") or context["original"]
        context |= run_page.run_context(run, timezone.now())
        context |= {"title": f"{job_title(run.job)} {run.session or ''}".strip(), "subtitle": None}
        context |= {"may_operate": self.has_operate_permission(request)}
        response: HttpResponse = super().render_change_form(request, context, *rest, **more)
        return response

    @admin.action(description="Run the job again, for the latest session", permissions=["operate"])
    def run_again(self, request: HttpRequest, selected: "QuerySet[PipelineRun]") -> None:
        start_jobs(request, sorted(set(selected.values_list("job", flat=True))))

    @admin.action(description="Retry failed steps", permissions=["operate"])
    def retry(self, request: HttpRequest, selected: "QuerySet[PipelineRun]") -> None:
        _perform_on_each(request, _ids(selected), actions.retry_failed)

    @admin.action(description="Resume cancelled or lost runs", permissions=["operate"])
    def resume(self, request: HttpRequest, selected: "QuerySet[PipelineRun]") -> None:
        _perform_on_each(request, _ids(selected), actions.resume)

    @admin.action(description="Hold the evening of the run", permissions=["operate"])
    def hold(self, request: HttpRequest, selected: "QuerySet[PipelineRun]") -> None:
        one_per_evening = {run.session: run.id for run in selected.order_by("-sequence")}
        _perform_on_each(request, one_per_evening.values(), actions.hold_evening_of_run)

    @admin.action(description="Cancel active runs", permissions=["operate"])
    def cancel(self, request: HttpRequest, selected: "QuerySet[PipelineRun]") -> None:
        _perform_on_each(request, _ids(selected), actions.cancel)

    @admin.action(description="Roll back… (one run; asks for confirmation)", permissions=["operate"])
    def roll_back(self, request: HttpRequest, selected: "QuerySet[PipelineRun]") -> HttpResponse | None:
        """Redirect to the page that shows what would change and asks for confirmation."""
        run_ids = list(selected.values_list("pk", flat=True)[:2])
        if len(run_ids) > 1:
            messages.error(request, "Select one run: each rollback is reviewed and confirmed on its own.")
            return None
        return redirect(reverse("operations:roll-back", args=run_ids))


def _ids(selected: "QuerySet[PipelineRun]") -> list[str]:
    return list(selected.order_by("sequence").values_list("id", flat=True))


@admin.register(PipelineStep)
class PipelineStepAdmin(OperatedAdmin):
    list_display = ("of_run", "name", "state", "share", "records_processed", "attempts", "started_at", "reason")
    list_display_links = ("name",)
    list_filter = ("status", "run__job", "name")
    search_fields = ("run__id", "name")
    list_select_related = ("run",)
    ordering = ("-run__sequence", "order")
    actions = ("run_again", "retry", "retry_only")
    exclude = ("log_lines", "traceback")
    readonly_fields = ("log", "trace")

    @admin.display(description="run", ordering="run__sequence")
    def of_run(self, step: PipelineStep) -> SafeString:
        return format_html("<a href='{}'>{}</a>", run_url(step.run_id), step.run_id)

    @coloured("status", _COLOURS)
    def state(self, step: PipelineStep) -> tuple[str, str]:
        return step.status, step.get_status_display()

    @admin.display(description="progress", ordering="progress")
    def share(self, step: PipelineStep) -> str:
        return f"{step.progress:.0%}"

    @admin.display(description="log")
    def log(self, step: PipelineStep) -> SafeString:
        return _lines(step.log_lines)

    @admin.display(description="traceback")
    def trace(self, step: PipelineStep) -> SafeString:
        return _lines(step.traceback.splitlines())

    @admin.action(description="Run the step's job again, for the latest session", permissions=["operate"])
    def run_again(self, request: HttpRequest, selected: "QuerySet[PipelineStep]") -> None:
        start_jobs(request, sorted(set(selected.values_list("run__job", flat=True))))

    @admin.action(description="Retry the failed steps of the run", permissions=["operate"])
    def retry(self, request: HttpRequest, selected: "QuerySet[PipelineStep]") -> None:
        run_ids = dict.fromkeys(selected.order_by("run__sequence").values_list("run_id", flat=True))
        _perform_on_each(request, run_ids, actions.retry_failed)

    @admin.action(description="Retry this step", permissions=["operate"])
    def retry_only(self, request: HttpRequest, selected: "QuerySet[PipelineStep]") -> None:
        user = cast("AbstractUser", request.user)
        for run_id, name in selected.order_by("run__sequence", "order").values_list("run_id", "name"):
            perform(request, partial(actions.retry_failed, user, run_id, name))


@admin.register(StepAttempt)
class StepAttemptAdmin(OperatedAdmin):
    """Each attempt at a step; a run's page shows them beside its steps."""

    list_display = ("of_run", "of_step", "number", "state", "started_at", "took", "worker", "reason")
    list_display_links = ("of_step",)
    list_filter = ("outcome",)
    search_fields = ("step__run__id", "step__name")
    list_select_related = ("step",)
    ordering = ("-pk",)
    exclude = ("log_lines", "traceback")
    readonly_fields = ("log", "trace")

    @admin.display(description="run")
    def of_run(self, attempt: StepAttempt) -> SafeString:
        return format_html("<a href='{}'>{}</a>", run_url(attempt.step.run_id), attempt.step.run_id)

    @admin.display(description="step")
    def of_step(self, attempt: StepAttempt) -> str:
        return attempt.step.name

    @coloured("outcome", _COLOURS)
    def state(self, attempt: StepAttempt) -> tuple[str, str]:
        return attempt.outcome, attempt.get_outcome_display()

    @admin.display(description="took")
    def took(self, attempt: StepAttempt) -> str:
        return duration((attempt.ended_at - attempt.started_at).total_seconds()) if attempt.ended_at else "–"

    @admin.display(description="log")
    def log(self, attempt: StepAttempt) -> SafeString:
        return _lines(attempt.log_lines)

    @admin.display(description="traceback")
    def trace(self, attempt: StepAttempt) -> SafeString:
        return _lines(attempt.traceback.splitlines())


def _lines(lines: Iterable[Any]) -> SafeString:
    return format_html_join("\n", "<div>{}</div>", ((str(line),) for line in lines))


@admin.register(EveningHold)
class EveningHoldAdmin(OperatedAdmin):
    """Evenings that were held, by whom, and who released them; the home page has the buttons."""

    list_display = ("session", "held_by", "held_at", "reason", "released_by", "released_at")
    list_filter = (("released_at", admin.EmptyFieldListFilter),)
    actions = ("release",)

    @admin.action(description="Release the evening", permissions=["operate"])
    def release(self, request: HttpRequest, selected: "QuerySet[EveningHold]") -> None:
        sessions = selected.order_by("session").values_list("session", flat=True).distinct()
        _perform_on_each(request, sessions, actions.unhold_evening)
