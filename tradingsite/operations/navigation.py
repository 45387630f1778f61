"""The admin's sidebar: the console first, then the tables that the user may see, by app."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

_CONSOLE = (
    ("Home", "monitoring", "admin:index"),
    ("Runs", "list_alt", "admin:market_data_pipelinerun_changelist"),
    ("Findings", "fact_check", "admin:market_data_finding_changelist"),
    ("Queue", "pending_actions", "admin:django_q_ormq_changelist"),
    ("Schedules", "schedule", "admin:django_q_schedule_changelist"),
    ("Failures", "error", "admin:django_q_failure_changelist"),
    ("Runbook", "menu_book", "operations:runbook"),
)


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups of the sidebar (`UNFOLD["SIDEBAR"]["navigation"]`)."""
    console = [{"title": title, "icon": icon, "link": reverse(name)} for title, icon, name in _CONSOLE]
    return [{"title": "Operations", "items": console}, *(_app_group(app) for app in admin.site.get_app_list(request))]


def _app_group(app: dict[str, Any]) -> dict[str, Any]:
    models = [{"title": model["name"], "link": model["admin_url"]} for model in app["models"] if model["admin_url"]]
    return {"title": app["name"], "collapsible": True, "items": models}
