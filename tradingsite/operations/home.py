"""The admin's home page: what an operator wants to know first, gathered in some thirty small queries."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ

from market_data.evenings.current_evening import Evening, current_evening, stored_sessions
from market_data.evenings.recent_runs import RunHistory
from market_data.models import Finding
from market_data.runs.saga import saga_of
from market_data.storage.queries import latest_loaded_session
from ml import evening_facts
from ml.champions import queries as champions
from ml.model_card.queries import list_report
from ml.scoreboard import queries as scoreboard
from ml.triggers import queries as trigger_readings
from portfolio.reconciliation.open_troubles import OpenTrouble, open_troubles
from tradingsite.clusters import states
from tradingsite.operations import attention, failed_runs, nights, sources, tiles, tonight, verdict
from tradingsite.operations.attention import Fact
from tradingsite.operations.rights import may_view_runs

_ACTIVE_SECONDS, _IDLE_SECONDS = 3, 10
_MOST_ORDERS = 20
_SEVERITIES = {"error": "error", "warning": "warning", "info": "for information"}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the console to the admin's home for users who may view runs (`UNFOLD["DASHBOARD_CALLBACK"]`)."""
    if may_view_runs(request.user):
        context |= {"console": home_context(timezone.now()), "title": "Operations"}
    return context


def home_context(now: datetime) -> dict[str, Any]:
    """Context of the auto-refreshing part of the home page."""
    history = RunHistory()
    evening = current_evening(now)
    expected = expected_session(evening, now)
    session = _judged_session(expected)
    jobs = tonight.tonight(evening, history, now)
    is_active = any(line.status == "running" for line in (*jobs.lines, *jobs.others))
    outcome, failed = verdict.session_verdict(session, history), failed_runs.failed_runs()
    champion = champions.champion()
    unclear_orders = open_troubles()
    clusters, lists = states.cluster_states(now), list(evening_facts.lists_in_force())
    return {
        "evening": evening,
        "verdict": outcome,
        "lamp": attention.lamp({*outcome.facts, *_more_facts(failed, jobs, clusters, unclear_orders)}),
        "unclear_orders": unclear_orders[:_MOST_ORDERS],
        "more_unclear_orders": max(0, len(unclear_orders) - _MOST_ORDERS),
        "tonight": jobs,
        "ready": _picks_ready(evening, jobs, now),
        "failed": failed,
        "blocked": _blocking_job(jobs.lines),
        "files": sources.file_lines(session, history) if session else [],
        "lists": sources.list_lines(session) if session and history.runs else [],
        "ahead": _ahead(session),
        "tiles": tiles.tiles(tiles.Expectation(expected, _sessions_behind(expected)), lists),
        "findings": _findings(session),
        "turnovers": evening_facts.list_turnovers(lists),
        "list_report": list_report(champion),
        "turnover_sessions": evening_facts.TURNOVER_SESSIONS,
        "champion": champion,
        "challenger": champions.challenger(),
        "triggers": trigger_readings.stored_readings(lists[0].date) if lists else [],
        "scores": scoreboard.scoreboard().values(),
        "charts": nights.charts(nights.nights(history)),
        "clusters": clusters,
        "queue": _queue(now),
        "simulated": settings.PROVIDER_KIND == "simulated",
        "refresh_seconds": _ACTIVE_SECONDS if is_active else _IDLE_SECONDS,
    }


def _more_facts(
    failed: failed_runs.FailedRuns,
    jobs: tonight.Tonight,
    clusters: Sequence[states.ClusterState],
    unclear_orders: Sequence[OpenTrouble],
) -> Iterator[Fact]:
    if unclear_orders:
        yield Fact.ORDERS_UNCLEAR
    if failed.words:
        yield Fact.RUN_UNRESOLVED
    if jobs.holds:
        yield Fact.EVENING_HELD
    if any(cluster.state in ("dead", "never") for cluster in clusters):
        yield Fact.CLUSTER_DEAD


def _queue(now: datetime) -> dict[str, Any]:
    facts = {"waiting": OrmQ.objects.count(), "failures": states.failures_of_a_day(now)}
    is_shown = admin.site.is_registered(Failure)
    return facts | {"failures_url": reverse("admin:django_q_failure_changelist") if is_shown else ""}


def current_verdict(now: datetime) -> verdict.Verdict:
    """The verdict at the top of the home page, for other views of the system's state."""
    return verdict.session_verdict(_judged_session(expected_session(current_evening(now), now)), RunHistory())


def _judged_session(expected: date | None) -> date | None:
    """The latest session that is loaded or should be."""
    return max((day for day in (expected, latest_loaded_session()) if day), default=None)


def expected_session(evening: Evening | None, now: datetime) -> date | None:
    """The session whose data should be loaded: the evening's once its pipeline is due, else the previous one."""
    if evening is None:
        return None
    return evening.session if now >= evening.planned(saga_of("pipeline")) else evening.previous


def _picks_ready(evening: Evening | None, jobs: tonight.Tonight, now: datetime) -> dict[str, Any]:
    """When the picks will be ready, and whether that is in time."""
    forecast = jobs.forecast
    if evening is None or forecast is None:
        return {}
    is_done = any(line.slug == "selection" and line.status == "completed" for line in jobs.lines)
    return {
        "at": forecast.ready_at,
        "is_done": is_done,
        "is_late": bool(forecast.ready_at and evening.due and forecast.ready_at > evening.due),
        "latest_start": forecast.latest_start,
        "is_too_late": forecast.latest_start is not None and forecast.latest_start < now,
        "unmeasured": [name.replace("_", " ") for name in forecast.unmeasured],
        "due": evening.due,
    }


def _blocking_job(lines: list[tonight.JobLine]) -> tonight.JobLine | None:
    """The first failed job that the picks depend on; the selection also runs without a new model."""
    stopped = (line for line in lines if line.status in ("failed", "cancelled"))
    return next((line for line in stopped if line.slug not in ("ml-training", "csv-export", "scoreboard")), None)


def _ahead(session: date | None) -> sources.Ahead | None:
    if session is None:
        return None
    days = stored_sessions(session - timedelta(days=20), session + timedelta(days=20))
    previous = max((day for day in days if day < session), default=None)
    following = min((day for day in days if day > session), default=None)
    return sources.ahead(session, previous, following)


def _sessions_behind(expected: date | None) -> Callable[[date], int | None]:
    """A function that counts how many sessions a date lies behind the expected one."""
    if expected is None:
        return lambda _: None
    days = stored_sessions(expected - timedelta(days=400), expected)
    return lambda day: sum(1 for session in days if session > day)


def _findings(session: date | None) -> list[dict[str, Any]]:
    """Findings of a session by severity, each with its largest checks."""
    if session is None:
        return []
    groups = Finding.objects.filter(session=session).values("severity", "check_name", "blocks")
    counted = list(groups.annotate(count=Count("pk")).order_by("-count", "check_name"))
    lines = []
    for severity, label in _SEVERITIES.items():
        checks = [group for group in counted if group["severity"] == severity]
        count = sum(group["count"] for group in checks)
        lines.append(
            {
                "severity": severity,
                "label": label if count == 1 or severity == "info" else f"{label}s",
                "count": count,
                "checks": [(group["check_name"].replace("_", " "), group["count"]) for group in checks[:4]],
                "session": session,
            }
        )
    return lines
