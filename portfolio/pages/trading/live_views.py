"""Live trading of an account: on for a time, with the account's name and the owner's proof; off at once."""

from datetime import timedelta
from typing import Any, Final, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from portfolio.live import installation, permissions
from portfolio.models import LivePermission, Strategy, TradingAccount, User
from portfolio.pages.access import person_view
from portfolio.pages.identity.forms import proof_field
from portfolio.pages.trading.forms import ReasonForm, TradingForm
from portfolio.pages.trading.own import own_account
from portfolio.pages.trading.page import account_page, person_of

_TAB: Final = "portfolio:account-live"
_BY_HAND: Final = "by_hand"
_TRIES, _SECONDS = 5, 900
_SHOWN: Final = 50


def strategies_of(person: User) -> dict[str, Strategy]:
    """What a person may trade live beside orders by hand: their own strategies and the system's, by key."""
    rows = Strategy.objects.filter(is_active=True)
    return {str(row.pk): row for row in rows.filter(owner=person) | rows.filter(owner=None)}


class LiveForm(TradingForm):
    """What is turned on and for how long, the account's name as it is, and the proof again."""

    strategy = forms.ChoiceField(label="What trades")
    days = forms.ChoiceField(label="For how long")
    account_name = forms.CharField(label="Type the account’s name", max_length=100, strip=False)

    def __init__(self, account: TradingAccount, person: User, *arguments: Any, **options: Any) -> None:
        self.account, self.person = account, person
        super().__init__(*arguments, **options)

    def set_choices(self) -> None:
        """Offer the owner's strategies and as many days as may be, and ask for the proof that is needed of them."""
        self.fields["proof"] = proof_field(self.person)
        days = range(1, settings.LIVE_PERMISSION_DAYS + 1)
        strategy, span = (cast("forms.ChoiceField", self.fields[name]) for name in ("strategy", "days"))
        strategy.choices = [
            (_BY_HAND, "Orders by hand"),
            *((k, row.name) for k, row in strategies_of(self.person).items()),
        ]
        span.choices = [(str(n), f"{n} day{'s' if n > 1 else ''}") for n in days]
        self.fields["account_name"].widget.attrs |= {"autocomplete": "off", "placeholder": self.account.name}


@sensitive_post_parameters("proof")
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@person_view
def live(request: HttpRequest, key: int) -> HttpResponse:
    """What is on and until when, what ended it before, and the form that turns it on."""
    account = own_account(person_of(request), key)
    form = LiveForm(account, person_of(request), request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and _turned_on(request, account, form):
        messages.success(request, "Live trading is on.")
        return _back(account)
    now = timezone.now()
    rows = LivePermission.objects.filter(account=account).select_related("strategy", "given_by")
    context = {
        "page_title": "Live trading",
        "form": form,
        "refusals": installation.refusals(),
        "in_force": permissions.permissions_in_force(account, now),
        "ended": rows.exclude(ended_at=None)[:_SHOWN],
        "off_form": ReasonForm(auto_id="off_%s"),
    }
    return account_page(request, _TAB, "live", account, context, 400 if form.errors else 200)


@require_POST
@person_view
def end_live(request: HttpRequest, key: int) -> HttpResponse:
    """Turn all live trading of an account off, at once; what is open at the broker stays open."""
    account, form = own_account(person_of(request), key), ReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else "turned off"
    ended = permissions.end_all(account, request.user.get_username(), reason, timezone.now())
    messages.success(request, "Live trading is off." if ended else "Live trading was off already.")
    return _back(account)


@sensitive_variables("form", "given", "confirmation")
def _turned_on(request: HttpRequest, account: TradingAccount, form: LiveForm) -> bool:
    person, now, given = person_of(request), timezone.now(), form.cleaned_data
    tries = f"live-tries:{person.pk}"
    if cache.get(tries, 0) >= _TRIES:
        form.add_error(None, f"{_TRIES} tries failed: wait {_SECONDS // 60} minutes, then try again.")
        return False
    strategy = strategies_of(person).get(given["strategy"])
    confirmation = permissions.Confirmation(given["account_name"], given["proof"])
    try:
        permissions.grant(account, strategy, person, confirmation, now + timedelta(days=int(given["days"])), now)
    except permissions.NotGranted as refusal:
        cache.add(tries, 0, _SECONDS)
        cache.incr(tries)
        form.add_error(None, str(refusal))
        return False
    cache.delete(tries)
    return True


def _back(account: TradingAccount) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse(_TAB, args=[account.pk]))
