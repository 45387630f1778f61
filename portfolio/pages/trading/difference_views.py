"""Where the broker's book and the account's differ, and alarms: what blocks, since when, and how it was closed."""

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from portfolio.models import Difference, OrderAlarm, TradingAccount
from portfolio.pages.access import person_view
from portfolio.pages.trading.forms import ClosingForm, ReasonForm
from portfolio.pages.trading.own import own_account, own_alarm, own_difference
from portfolio.pages.trading.page import MOST_ROWS, account_page, person_of
from portfolio.reconciliation.closing import NotClosed, close_alarm, close_difference

_TAB: Final = "portfolio:account-differences"


@require_safe
@person_view
def differences(request: HttpRequest, key: int) -> HttpResponse:
    return _show(request, own_account(person_of(request), key))


@require_POST
@person_view
def close_one_difference(request: HttpRequest, key: int) -> HttpResponse:
    row = own_difference(person_of(request), key)
    form = ClosingForm(request.POST, auto_id=f"difference-{key}-%s")
    if form.is_valid():
        given = form.cleaned_data
        try:
            close_difference(row, person_of(request), given["reason"], timezone.now(), form.correction_of(given))
        except NotClosed as refusal:
            form.add_error(None, str(refusal))
        else:
            return _closed(request, row.account)
    return _show(request, row.account, {("difference", key): form}, 400)


@require_POST
@person_view
def close_one_alarm(request: HttpRequest, key: int) -> HttpResponse:
    row = own_alarm(person_of(request), key)
    form = ReasonForm(request.POST, auto_id=f"alarm-{key}-%s")
    if form.is_valid():
        try:
            close_alarm(row, person_of(request), form.cleaned_data["reason"], timezone.now())
        except NotClosed as refusal:
            form.add_error(None, str(refusal))
        else:
            return _closed(request, row.order.account)
    return _show(request, row.order.account, {("alarm", key): form}, 400)


def _closed(request: HttpRequest, account: TradingAccount) -> HttpResponseRedirect:
    messages.success(request, "It is closed, with its reason.")
    return HttpResponseRedirect(reverse(_TAB, args=[account.pk]))


def _show(
    request: HttpRequest,
    account: TradingAccount,
    sent: dict[tuple[str, int], forms.Form] | None = None,
    status: int = 200,
) -> HttpResponse:
    """What is open with its forms, `sent` those that were not accepted, and what is closed."""
    closed = Difference.objects.filter(account=account).exclude(closed_at=None)[:MOST_ROWS]
    closed_alarms = OrderAlarm.objects.filter(order__account=account).exclude(closed_at=None).select_related("order")
    context: dict[str, Any] = {"closed": closed, "closed_alarms": closed_alarms[:MOST_ROWS]}
    context |= {"page_title": "Differences", "sent_forms": sent or {}}
    return account_page(request, _TAB, "differences", account, context, status)
