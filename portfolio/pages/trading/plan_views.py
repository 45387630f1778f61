"""Plans of an account, one plan with its tickets, and its approval."""

from typing import Any, Final, cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portfolio.backtest.parameters import MOST_PLACES, MOST_SESSIONS, REWEIGH
from portfolio.models import Order, Plan, TradingAccount, User
from portfolio.pages.access import person_view
from portfolio.pages.backtest_page import CHARGES
from portfolio.pages.trading.forms import TradingForm
from portfolio.pages.trading.live_views import strategies_of
from portfolio.pages.trading.own import own_account, own_plan
from portfolio.pages.trading.page import MOST_ROWS, account_page, person_of
from portfolio.pages.trading.placing import BY_HAND
from portfolio.plans.approval import approve, closes_at
from portfolio.plans.places import PlansError
from portfolio.plans.traded import TERMS, stop_trading, trade_strategy

_TAB: Final = "portfolio:account-plans"


def _whole(label: str, most: int) -> forms.IntegerField:
    sentence = f"Give a whole number from 1 to {most}, or leave it empty for the strategy’s own."
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=1,
        max_value=most,
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), sentence),
    )


class StrategyForm(TradingForm):
    """What an account trades by itself, and on which terms."""

    strategy = forms.ChoiceField(label="Strategy")
    holdings = _whole("Holdings", MOST_PLACES)
    keep = _whole("Keep down to place", MOST_PLACES)
    every = _whole("Decide every … sessions", MOST_SESSIONS)
    reweigh = forms.ChoiceField(
        label="Reweigh at each decision",
        required=False,
        choices=[("", "the strategy’s own"), *((name, name.capitalize()) for name in REWEIGH)],
    )

    def __init__(self, person: User, *arguments: Any, **options: Any) -> None:
        self.person = person
        super().__init__(*arguments, **options)

    def set_choices(self) -> None:
        """Offer one's own strategies and the system's."""
        rows = strategies_of(self.person).items()
        cast("forms.ChoiceField", self.fields["strategy"]).choices = [(key, row.name) for key, row in rows]


@require_http_methods(["GET", "HEAD", "POST"])
@person_view
def plans(request: HttpRequest, key: int) -> HttpResponse:
    """The account's plans, and the strategy that it trades; a POST chooses one."""
    person = person_of(request)
    account = own_account(person, key)
    form = StrategyForm(person, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and _chosen(account, form):
        return HttpResponseRedirect(reverse(_TAB, args=[key]))
    rows = Plan.objects.filter(account=account).select_related("strategy", "approved_by")[:MOST_ROWS]
    traded = account.traded_strategies.filter(is_active=True).select_related("strategy").first()
    context = {"page_title": "Plans", "plans": rows, "traded": traded, "form": form}
    return account_page(request, _TAB, "plans", account, context, 400 if form.errors else 200)


def _chosen(account: TradingAccount, form: StrategyForm) -> bool:
    given = form.cleaned_data
    strategy = strategies_of(form.person)[given["strategy"]]
    terms = {name: given[name] or None for name in TERMS}
    try:
        trade_strategy(account, strategy, terms, timezone.localdate())
    except PlansError as refusal:
        form.add_error(None, str(refusal))
        return False
    return True


@require_POST
@person_view
def stop_strategy(request: HttpRequest, key: int) -> HttpResponse:
    """Trade by hand alone; what is held stays held."""
    stop_trading(own_account(person_of(request), key))
    return HttpResponseRedirect(reverse(_TAB, args=[key]))


@require_safe
@person_view
def plan(request: HttpRequest, key: int) -> HttpResponse:
    """A plan's tickets, costs and what it leaves out, and the orders that it became."""
    return _show(request, own_plan(person_of(request), key))


@require_POST
@person_view
def approve_plan(request: HttpRequest, key: int) -> HttpResponse:
    """Approve exactly the plan that the page showed: its digest is in the form."""
    shown = own_plan(person_of(request), key)
    try:
        approve(shown, person_of(request), request.POST.get("digest", ""), timezone.now())
    except PlansError as refusal:
        return _show(request, shown, str(refusal))
    messages.success(request, "The plan is approved.")
    return HttpResponseRedirect(reverse("portfolio:plan", args=[key]))


def _show(request: HttpRequest, shown: Plan, refusal: str = "") -> HttpResponse:
    charges = shown.content.get("charges", {})
    context = {
        "page_title": "Plan",
        "plan": shown,
        "refusal": refusal,
        "closes_at": closes_at(shown),
        "orders": orders_of(shown),
        "impact": shown.content.get("impact"),
        "charges": [(words, charges[line]) for line, words in CHARGES.items() if line in charges],
    }
    return account_page(request, _TAB, "plan", shown.account, context, 400 if refusal else 200)


def orders_of(shown: Plan) -> list[Order]:
    """The orders that a plan became."""
    rows = Order.objects.filter(account=shown.account, strategy=shown.strategy, session=shown.trades_on)
    return list(rows.exclude(intent=None).exclude(intent__purpose__startswith=BY_HAND).select_related("strategy"))
