"""The admin's sidebar: the console first, then the tables that the user may see, by app."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django_q.models import OrmQ, Schedule

from market_data.models import Finding
from tradingsite.models import AuditEntry
from tradingsite.operations import failed_runs
from tradingsite.operations.rights import may_view_runs

_HOME = ("Home", "monitoring", "admin:index")
_RUNS = ("Runs", "list_alt", "admin:market_data_pipelinerun_changelist")
_RUNBOOK = ("Runbook", "menu_book", "operations:runbook")
_TABLES = (
    (Finding, ("Findings", "fact_check", "admin:market_data_finding_changelist")),
    (OrmQ, ("Queue", "pending_actions", "admin:django_q_ormq_changelist")),
    (Schedule, ("Schedules", "schedule", "admin:django_q_schedule_changelist")),
    (AuditEntry, ("Audit", "history", "admin:tradingsite_auditentry_changelist")),
)


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups of the sidebar (`UNFOLD["SIDEBAR"]["navigation"]`): what the user may open."""
    may_view = may_view_runs(request.user)
    console = [_link(*_HOME)]
    if may_view:
        console += [_link(*_RUNS), _failed_runs()]
    console += [_link(*link) for model, link in _TABLES if admin.site._registry[model].has_view_permission(request)]
    if may_view:
        console.append(_link(*_RUNBOOK))
    return [{"title": "Operations", "items": console}, *(_app_group(app) for app in admin.site.get_app_list(request))]


def _link(title: str, icon: str, name: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse(name)}


def _failed_runs() -> dict[str, Any]:
    item = {"title": "Failed runs", "icon": "error", "link": failed_runs.failed_runs_url()}
    count = failed_runs.failed_run_count()
    return item | {"badge": count} if count else item


def _app_group(app: dict[str, Any]) -> dict[str, Any]:
    models = [{"title": model["name"], "link": model["admin_url"]} for model in app["models"] if model["admin_url"]]
    return {"title": app["name"], "collapsible": True, "items": models}
