"""One's accounts, and one account's portfolio, trades and ledger."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from market_data.calendar_sources import CalendarError
from portfolio.accounts.creation import LIVE_BROKERS, NotCreated, Wanted, create_account
from portfolio.accounts.readings import AccountReading
from portfolio.ledger.holdings import Cash
from portfolio.models import LedgerEntry, Trade
from portfolio.pages.access import person_view
from portfolio.pages.trading.forms import AccountForm, LiveAccountForm
from portfolio.pages.trading.opening import open_paper_account
from portfolio.pages.trading.own import own_account, own_accounts
from portfolio.pages.trading.page import MOST_ROWS, account_page, person_of
from portfolio.pages.trading.portfolio_page import portfolio_context
from portfolio.pages.views import render_page


@require_http_methods(["GET", "HEAD", "POST"])
@person_view
def accounts(request: HttpRequest) -> HttpResponse:
    """One's accounts, each in the colour of its kind, and the form of a new one on paper."""
    person = person_of(request)
    form = AccountForm(request.POST) if request.method == "POST" else AccountForm()
    if request.method == "POST" and form.is_valid():
        try:
            opened, is_new = open_paper_account(person, form.cleaned_data, timezone.now())
        except NotCreated as refusal:
            form.add_error("name", str(refusal))
        else:
            if not is_new:
                messages.info(request, "This form was sent before: here is the account it opened.")
            return HttpResponseRedirect(reverse("portfolio:account", args=[opened.pk]))
    return _accounts_page(request, form, LiveAccountForm(auto_id="live_%s"))


@require_POST
@person_view
def open_live_account(request: HttpRequest) -> HttpResponse:
    """Make a live account of one's own access to a broker; the same form again shows it."""
    person, form = person_of(request), LiveAccountForm(request.POST, auto_id="live_%s")
    if form.is_valid():
        given = form.cleaned_data
        first = own_accounts(person).filter(kind="live", name=given["live_name"], broker=given["broker"]).first()
        try:
            wanted = Wanted(given["live_name"], "live", given["broker"], demat_id=given["demat_id"])
            opened = first or create_account(person, wanted)
        except NotCreated as refusal:
            form.add_error(None, str(refusal))
        else:
            return HttpResponseRedirect(reverse("portfolio:account", args=[opened.pk]))
    return _accounts_page(request, AccountForm(), form)


def _accounts_page(request: HttpRequest, form: AccountForm, live_form: LiveAccountForm) -> HttpResponse:
    person, today = person_of(request), timezone.localdate()
    readings = [AccountReading(each, today) for each in own_accounts(person)]
    own = [(each.account, each.value, _cash(each)) for each in readings]
    context = {
        "accounts": own,
        "form": form,
        "live_form": live_form,
        "has_access": person.broker_configurations.filter(broker__in=LIVE_BROKERS).exists(),
    }
    page = render_page(request, "portfolio/trading/accounts.html", context)
    page.status_code = 400 if form.errors or live_form.errors else 200
    return page


@require_safe
@person_view
def account(request: HttpRequest, key: int) -> HttpResponse:
    """What an account is worth and holds."""
    shown = own_account(person_of(request), key)
    context: dict[str, Any] = {"page_title": "Portfolio"}
    try:
        context |= portfolio_context(shown, timezone.localdate())
    except CalendarError as error:
        context["unknown"] = str(error)
    return account_page(request, "portfolio:account", "portfolio", shown, context)


def _cash(reading: AccountReading) -> Cash | None:
    try:
        return reading.cash()
    except CalendarError:
        return None


@require_safe
@person_view
def trades(request: HttpRequest, key: int) -> HttpResponse:
    account = own_account(person_of(request), key)
    rows = Trade.objects.filter(account=account).select_related("order")[:MOST_ROWS]
    context = {"page_title": "Trades", "trades": rows, "most": MOST_ROWS}
    return account_page(request, "portfolio:account-trades", "trades", account, context)


@require_safe
@person_view
def ledger(request: HttpRequest, key: int) -> HttpResponse:
    """The newest entries of the account's ledger."""
    account = own_account(person_of(request), key)
    rows = LedgerEntry.objects.filter(account=account).order_by("-day", "-id")[:MOST_ROWS]
    context = {"page_title": "Ledger", "entries": rows, "most": MOST_ROWS}
    return account_page(request, "portfolio:account-ledger", "ledger", account, context)
