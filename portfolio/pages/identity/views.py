"""Pages on who somebody is: the proof that is asked for before what moves money."""

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from portfolio.identity.proofs import LASTS, prove
from portfolio.pages.access import person_view
from portfolio.pages.trading.forms import TradingForm
from portfolio.pages.views import render_page


class ProofForm(TradingForm):
    """The password again."""

    proof = forms.CharField(
        label="Your password on this site",
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


@sensitive_post_parameters("proof")
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@person_view
def confirm_identity(request: HttpRequest) -> HttpResponse:
    """Ask for a proof, and go back to where one was."""
    back = page_to_return_to(request)
    form = ProofForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        refusal = prove(request, form.cleaned_data["proof"], timezone.now())
        if not refusal:
            return HttpResponseRedirect(back)
        form.add_error("proof", refusal)
    context = {"form": form, "next": back, "minutes": int(LASTS.total_seconds() // 60)}
    page = render_page(request, "portfolio/identity/confirm.html", context)
    page.status_code = 400 if form.errors else 200
    return page


def page_to_return_to(request: HttpRequest) -> str:
    """The page of this site that `next` names, the first page where it names none."""
    given = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(given, {request.get_host()}, request.is_secure())
    return given if is_ours else reverse("portfolio:dashboard")
