"""The kill switch in the admin: who switched it, and one click that does."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from portfolio.models import KillSwitch
from portfolio.orders.kill_switch import MOST_OF_REASON, NotSwitched, kill_switch, switch
from stocks.admin import ReadOnlyAdmin, coloured


@admin.register(KillSwitch)
class KillSwitchAdmin(ReadOnlyAdmin):
    """Who switched it, when and why; who may change it switches it."""

    change_list_template = "portfolio/kill_switches.html"
    list_display = ("at", "state", "operator", "reason")
    list_filter = ("is_on",)
    search_fields = ("operator", "reason")
    date_hierarchy = "at"

    @coloured("is_on", {"on": "danger", "off": "success"})
    def state(self, row: KillSwitch) -> tuple[str, str]:
        word = "on" if row.is_on else "off"
        return word, word

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.switch)
        return [path("switch/", view, name="portfolio_killswitch_switch"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        more = {"state": kill_switch(), "may_switch": _may_switch(request), **(extra_context or {})}
        return super().changelist_view(request, more)

    def switch(self, request: HttpRequest) -> HttpResponse:
        """Show the switch; a POST switches it."""
        if not _may_switch(request):
            raise PermissionDenied
        if request.method == "POST":
            self._switch(request, request.POST.get("to", ""), request.POST.get("reason", ""))
            return redirect("admin:portfolio_killswitch_changelist")
        context = self.admin_site.each_context(request) | {"title": "Kill switch", "state": kill_switch()}
        return TemplateResponse(request, "portfolio/kill_switch.html", context | {"most": MOST_OF_REASON})

    def _switch(self, request: HttpRequest, to: str, reason: str) -> None:
        if to not in ("on", "off"):
            messages.error(request, "The form says neither on nor off; open the page again.")
            return
        try:
            row = switch(on=to == "on", operator=request.user.get_username(), reason=reason)
        except NotSwitched as refusal:
            messages.error(request, str(refusal))
        else:
            self.log_addition(request, row, row.reason)
            messages.success(request, f"The kill switch is {to}.")


def _may_switch(request: HttpRequest) -> bool:
    return request.user.has_perm("portfolio.change_killswitch")
