"""Differences and alarms that are closed, live trading that is turned on and off, and the account's tax."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from portfolio.live import permissions
from portfolio.models import Difference, LedgerEntry, LivePermission, Order, OrderAlarm, TradingAccount, User
from portfolio.pages.trading import live_views
from tests.accounts import live_account, may_trade_live
from tests.orders import AT, a_market, deposit, hold
from tests.portfolio.pages.trading.test_pages import filled

Html = Callable[[str], str]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ten_o_clock")]
PASSWORD = "correct horse battery"
ORDER = {
    "key": "0123456789abcdef",
    "symbol": "AAA",
    "side": "buy",
    "quantity": "1",
    "order_type": "limit",
    "price": "100",
}


def difference(account: TradingAccount, kind: str = "quantity_differs") -> Difference:
    facts: dict[str, Any] = {"ours": {"quantity": 10}, "theirs": {"quantity": 8}, "action": "It waits."}
    return Difference.objects.create(account=account, kind=kind, subject="AAA", since=AT, checked_at=AT, **facts)


def test_a_blocking_difference_is_closed_with_its_correction_once(
    client: Client, account: TradingAccount, html_of: Html
) -> None:
    hold(account, "AAA", 10)
    row = difference(account)
    address = f"/differences/{row.pk}/close/"
    for sent, sentence in (
        ({"reason": " "}, "This field is required."),
        ({"reason": "Two were sold by hand."}, "closed with a correction only"),
        ({"reason": "x", "quantity": "1.5", "symbol": "AAA"}, "is no number of shares"),
        ({"reason": "x", "quantity": "-2"}, "names no share"),
        ({"reason": "x", "amount": "1e3"}, "is no amount"),
    ):
        response = client.post(address, sent)
        html = response.content.decode()
        assert (response.status_code, sentence in html or "say why" in html) == (400, True), html
    assert LedgerEntry.objects.filter(kind="correction").count() == 0
    sent = {"reason": "Two were sold by hand.", "quantity": "-2", "amount": "180.00", "symbol": "AAA"}
    assert client.post(address, sent).status_code == 302
    [entry] = LedgerEntry.objects.filter(kind="correction")
    assert (entry.quantity, entry.amount, entry.reason) == (-2, Decimal(180), "Two were sold by hand.")
    assert "Two were sold by hand." in html_of(f"/accounts/{account.pk}/differences/")
    again = client.post(address, sent)
    assert (again.status_code, LedgerEntry.objects.filter(kind="correction").count()) == (400, 1)


def test_an_alarm_is_closed_with_a_reason(client: Client, account: TradingAccount, html_of: Html) -> None:
    alarm = OrderAlarm.objects.create(order=filled(account), alarm="overfill", since=AT)
    assert client.post(f"/alarms/{alarm.pk}/close/", {"reason": ""}).status_code == 400
    assert client.post(f"/alarms/{alarm.pk}/close/", {"reason": "The broker took it back."}).status_code == 302
    assert "To be cleared" not in html_of(f"/accounts/{account.pk}/")
    assert client.post(f"/alarms/{alarm.pk}/close/", {"reason": "Again."}).status_code == 400


def test_what_is_anothers_is_not_to_be_closed(account: TradingAccount) -> None:
    row, alarm = difference(account), OrderAlarm.objects.create(order=filled(account), alarm="overfill", since=AT)
    other = Client()
    other.force_login(User.objects.create_superuser("root"))
    for address in (f"/differences/{row.pk}/close/", f"/alarms/{alarm.pk}/close/", f"/accounts/{account.pk}/live/off/"):
        assert other.post(address, {"reason": "x"}).status_code == 404
    assert Difference.objects.get().closed_at is None


@pytest.fixture
def live(client: Client, settings: Any) -> TradingAccount:
    may_trade_live(settings)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    person = User.objects.create_user("bina", password=PASSWORD)
    client.force_login(person)
    return live_account(person)


def on(account: TradingAccount, **changes: str) -> dict[str, str]:
    return {"strategy": "by_hand", "days": "2", "account_name": account.name, "proof": PASSWORD} | changes


def test_live_is_off_until_its_owner_turns_it_on(client: Client, live: TradingAccount, html_of: Html) -> None:
    page = f"/accounts/{live.pk}/live/"
    a_market()
    deposit(live)
    refused = client.post(f"/accounts/{live.pk}/orders/new/", ORDER)
    assert (refused.status_code, "live trading is off for orders by hand" in refused.content.decode()) == (400, True)
    assert "Live trading is off" in html_of(page)
    assert client.post(page, on(live)).status_code == 302
    html = html_of(page)
    assert "Live trading is ON" in html
    assert "Trade LIVE with real money at Zerodha" in html
    row = LivePermission.objects.get()
    assert (row.strategy, row.until, row.given_by) == (None, AT + timedelta(days=2), live.owner)
    assert "live trading is off" not in client.post(f"/accounts/{live.pk}/orders/new/", ORDER).content.decode()
    assert client.post(f"{page}off/", {"reason": "Enough for today."}).status_code == 302
    assert permissions.permission_in_force(live, None, AT) is None
    assert "bina: Enough for today." in html_of(page)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"proof": "wrong"}, "The password is not right"),
        ({"proof": ""}, "This field is required."),
        ({"account_name": "the account"}, "was not typed as it is"),
        ({"days": "0"}, "0 is not one of the available choices"),
        ({"days": "93"}, "93 is not one of the available choices"),
        ({"strategy": "9999"}, "9999 is not one of the available choices"),
    ],
)
def test_what_is_not_confirmed_stays_off(
    client: Client, live: TradingAccount, changes: dict[str, str], sentence: str
) -> None:
    response = client.post(f"/accounts/{live.pk}/live/", on(live, **changes))
    html = response.content.decode()
    assert (response.status_code, sentence in html) == (400, True)
    assert PASSWORD not in html
    assert not LivePermission.objects.exists()


def test_a_password_is_not_to_be_tried_without_end(client: Client, live: TradingAccount) -> None:
    for _ in range(live_views._TRIES):
        client.post(f"/accounts/{live.pk}/live/", on(live, proof="wrong"))
    html = client.post(f"/accounts/{live.pk}/live/", on(live)).content.decode()
    assert "wait 15 minutes" in html
    assert not LivePermission.objects.exists()


def test_a_paper_account_has_no_way_to_live(client: Client, account: TradingAccount, html_of: Html) -> None:
    assert "it never trades live" in html_of(f"/accounts/{account.pk}/live/")
    client.post(f"/accounts/{account.pk}/live/", on(account))
    assert not LivePermission.objects.exists()
    assert not Order.objects.exists()


def test_the_tax_of_an_account_is_of_its_own_ledger(client: Client, account: TradingAccount, html_of: Html) -> None:
    filled(account)
    html = html_of(f"/accounts/{account.pk}/tax/")
    assert "it is paper: nothing of it is taxed" in html
    assert "₹1,002.50" in html  # ten at ₹100.25
    file = client.get(f"/accounts/{account.pk}/tax/?csv=1")
    assert file["Content-Disposition"] == f'attachment; filename="tax_of_account_{account.pk}.csv"'
    assert file.content.decode().startswith("year,symbol,bought_on")
