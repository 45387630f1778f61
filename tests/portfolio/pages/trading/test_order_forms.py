"""Orders by hand: each bad input is a sentence and writes nothing, and a form that is sent twice places one order."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from portfolio.models import Order, OrderEvent, OrderIntent, TradingAccount, User
from portfolio.orders import book, desk
from portfolio.orders.events import Event, Kind
from portfolio.orders.kill_switch import switch
from portfolio.orders.projection import State
from stocks.models import Stock, SymbolChange
from tests.accounts import DAY, paper_account
from tests.orders import AT, a_market, a_wish, deposit

Html = Callable[[str], str]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ten_o_clock")]
KEY = "0123456789abcdef"
GOOD = {"key": KEY, "symbol": "AAA", "side": "buy", "quantity": "10", "order_type": "limit", "price": "100.00"}


@pytest.fixture(autouse=True)
def _money(account: TradingAccount) -> None:
    a_market()
    deposit(account)


def post(client: Client, account: TradingAccount, **changes: str) -> Any:
    return client.post(f"/accounts/{account.pk}/orders/new/", GOOD | changes)


def open_order(account: TradingAccount) -> Order:
    order = desk.place(account, a_wish(), AT)
    sent = [Event(Kind.SEND, "send", "", AT), Event(Kind.ANSWER, "answer", "", AT, broker_order_id="77")]
    return book.record(order, sent)


def test_an_order_that_the_checks_let_pass_waits_for_the_sender(
    client: Client, asha: User, account: TradingAccount, html_of: Html
) -> None:
    page = html_of(f"/accounts/{account.pk}/orders/new/?symbol=AAA&side=sell")
    assert "Place paper order, no real money: a simulated broker" in page
    [key] = re.findall(r'name="key" value="([0-9a-f]{32})"', page)
    response = post(client, account, key=key, symbol="aaa ")
    order = Order.objects.get()
    assert response["Location"] == f"/orders/{order.pk}/"
    assert (order.status, order.symbol, order.quantity, order.price) == ("queued", "AAA", 10, Decimal(100))
    assert (order.session, order.user, order.intent and order.intent.wished_by) == (DAY, asha, asha)
    assert OrderIntent.objects.get().purpose == f"by_hand {key}"


def test_a_form_that_is_sent_twice_shows_its_first_order(
    client: Client, account: TradingAccount, html_of: Html
) -> None:
    first = post(client, account)["Location"]
    # Also when the second tab says something else, or something that is refused.
    for changes in ({}, {"quantity": "12"}, {"symbol": "BBB", "side": "sell"}):
        assert post(client, account, **changes)["Location"] == first
        assert "Nothing was placed twice" in html_of(first)
    assert (Order.objects.count(), OrderIntent.objects.count()) == (1, 1)
    assert Order.objects.get().quantity == 10


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"quantity": "0"}, "'0' is no number of shares: give a whole number from 1 to 999999999."),
        ({"quantity": "-5"}, "'-5' is no number of shares"),
        ({"quantity": "1.5"}, "'1.5' is no number of shares"),
        ({"quantity": "1e3"}, "'1e3' is no number of shares"),
        ({"quantity": "9" * 400}, "is no number of shares"),
        ({"quantity": "1000000000"}, "'1000000000' is no number of shares"),
        ({"quantity": "٣"}, "is no number of shares"),
        ({"quantity": ""}, "This field is required."),
        ({"price": "0"}, "'0' is no price: give ₹ per share above 0"),
        ({"price": "-1"}, "'-1' is no price"),
        ({"price": "NaN"}, "'NaN' is no price"),
        ({"price": "1e400"}, "'1e400' is no price"),
        ({"price": "10000001"}, "'10000001' is no price"),
        ({"price": "100.00001"}, "'100.00001' is no price"),
        ({"price": ""}, "An order of type limit needs one"),
        ({"price": "100.003"}, "tick"),
        ({"trigger_price": "99"}, "An order of type limit has none"),
        ({"order_type": "market"}, "An order of type market has none"),
        ({"order_type": "market", "price": "", "market_protection": "101"}, "'101' is no market protection"),
        ({"order_type": "market", "price": "", "market_protection": "0"}, "'0' is no market protection"),
        ({"order_type": "sl", "price": "100"}, "An order of type sl needs one"),
        ({"order_type": "iceberg"}, "iceberg is not one of the available choices"),
        ({"side": "short"}, "short is not one of the available choices"),
        ({"symbol": "NSE:AAA"}, "'NSE:AAA' is no symbol"),
        ({"symbol": "A\0A"}, "Null characters are not allowed"),
        ({"symbol": "UNKNOWN"}, "not_tradable"),
        ({"quantity": "100000"}, "funds"),
        ({"side": "sell"}, "not_delivered"),
        ({"key": "short"}, "'short' is no one-time key"),
        ({"key": ""}, "This field is required."),
    ],
)
def test_a_bad_order_is_a_sentence_and_writes_nothing(
    client: Client, account: TradingAccount, changes: dict[str, str], sentence: str
) -> None:
    response = post(client, account, **changes)
    assert response.status_code == 400
    assert sentence in response.content.decode().replace("&#x27;", "'")
    assert not OrderIntent.objects.exists()
    assert not Order.objects.exists()


def test_a_renamed_a_suspended_and_a_stopped_order_are_refused_and_the_key_stays_free(
    client: Client, account: TradingAccount
) -> None:
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="AAA", date=DAY)
    assert "AAA" in post(client, account, symbol="OLD").content.decode()
    Stock.objects.filter(symbol="AAA").update(kind="fund")
    assert "not_tradable" in post(client, account).content.decode()
    Stock.objects.filter(symbol="AAA").update(kind="share")
    switch(on=True, operator="asha", reason="odd fills")
    assert "kill_switch" in post(client, account).content.decode()
    assert not Order.objects.exists()
    switch(on=False, operator="asha", reason="seen to")
    assert post(client, account).status_code == 302


def test_a_closed_market_takes_nothing(
    client: Client, account: TradingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: AT.replace(hour=20))
    html = post(client, account).content.decode()
    assert "phase" in html
    monkeypatch.setattr("django.utils.timezone.now", lambda: AT.replace(day=1))
    assert "session_closed" in post(client, account).content.decode()
    assert not Order.objects.exists()


def test_an_open_order_is_changed_and_cancelled(
    client: Client, account: TradingAccount, html_of: Html, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = open_order(account)
    page = html_of(f"/orders/{order.pk}/")
    assert "Cancel the paper order" in page
    bad = client.post(f"/orders/{order.pk}/modify/", {"quantity": "0", "price": "NaN"})
    assert (bad.status_code, "is no number of shares" in bad.content.decode()) == (400, True)
    same = client.post(f"/orders/{order.pk}/modify/", {"quantity": "10", "price": "100"})
    assert (same.status_code, "already" in same.content.decode()) == (400, True)
    dear = client.post(f"/orders/{order.pk}/modify/", {"quantity": "100000", "price": "100"})
    assert dear.status_code == 400
    assert client.post(f"/orders/{order.pk}/modify/", {"quantity": "12", "price": "99.50"}).status_code == 302
    assert client.post(f"/orders/{order.pk}/modify/", {"quantity": "13", "price": "99.50"}).status_code == 400
    monkeypatch.setattr("django.utils.timezone.now", lambda: AT.replace(minute=1))
    assert client.post(f"/orders/{order.pk}/cancel/").status_code == 302
    order.refresh_from_db()
    assert (order.status, order.pending, order.quantity) == (State.OPEN, "cancel", 10)
    assert [row.kind for row in OrderEvent.objects.filter(order=order).order_by("id")][-2:] == [
        "modify_asked",
        "cancel_asked",
    ]


def test_an_order_is_abandoned_with_a_reason_and_asked_nothing_afterwards(
    client: Client, account: TradingAccount, html_of: Html
) -> None:
    order = book.record(desk.place(account, a_wish(), AT), [Event(Kind.SEND, "s", "", AT)])
    book.record(order, [Event(Kind.NO_ANSWER, "n", "", AT)])
    page = html_of(f"/orders/{order.pk}/")
    assert ("Abandon it" in page, "Cancel the paper order" in page) == (True, False)
    assert client.post(f"/orders/{order.pk}/cancel/").status_code == 400
    assert client.post(f"/orders/{order.pk}/abandon/", {"reason": "  "}).status_code == 400
    assert client.post(f"/orders/{order.pk}/abandon/", {"reason": "x" * 301}).status_code == 400
    assert client.post(f"/orders/{order.pk}/abandon/", {"reason": "In no book."}).status_code == 302
    order.refresh_from_db()
    assert (order.status, order.reason) == ("abandoned", "In no book.")
    assert "asha gives it up: In no book." in html_of(f"/orders/{order.pk}/")
    again = client.post(f"/orders/{order.pk}/abandon/", {"reason": "Again."})
    assert (again.status_code, "it has ended" in again.content.decode()) == (400, True)


def test_the_orders_of_another_are_not_to_be_asked_for_anything(account: TradingAccount, client: Client) -> None:
    order = open_order(account)
    theirs = paper_account(User.objects.create_user("bina"))
    other = Client()
    other.force_login(theirs.owner)  # type: ignore[arg-type]
    for question in ("cancel", "modify", "abandon"):
        assert other.post(f"/orders/{order.pk}/{question}/", {"quantity": "1", "reason": "x"}).status_code == 404
    assert post(other, account).status_code == 404
    assert OrderEvent.objects.filter(order=order).count() == 4
    # The same key is another's too: each account has its own.
    deposit(theirs)
    assert post(other, theirs).status_code == 302
