"""The console's own addresses: pieces of pages that are asked for again, buttons (POST), the roll back, the runbook."""

from collections.abc import Callable
from datetime import date
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
from tradingsite.operations import actions, home, jobs, run_page, runbook
from tradingsite.operations.actions import Done
from tradingsite.operations.api import OPERATE

_Deed = Callable[[AbstractUser, str], Done]
_DEEDS: dict[str, _Deed] = {
    "retry": actions.retry_failed,
    "resume": actions.resume,
    "cancel": actions.cancel,
    "hold": actions.hold_for_run,
    "release": actions.release_for_run,
}


def _person(request: HttpRequest, right: str = OPERATE) -> AbstractUser:
    """Return who asks.

    Raises
    ------
    PermissionDenied
        Without the right.
    """
    if not request.user.has_perm(right):
        raise PermissionDenied("You may not do this: it needs the right to change runs.")
    return cast("AbstractUser", request.user)


def _run(run_id: str) -> PipelineRun:
    try:
        return lifecycle.find_run(run_id)
    except NoSuchRun as error:
        raise Http404(str(error)) from error


def address_of(run_id: str) -> str:
    """Return the address of a run's page."""
    return reverse("admin:market_data_pipelinerun_change", args=[quote(run_id)])


def say(request: HttpRequest, act: Callable[[], Done]) -> Done | None:
    """Do something and tell the person what became of it, with a link to the run."""
    try:
        done = act()
    except AlreadyRunning as error:
        text = "{} <a href='{}'>Open it</a>."
        messages.warning(request, format_html(text, str(error), address_of(error.run_id)))
    except (SagaError, CalendarError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done.told)
        return done
    return None


def _piece(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    response = render(request, template, context)
    again = context.get("again_in_seconds") or context["console"]["again_in_seconds"]
    response["Cache-Control"], response["X-Again-In"] = "no-store", str(again)
    return response


@require_safe
def home_piece(request: HttpRequest) -> HttpResponse:
    """Answer the piece of the home page that changes."""
    person = _person(request, home.WATCH)
    state = home.home_state(timezone.now())
    return _piece(request, "operations/home_state.html", {"console": state, "may_operate": person.has_perm(OPERATE)})


@require_safe
def run_piece(request: HttpRequest, run_id: str) -> HttpResponse:
    """Answer the piece of a run's page that changes."""
    person = _person(request, home.WATCH)
    state = run_page.run_state(_run(run_id), timezone.now())
    return _piece(request, "operations/run_state.html", state | {"may_operate": person.has_perm(OPERATE)})


@require_POST
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Start a job."""
    person = _person(request)
    if slug not in (jobs.ALL, *jobs.startable_jobs()):
        raise Http404(f"There is no job {slug[:50]!r}.")
    say(request, lambda: actions.start(person, slug))
    return redirect("admin:index")


@require_POST
def hold_evening(request: HttpRequest) -> HttpResponse:
    """Hold the evening of the session named."""
    person, session = _person(request), _session(request)
    say(request, lambda: actions.hold(person, session))
    return redirect("admin:index")


@require_POST
def release_evening(request: HttpRequest) -> HttpResponse:
    """Let the evening of the session named go."""
    person, session = _person(request), _session(request)
    say(request, lambda: actions.release(person, session))
    return redirect("admin:index")


def _session(request: HttpRequest) -> date:
    try:
        return date.fromisoformat(request.POST.get("session", ""))
    except ValueError as error:
        raise Http404("The button names no session.") from error


@require_POST
def act_on_run(request: HttpRequest, run_id: str, deed: str) -> HttpResponseRedirect:
    """Retry, resume, cancel a run, hold or release its evening."""
    person, run = _person(request), _run(run_id)
    if deed not in _DEEDS:
        raise Http404(f"There is no action {deed[:50]!r}; there are {', '.join(_DEEDS)}.")
    say(request, lambda: _DEEDS[deed](person, run.id))
    return redirect(address_of(run.id))


@require_POST
def retry_step(request: HttpRequest, run_id: str, step: str) -> HttpResponseRedirect:
    """Retry one failed step."""
    person, run = _person(request), _run(run_id)
    say(request, lambda: actions.retry_failed(person, run.id, step))
    return redirect(address_of(run.id))


def roll_back(request: HttpRequest, run_id: str) -> HttpResponse:
    """Say exactly what rolling a run back would change; do it when that is confirmed."""
    person, run = _person(request), _run(run_id)
    if request.method == "POST":
        say(request, lambda: actions.roll_back(person, run.id))
        return redirect(address_of(run.id))
    context = admin.site.each_context(request) | {
        "title": f"Roll {run.id} back?",
        "run": run,
        "plan": run_page.roll_back_plan(run),
        "address": address_of(run.id),
    }
    return render(request, "operations/roll_back.html", context)


@require_safe
def runbook_page(request: HttpRequest, slug: str = "") -> HttpResponse:
    """Show the runbook, or one entry of it."""
    known = runbook.entries()
    if slug and slug not in known:
        raise Http404(f"The runbook has no entry {slug[:50]!r}; it has {', '.join(known)}.")
    shown = [known[slug]] if slug else list(known.values())
    context = admin.site.each_context(request) | {
        "title": known[slug].title if slug else "Runbook",
        "entries": shown,
        "is_whole": not slug,
    }
    return render(request, "operations/runbook.html", context)
