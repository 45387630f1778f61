"""URLs of the console, all below `/admin/` and matched before the admin's own."""

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpResponseBase
from django.urls import URLPattern, path

from tradingsite.operations import api, views


def _page(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
    # `admin_view` admits staff only and protects against CSRF.
    return path(f"operations/{route}", admin.site.admin_view(view), name=name)


app_name = "operations"

urlpatterns = [
    path("system/status", api.SystemStatusView.as_view(), name="system-status"),
    path("trigger/<str:job>", api.TriggerView.as_view(), name="trigger"),
    path("task/<str:task_id>/status", api.TaskStatusView.as_view(), name="task-status"),
    path("task/<str:task_id>/retry-failed", api.RetryFailedView.as_view(), name="task-retry"),
    _page("state/", views.home_fragment, "home-fragment"),
    _page("start/<str:slug>/", views.start, "start"),
    _page("evening/hold/", views.hold_evening, "hold"),
    _page("evening/release/", views.release_evening, "release"),
    _page("run/<str:run_id>/state/", views.run_fragment, "run-fragment"),
    _page("run/<str:run_id>/roll-back/", views.roll_back, "roll-back"),
    _page("run/<str:run_id>/step/<str:step>/retry/", views.retry_step, "retry-step"),
    _page("run/<str:run_id>/do/<str:action>/", views.act_on_run, "act"),
    _page("kept-out/<str:day>/", views.kept_out, "kept-out"),
    _page("runbook/", views.runbook_page, "runbook"),
    _page("runbook/<slug:slug>/", views.runbook_page, "runbook-entry"),
]
