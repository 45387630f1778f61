"""Runs, their steps and held evenings in the admin: a list to act from, and a page of its own for each run."""

from collections.abc import Callable, Iterable
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

from market_data.models import EveningHold, PipelineRun, PipelineStep
from stocks.admin import ReadOnlyAdmin, coloured
from tradingsite.operations import actions, jobs, run_page
from tradingsite.operations.actions import Done
from tradingsite.operations.api import OPERATE
from tradingsite.operations.tonight import duration
from tradingsite.operations.views import address_of, say

_COLOURS = {
    "running": "info",
    "waiting": "warning",
    "completed": "success",
    "failed": "danger",
    "errored": "danger",
    "cancelled": "warning",
}


def start_jobs(request: HttpRequest, names: Iterable[str]) -> None:
    """Start jobs for the latest completed session and tell the person what happened to each."""
    person = cast("AbstractUser", request.user)
    for name in names:
        slug = jobs.slug_of(name)
        say(request, lambda slug=slug: actions.start(person, slug))  # type: ignore[misc]


def _on_each(request: HttpRequest, run_ids: Iterable[str], act: Callable[[AbstractUser, str], Done]) -> None:
    person = cast("AbstractUser", request.user)
    for run_id in run_ids:
        say(request, lambda run_id=run_id: act(person, run_id))  # type: ignore[misc]


class OperatedAdmin(ReadOnlyAdmin):
    """Rows that nobody edits, with actions for those who may operate the system."""

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Return whether the person may start and retry runs."""
        return bool(request.user.has_perm(OPERATE))


@admin.register(PipelineRun)
class PipelineRunAdmin(OperatedAdmin):
    """Runs of jobs."""

    list_display = ("id", "job", "session", "state", "triggered_by", "started_at", "took", "reason")
    list_filter = ("job", "status", "triggered_by")
    search_fields = ("id",)
    date_hierarchy = "session"
    actions = ("run_again", "retry", "resume", "hold", "cancel", "roll_back")
    change_form_template = "operations/run.html"

    @coloured("status", _COLOURS)
    def state(self, run: PipelineRun) -> tuple[str, str]:
        """Return the status with its colour."""
        return run.status, run.get_status_display()

    @admin.display(description="took")
    def took(self, run: PipelineRun) -> str:
        """Return how long it took."""
        if run.started_at is None or run.ended_at is None:
            return "–"
        return duration((run.ended_at - run.started_at).total_seconds())

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *rest: Any, **more: Any
    ) -> HttpResponse:
        """Show the run's own page in the place of a form."""
        run = more.get("obj") or context["original"]
        context |= run_page.run_state(run, timezone.now())
        context |= {"title": f"{jobs.title_of(run.job)} {run.session or ''}".strip(), "subtitle": None}
        context |= {"may_operate": self.has_operate_permission(request)}
        answer: HttpResponse = super().render_change_form(request, context, *rest, **more)
        return answer

    @admin.action(description="Run the job again, for the latest session", permissions=["operate"])
    def run_again(self, request: HttpRequest, chosen: "QuerySet[PipelineRun]") -> None:
        """Start the chosen runs' jobs, each once."""
        start_jobs(request, sorted(set(chosen.values_list("job", flat=True))))

    @admin.action(description="Retry failed steps", permissions=["operate"])
    def retry(self, request: HttpRequest, chosen: "QuerySet[PipelineRun]") -> None:
        """Go on with the chosen runs."""
        _on_each(request, _ids(chosen), actions.retry_failed)

    @admin.action(description="Resume cancelled or lost runs", permissions=["operate"])
    def resume(self, request: HttpRequest, chosen: "QuerySet[PipelineRun]") -> None:
        """Go on where the chosen runs stopped."""
        _on_each(request, _ids(chosen), actions.resume)

    @admin.action(description="Hold the evening of the run", permissions=["operate"])
    def hold(self, request: HttpRequest, chosen: "QuerySet[PipelineRun]") -> None:
        """Hold the evenings of the chosen runs."""
        first = {run.session: run.id for run in chosen.order_by("-sequence")}
        _on_each(request, first.values(), actions.hold_for_run)

    @admin.action(description="Cancel active runs", permissions=["operate"])
    def cancel(self, request: HttpRequest, chosen: "QuerySet[PipelineRun]") -> None:
        """End the chosen runs."""
        _on_each(request, _ids(chosen), actions.cancel)

    @admin.action(description="Roll back… (one run; asks first)", permissions=["operate"])
    def roll_back(self, request: HttpRequest, chosen: "QuerySet[PipelineRun]") -> HttpResponse | None:
        """Lead to the page that says what would change, and asks."""
        found = list(chosen.values_list("pk", flat=True)[:2])
        if len(found) > 1:
            messages.error(request, "Choose one run: each roll back is looked at and confirmed by itself.")
            return None
        return redirect(reverse("operations:roll-back", args=found))


def _ids(chosen: "QuerySet[PipelineRun]") -> list[str]:
    return list(chosen.order_by("sequence").values_list("id", flat=True))


@admin.register(PipelineStep)
class PipelineStepAdmin(OperatedAdmin):
    """Steps of runs."""

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
        """Return a link to the run's page."""
        return format_html("<a href='{}'>{}</a>", address_of(step.run_id), step.run_id)

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
        run_ids = dict.fromkeys(chosen.order_by("run__sequence").values_list("run_id", flat=True))
        _on_each(request, run_ids, actions.retry_failed)

    @admin.action(description="Retry this step", permissions=["operate"])
    def retry_only(self, request: HttpRequest, chosen: "QuerySet[PipelineStep]") -> None:
        """Go on with the chosen steps alone."""
        person = cast("AbstractUser", request.user)
        for run_id, name in chosen.order_by("run__sequence", "order").values_list("run_id", "name"):
            say(request, lambda run_id=run_id, name=name: actions.retry_failed(person, run_id, name))  # type: ignore[misc]


def _lines(lines: Iterable[Any]) -> SafeString:
    return format_html_join("\n", "<div>{}</div>", ((str(line),) for line in lines))


@admin.register(EveningHold)
class EveningHoldAdmin(OperatedAdmin):
    """Evenings that were held, by whom, and who let them go; the console's home holds and releases."""

    list_display = ("session", "held_by", "held_at", "reason", "released_by", "released_at")
    list_filter = (("released_at", admin.EmptyFieldListFilter),)
    actions = ("release",)

    @admin.action(description="Release the evening", permissions=["operate"])
    def release(self, request: HttpRequest, chosen: "QuerySet[EveningHold]") -> None:
        """Let the chosen evenings go."""
        person = cast("AbstractUser", request.user)
        for session in chosen.order_by("session").values_list("session", flat=True).distinct():
            say(request, lambda session=session: actions.release(person, session))  # type: ignore[misc]
