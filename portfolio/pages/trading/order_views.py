"""The orders of an account, one order from its pick to its profit, and what a person may want of it."""

from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portfolio.models import Order
from portfolio.orders import desk
from portfolio.orders.projection import State
from portfolio.pages.access import person_view
from portfolio.pages.trading.forms import ModifyForm, OrderForm, ReasonForm
from portfolio.pages.trading.order_page import order_context
from portfolio.pages.trading.own import own_account, own_order
from portfolio.pages.trading.page import MOST_ROWS, account_page, person_of
from portfolio.pages.trading.placing import place_by_hand

_TAB: Final = "portfolio:account-orders"
_SENT_BEFORE: Final = "This form was sent before: here is the order it made. Nothing was placed twice."
_PREFILLED: Final = ("symbol", "side", "quantity")


@require_safe
@person_view
def orders(request: HttpRequest, key: int) -> HttpResponse:
    """Those of unknown fate first, then the newest."""
    account = own_account(person_of(request), key)
    rows = Order.objects.filter(account=account).select_related("strategy", "intent")
    unknown = list(rows.filter(status=State.UNKNOWN))
    others = list(rows.exclude(status=State.UNKNOWN)[:MOST_ROWS])
    context = {"page_title": "Orders", "orders": [*unknown, *others], "most": MOST_ROWS}
    return account_page(request, _TAB, "orders", account, context)


@require_http_methods(["GET", "HEAD", "POST"])
@person_view
def new_order(request: HttpRequest, key: int) -> HttpResponse:
    """The form of an order by hand; what the checks refuse is said there, and nothing is written."""
    account = own_account(person_of(request), key)
    initial = {name: request.GET[name][:50] for name in _PREFILLED if name in request.GET}
    form = OrderForm(request.POST) if request.method == "POST" else OrderForm(initial=initial)
    context: dict[str, Any] = {"page_title": f"New {account.kind} order", "form": form}
    if request.method != "POST":
        return account_page(request, _TAB, "new_order", account, context)
    if form.is_valid():
        try:
            placed, is_new = place_by_hand(account, form.cleaned_data, person_of(request), timezone.now())
        except desk.NotAsked as refusal:
            context["refusals"] = getattr(refusal, "refusals", ()) or (("", str(refusal)),)
        else:
            if not is_new:
                messages.info(request, _SENT_BEFORE)
            return _redirect(placed)
    return account_page(request, _TAB, "new_order", account, context, 400)


@require_safe
@person_view
def order(request: HttpRequest, key: int) -> HttpResponse:
    """An order from pick and model over checks, approval, events and fills to lots and profit."""
    return _show(request, own_order(person_of(request), key), {})


@require_POST
@person_view
def cancel_order(request: HttpRequest, key: int) -> HttpResponse:
    shown = own_order(person_of(request), key)
    return _answer(request, shown, {}, lambda: desk.ask_cancel(shown, _name(request), timezone.now()))


@require_POST
@person_view
def modify_order(request: HttpRequest, key: int) -> HttpResponse:
    shown, form = own_order(person_of(request), key), ModifyForm(request.POST)
    if not form.is_valid():
        return _show(request, shown, {"modify_form": form}, 400)
    given = form.cleaned_data
    return _answer(
        request,
        shown,
        {"modify_form": form},
        lambda: desk.ask_modify(shown, given["quantity"], given["price"], _name(request), timezone.now()),
    )


@require_POST
@person_view
def abandon_order(request: HttpRequest, key: int) -> HttpResponse:
    """Give up an order of which nobody knows what became: it is in no book of the broker, says its owner."""
    shown, form = own_order(person_of(request), key), ReasonForm(request.POST)
    if not form.is_valid():
        return _show(request, shown, {"abandon_form": form}, 400)
    reason = form.cleaned_data["reason"]
    return _answer(
        request,
        shown,
        {"abandon_form": form},
        lambda: desk.abandon(shown, _name(request), reason, timezone.now()),
    )


def _answer(request: HttpRequest, shown: Order, forms: dict[str, Any], ask: Callable[[], Order]) -> HttpResponse:
    """Ask, and go back to the order; where nothing was asked, show it with the sentence."""
    try:
        ask()
    except desk.NotAsked as refusal:
        return _show(request, shown, forms | {"not_asked": str(refusal)}, 400)
    return _redirect(shown)


def _show(request: HttpRequest, shown: Order, forms: dict[str, Any], status: int = 200) -> HttpResponse:
    """An order's page; `forms` are those that were sent and not accepted."""
    own_forms: dict[str, Any] = {
        "modify_form": ModifyForm(initial={"quantity": shown.quantity, "price": shown.price}),
        "abandon_form": ReasonForm(auto_id="abandon_%s"),
    }
    context = {"page_title": "Order"} | order_context(shown) | own_forms | forms
    return account_page(request, _TAB, "order", shown.account, context, status)


def _redirect(shown: Order) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("portfolio:order", args=[shown.pk]))


def _name(request: HttpRequest) -> str:
    return request.user.get_username()
