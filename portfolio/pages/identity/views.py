"""Pages on who somebody is: the proof that is asked for before what moves money, and one's own second factor."""

import re
from collections.abc import Callable
from typing import Any, Final

import segno
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from brokers.sealing import SecretUnreadable
from portfolio.identity import proofs, second_factor
from portfolio.pages.access import person_view
from portfolio.pages.identity.forms import FirstCodeForm, ProofForm
from portfolio.pages.trading.page import person_of
from portfolio.pages.views import render_page

_PAGE: Final = "portfolio:second-factor"


@sensitive_post_parameters("proof")
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@person_view
def confirm_identity(request: HttpRequest) -> HttpResponse:
    """Ask for a proof, and go back to where one was."""
    back = _page_to_return_to(request)
    form = ProofForm(person_of(request), request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        refusal = proofs.prove(request, form.cleaned_data["proof"], timezone.now())
        if not refusal:
            return HttpResponseRedirect(back)
        form.add_error("proof", refusal)
    context = {"form": form, "next": back, "minutes": int(proofs.LASTS.total_seconds() // 60)}
    page = render_page(request, "portfolio/identity/confirm.html", context)
    page.status_code = 400 if form.errors else 200
    return page


@sensitive_post_parameters("code")
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
@person_view
def own_second_factor(request: HttpRequest) -> HttpResponse:
    """Whether one has a second factor; set it up, renew its recovery codes, remove it."""
    if request.method == "POST":
        do = _DEEDS.get(request.POST.get("do", ""))
        return do(request) if do else HttpResponseRedirect(reverse(_PAGE))
    return _page(request)


def _begin(request: HttpRequest) -> HttpResponse:
    if not proofs.is_recently_proved(request, timezone.now()):
        return _to_proof()
    try:
        second_factor.begin(person_of(request))
    except second_factor.NotEnrolled as refusal:
        messages.error(request, str(refusal))
    return HttpResponseRedirect(reverse(_PAGE))


@sensitive_variables()
def _confirm(request: HttpRequest) -> HttpResponse:
    form = FirstCodeForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    now = timezone.now()
    try:
        codes = second_factor.confirm(person_of(request), form.cleaned_data["code"], now)
    except second_factor.NotEnrolled as refusal:
        form.add_error("code", str(refusal))
        return _page(request, form)
    proofs.record_proof(request, now)
    return _page(request, codes=codes)


def _renew(request: HttpRequest) -> HttpResponse:
    if not proofs.is_recently_proved(request, timezone.now()):
        return _to_proof()
    return _page(request, codes=second_factor.renew_recovery_codes(person_of(request)))


def _remove(request: HttpRequest) -> HttpResponse:
    """Remove one that is on after a proof; one that only waits for its first code at once."""
    person = person_of(request)
    if second_factor.factor_of(person) and not proofs.is_recently_proved(request, timezone.now()):
        return _to_proof()
    if second_factor.remove(person):
        messages.success(request, "No second factor is set up any more: your password is asked for instead.")
    return HttpResponseRedirect(reverse(_PAGE))


_DEEDS: Final[dict[str, Callable[[HttpRequest], HttpResponse]]] = {
    "begin": _begin,
    "confirm": _confirm,
    "renew": _renew,
    "remove": _remove,
}


@sensitive_variables()
def _page(request: HttpRequest, form: FirstCodeForm | None = None, codes: list[str] | None = None) -> HttpResponse:
    person = person_of(request)
    factor = second_factor.factor_of(person)
    context: dict[str, Any] = {"factor": factor, "codes": codes, "form": form or FirstCodeForm()}
    if factor:
        context["codes_left"] = factor.recovery_codes.filter(used_at=None).count()
    elif pending := second_factor.pending_factor_of(person):
        try:
            secret = second_factor.secret_of(pending)
        except SecretUnreadable:
            second_factor.remove(person)  # it counts for nothing yet
        else:
            picture = segno.make(second_factor.enrolment_address(person, secret), error="m", micro=False)
            context["secret"] = " ".join(re.findall("....", secret))
            context["picture"] = picture.svg_data_uri(scale=5, border=4, dark="#000", light="#fff")
    page = render_page(request, "portfolio/identity/second_factor.html", context)
    page.status_code = 400 if form is not None and form.errors else 200
    return page


def _to_proof() -> HttpResponseRedirect:
    return redirect_to_login(reverse(_PAGE), reverse("portfolio:confirm-identity"))


def _page_to_return_to(request: HttpRequest) -> str:
    """The page of this site that `next` names, the first page where it names none."""
    given = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(given, {request.get_host()}, request.is_secure())
    return given if is_ours else reverse("portfolio:dashboard")
