"""The admin's sidebar: the console first, then the tables that the user may see, by app."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from tradingsite.operations import failed_runs

_CONSOLE = (
    ("Home", "monitoring", "admin:index"),
    ("Runs", "list_alt", "admin:market_data_pipelinerun_changelist"),
    ("Findings", "fact_check", "admin:market_data_finding_changelist"),
    ("Queue", "pending_actions", "admin:django_q_ormq_changelist"),
    ("Schedules", "schedule", "admin:django_q_schedule_changelist"),
    ("Runbook", "menu_book", "operations:runbook"),
)


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups of the sidebar (`UNFOLD["SIDEBAR"]["navigation"]`)."""
    console: list[dict[str, Any]] = [
        {"title": title, "icon": icon, "link": reverse(name)} for title, icon, name in _CONSOLE
    ]
    console.insert(2, _failed_runs())
    return [{"title": "Operations", "items": console}, *(_app_group(app) for app in admin.site.get_app_list(request))]


def _failed_runs() -> dict[str, Any]:
    item = {"title": "Failed runs", "icon": "error", "link": failed_runs.failed_runs_url()}
    count = failed_runs.failed_run_count()
    return item | {"badge": count} if count else item


def _app_group(app: dict[str, Any]) -> dict[str, Any]:
    models = [{"title": model["name"], "link": model["admin_url"]} for model in app["models"] if model["admin_url"]]
    return {"title": app["name"], "collapsible": True, "items": models}
