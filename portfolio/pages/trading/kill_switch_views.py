"""The kill switch: its state for whoever is logged in, one click with a reason for whoever may change it."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from portfolio.models import KillSwitch
from portfolio.orders.kill_switch import NotSwitched, switch
from portfolio.pages.access import person_view
from portfolio.pages.views import render_page

_SHOWN = 50


def may_switch(request: HttpRequest) -> bool:
    return request.user.has_perm("portfolio.change_killswitch")


@require_http_methods(["GET", "HEAD", "POST"])
@person_view
def kill_switch_page(request: HttpRequest) -> HttpResponse:
    """Who switched it, when and why; a POST switches it and goes back to where its form was."""
    if request.method != "POST":
        return render_page(request, "portfolio/trading/kill_switch.html", {"rows": KillSwitch.objects.all()[:_SHOWN]})
    if not may_switch(request):
        raise PermissionDenied("The kill switch is changed by people with the right to change it: ask an operator.")
    to = request.POST.get("to", "")
    if to not in ("on", "off"):
        messages.error(request, "The form says neither on nor off, so nothing was changed; open the page again.")
    else:
        _switch(request, to)
    return HttpResponseRedirect(_back(request))


def _switch(request: HttpRequest, to: str) -> None:
    try:
        switch(on=to == "on", operator=request.user.get_username(), reason=request.POST.get("reason", ""))
    except NotSwitched as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"The kill switch is {to}.")


def _back(request: HttpRequest) -> str:
    # Only the switch's own page and those of trading show what became of it.
    here = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(here, {request.get_host()}, require_https=request.is_secure())
    shows_it = here.startswith(("/accounts/", "/orders/", "/plans/"))
    return here if is_ours and shows_it else reverse("portfolio:kill-switch")
