"""The admin's home: everything an operator asks first, gathered in some thirty small reads."""

from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest
from django.utils import timezone
from django_q.models import OrmQ

from market_data.models import Finding
from market_data.storage.queries import latest_loaded_session
from tradingsite.clusters import states
from tradingsite.operations import nights, sources, tiles, tonight, verdict
from tradingsite.operations.evening import EVENING_JOBS, Evening, History, evening_of, stored_sessions

WATCH = "market_data.view_pipelinerun"
_ACTIVE_SECONDS, _IDLE_SECONDS = 3, 10
_SEVERITIES = {"error": "error", "warning": "warning", "info": "for information"}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the console to the admin's home, for those who may see runs (`UNFOLD["DASHBOARD_CALLBACK"]`)."""
    if request.user.has_perm(WATCH):
        context |= {"console": home_state(timezone.now()), "title": "Operations"}
    return context


def home_state(now: datetime) -> dict[str, Any]:
    """Return what the piece of the page shows that is asked for again every few seconds."""
    history = History()
    evening = evening_of(now)
    expected = expected_session(evening, now)
    subject = _subject(expected)
    told = tonight.tonight(evening, history, now)
    is_active = any(line.status == "running" for line in (*told.lines, *told.others))
    return {
        "now": now,
        "evening": evening,
        "expected": expected,
        "verdict": verdict.verdict(subject, history),
        "tonight": told,
        "ready": _ready(evening, told, now),
        "blocked": _blocked(told.lines),
        "files": sources.file_lines(subject, history) if subject else [],
        "lists": sources.list_lines(subject) if subject and history.runs else [],
        "ahead": _ahead(subject),
        "tiles": tiles.tiles(tiles.Expected(expected, _behind(expected))),
        "findings": _findings(subject),
        "charts": nights.charts(nights.nights(history)),
        "clusters": states.cluster_states(now),
        "queue": {"waiting": OrmQ.objects.count(), "failures": states.failures_of_a_day(now)},
        "is_empty": not history.runs,
        "simulated": settings.PROVIDER_KIND == "simulated",
        "again_in_seconds": _ACTIVE_SECONDS if is_active else _IDLE_SECONDS,
    }


def standing_verdict(now: datetime) -> verdict.Verdict:
    """Return the verdict at the top of the home, for whoever shows it elsewhere."""
    return verdict.verdict(_subject(expected_session(evening_of(now), now)), History())


def _subject(expected: date | None) -> date | None:
    """Return the session that is judged: the latest loaded one, or the one that should be."""
    return max((day for day in (expected, latest_loaded_session()) if day), default=None)


def expected_session(evening: Evening | None, now: datetime) -> date | None:
    """Return the session whose data should be there: the evening's once its pipeline is due, else the one before."""
    if evening is None:
        return None
    pipeline = next(job for job in EVENING_JOBS if job.name == "pipeline")
    return evening.session if now >= evening.planned(pipeline) else evening.previous


def _ready(evening: Evening | None, told: tonight.Tonight, now: datetime) -> dict[str, Any]:
    """Return when the picks will be there, and whether that is in time."""
    found = told.forecast
    if evening is None or found is None:
        return {}
    is_done = any(line.slug == "selection" and line.status == "completed" for line in told.lines)
    margin = (found.latest_start - now).total_seconds() if found.latest_start else None
    return {
        "at": found.ready_at,
        "is_done": is_done,
        "is_late": bool(found.ready_at and evening.due and found.ready_at > evening.due),
        "latest_start": found.latest_start,
        "is_too_late": margin is not None and margin < 0,
        "unmeasured": [name.replace("_", " ") for name in found.unmeasured],
        "due": evening.due,
    }


def _blocked(lines: list[tonight.JobLine]) -> tonight.JobLine | None:
    """Return the first job that has failed and that the picks wait for; without a new model the selection goes on."""
    stopped = (line for line in lines if line.status in ("failed", "cancelled"))
    return next((line for line in stopped if line.slug not in ("ml-training", "csv-export")), None)


def _ahead(subject: date | None) -> sources.Ahead | None:
    if subject is None:
        return None
    days = stored_sessions(subject - timedelta(days=20), subject + timedelta(days=20))
    previous = max((day for day in days if day < subject), default=None)
    following = min((day for day in days if day > subject), default=None)
    return sources.ahead(subject, previous, following)


def _behind(expected: date | None) -> Any:
    """Return how many sessions a date lies behind what is expected."""
    if expected is None:
        return lambda _: None
    days = stored_sessions(expected - timedelta(days=400), expected)
    return lambda day: sum(1 for one in days if one > day)


def _findings(session: date | None) -> list[dict[str, Any]]:
    """Return the findings of a session by severity, each with its largest checks."""
    if session is None:
        return []
    groups = Finding.objects.filter(session=session).values("severity", "check_name", "blocks")
    counted = list(groups.annotate(count=Count("pk")).order_by("-count", "check_name"))
    shown = []
    for severity in _SEVERITIES:
        checks = [one for one in counted if one["severity"] == severity]
        count = sum(one["count"] for one in checks)
        shown.append(
            {
                "severity": severity,
                "words": _SEVERITIES[severity] if count == 1 or severity == "info" else f"{_SEVERITIES[severity]}s",
                "count": count,
                "blocking": sum(one["count"] for one in checks if one["blocks"]),
                "checks": [(one["check_name"].replace("_", " "), one["count"]) for one in checks[:4]],
                "session": session,
            }
        )
    return shown
