"""The console's views: auto-refreshing page fragments, buttons (POST), the rollback page, the runbook."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_POST, require_safe

from market_data.models import PipelineRun
from market_data.runs import lifecycle
from market_data.runs.saga import AlreadyRunning, NoSuchRun, SagaError
from market_data.trading_calendar import CalendarError
from ml import evening_facts
from tradingsite.operations import actions, home, jobs, run_page, runbook
from tradingsite.operations.actions import ActionResult
from tradingsite.operations.rights import may_operate, may_view_runs

RUN_ACTIONS: dict[str, Callable[[AbstractUser, str], ActionResult]] = {
    "retry": actions.retry_failed,
    "resume": actions.resume,
    "cancel": actions.cancel,
    "hold": actions.hold_evening_of_run,
    "release": actions.unhold_evening_of_run,
}


def _operator(request: HttpRequest) -> AbstractUser:
    if not may_operate(request.user):
        raise PermissionDenied("You need the permission to change runs.")
    return cast("AbstractUser", request.user)


def _require_viewer(request: HttpRequest) -> None:
    if not may_view_runs(request.user):
        raise PermissionDenied("You need the permission to view runs.")


def _run(run_id: str) -> PipelineRun:
    try:
        return lifecycle.find_run(run_id)
    except NoSuchRun as error:
        raise Http404(str(error)) from error


def run_url(run_id: str) -> str:
    return reverse("admin:market_data_pipelinerun_change", args=[quote(run_id)])


def perform(request: HttpRequest, action: Callable[[], ActionResult]) -> None:
    """Perform an action and show its outcome as a message; of a run that is already active, with a link to it."""
    try:
        result = action()
    except AlreadyRunning as error:
        messages.warning(request, format_html("{} <a href='{}'>Open it</a>.", str(error), run_url(error.run_id)))
    except (SagaError, CalendarError) as error:
        messages.error(request, _refusal_message(error))
    else:
        messages.success(request, result.detail)


def _refusal_message(error: Exception) -> str:
    key = getattr(error, "runbook", "")
    if not key:
        return str(error)
    return format_html("{} <a href='{}'>What to do</a>.", error, reverse("operations:runbook-entry", args=[key]))


def _fragment(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    response = render(request, template, context)
    seconds = context.get("refresh_seconds") or context["console"]["refresh_seconds"]
    response["Cache-Control"], response["X-Again-In"] = "no-store", str(seconds)
    return response


@require_safe
def home_fragment(request: HttpRequest) -> HttpResponse:
    _require_viewer(request)
    state = home.home_context(timezone.now())
    return _fragment(
        request, "operations/home_state.html", {"console": state, "may_operate": may_operate(request.user)}
    )


@require_safe
def run_fragment(request: HttpRequest, run_id: str) -> HttpResponse:
    _require_viewer(request)
    state = run_page.run_context(_run(run_id), timezone.now())
    return _fragment(request, "operations/run_state.html", state | {"may_operate": may_operate(request.user)})


@require_POST
def start(request: HttpRequest, slug: str) -> HttpResponse:
    user = _operator(request)
    if slug not in (jobs.ALL, *jobs.startable_jobs()):
        raise Http404(f"There is no job {slug[:50]!r}.")
    perform(request, partial(actions.start_job, user, slug))
    return redirect("admin:index")


@require_POST
def hold_evening(request: HttpRequest) -> HttpResponse:
    user, session = _operator(request), _posted_session(request)
    perform(request, partial(actions.hold_evening, user, session))
    return redirect("admin:index")


@require_POST
def release_evening(request: HttpRequest) -> HttpResponse:
    user, session = _operator(request), _posted_session(request)
    perform(request, partial(actions.unhold_evening, user, session))
    return redirect("admin:index")


def _posted_session(request: HttpRequest) -> date:
    return _day(request.POST.get("session", ""), "The form names no session; send session=YYYY-MM-DD.")


def _day(text: str, refusal: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Http404(refusal) from error


@require_POST
def act_on_run(request: HttpRequest, run_id: str, action: str) -> HttpResponseRedirect:
    user, run = _operator(request), _run(run_id)
    if action not in RUN_ACTIONS:
        raise Http404(f"There is no action {action[:50]!r}; the actions are {', '.join(RUN_ACTIONS)}.")
    perform(request, partial(RUN_ACTIONS[action], user, run.id))
    return redirect(run_url(run.id))


@require_POST
def retry_step(request: HttpRequest, run_id: str, step: str) -> HttpResponseRedirect:
    user, run = _operator(request), _run(run_id)
    perform(request, partial(actions.retry_failed, user, run.id, step))
    return redirect(run_url(run.id))


def roll_back(request: HttpRequest, run_id: str) -> HttpResponse:
    """Show exactly what rolling a run back would change; a POST does it."""
    user, run = _operator(request), _run(run_id)
    if request.method == "POST":
        perform(request, partial(actions.roll_back, user, run.id))
        return redirect(run_url(run.id))
    context = admin.site.each_context(request) | {
        "title": f"Roll {run.id} back?",
        "run": run,
        "plan": run_page.rollback_plan(run),
        "run_url": run_url(run.id),
    }
    return render(request, "operations/roll_back.html", context)


@require_safe
def kept_out(request: HttpRequest, day: str) -> HttpResponse:
    """List the shares that findings keep out of a session's picks: every number of them links here."""
    _require_viewer(request)
    session = _day(day, f"{day[:20]!r} is not a date; write it like 2026-04-30.")
    try:
        entries = evening_facts.kept_out(session)
    except CalendarError as error:
        raise Http404(str(error)) from error
    by_check = Counter(entry.check.replace("_", " ") for entry in entries)
    context = admin.site.each_context(request) | {
        "title": f"Shares kept out of the picks of {session}",
        "session": session,
        "entries": entries,
        "by_check": by_check.most_common(),
    }
    return render(request, "operations/kept_out.html", context)


@require_safe
def runbook_page(request: HttpRequest, slug: str = "") -> HttpResponse:
    _require_viewer(request)
    entries = runbook.entries()
    if slug and slug not in entries:
        raise Http404(f"The runbook has no entry {slug[:50]!r}; the entries are {', '.join(entries)}.")
    context = admin.site.each_context(request) | {
        "title": entries[slug].title if slug else "Runbook",
        "entries": [entries[slug]] if slug else list(entries.values()),
        "is_whole": not slug,
    }
    return render(request, "operations/runbook.html", context)
