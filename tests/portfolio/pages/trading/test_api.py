"""The trading API: who may, what is answered, and that bad input is a sentence which writes nothing."""

from typing import Any

import pytest
from django.test import Client

from portfolio.models import Difference, LedgerEntry, Order, OrderIntent, TradingAccount, User
from portfolio.orders import book, desk
from portfolio.orders.events import Event, Kind
from portfolio.orders.kill_switch import switch
from tests.accounts import paper_account
from tests.orders import AT, a_market, a_wish, deposit, hold
from tests.portfolio.pages.trading.test_pages import filled
from tests.tokens import token_key

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ten_o_clock")]
KEY = "0123456789abcdef"
ORDER = {"key": KEY, "symbol": "AAA", "side": "buy", "quantity": 10, "order_type": "limit", "price": "100.00"}
RESOURCES = ("", "holdings/", "orders/", "trades/", "ledger/", "plans/", "differences/")


@pytest.fixture
def api(asha: User) -> Client:
    """A client with Asha's token, and no session."""
    return Client(headers={"Authorization": f"Token {token_key(asha)}"})


@pytest.fixture(autouse=True)
def _money(account: TradingAccount) -> None:
    a_market()
    deposit(account)


def get(api: Client, address: str) -> dict[str, Any]:
    response = api.get(address)
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    assert body["success"] is True
    return body


def post(api: Client, address: str, body: Any, status: int = 200) -> dict[str, Any]:
    response = api.post(address, body, content_type="application/json")
    assert response.status_code == status, response.content
    answer: dict[str, Any] = response.json()
    return answer


def message(answer: dict[str, Any]) -> str:
    assert set(answer["error"]) == {"code", "message"}
    return str(answer["error"]["message"])


def test_a_portfolio_is_amounts_as_texts_and_quantities_as_numbers(api: Client, account: TradingAccount) -> None:
    hold(account, "AAA", 40, "90")
    body = get(api, f"/api/accounts/{account.pk}/")["portfolio"]
    assert (body["value"], body["in_shares"], body["cash"]) == ("104000.00", "4000.00", "100000.00")
    assert (body["profit_after_charges"], body["blocked_by"]) == ("400.00", [])
    [held] = body["holdings"]
    assert (held["quantity"], held["sellable"], held["close"], held["gain"]) == (40, 40, "100.00", "400.00")
    assert held["lots"] == [{"bought_on": "2026-01-29", "quantity": 40, "cost": "3600.00"}]
    assert get(api, "/api/accounts/")["accounts"][0]["kind"] == "paper"


def test_an_order_is_placed_once_for_its_key(api: Client, account: TradingAccount) -> None:
    address = f"/api/accounts/{account.pk}/orders/"
    first = post(api, address, ORDER)
    assert (first["is_new"], first["order"]["status"], first["order"]["price"]) == (True, "queued", "100.00")
    again = post(api, address, ORDER | {"quantity": 99})
    assert (again["is_new"], again["order"]) == (False, first["order"])
    assert [order["id"] for order in get(api, address)["orders"]] == [first["order"]["id"]]
    detail = get(api, f"/api/orders/{first['order']['id']}/")["order"]
    assert [event["kind"] for event in detail["events"]] == ["create", "queue"]
    assert detail["events"][0]["at"] == "2026-02-02T10:00:00+05:30"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"quantity": 0}, "quantity: '0' is no number of shares"),
        ({"quantity": -1}, "quantity: '-1' is no number of shares"),
        ({"quantity": 1.5}, "quantity: '1.5' is no number of shares"),
        ({"quantity": 10**400}, "is no number of shares"),
        ({"quantity": True}, "quantity: 'True' is no number of shares"),
        ({"quantity": [1]}, "is no number of shares"),
        ({"quantity": None}, "quantity: This field is required."),
        ({"price": 0}, "price: '0' is no price"),
        ({"price": "NaN"}, "price: 'NaN' is no price"),
        ({"price": "1e400"}, "price: '1e400' is no price"),
        ({"price": "100.003"}, "tick: "),
        ({"price": None}, "price: An order of type limit needs one"),
        ({"tag": "A" * 21}, "tag: There is no such field"),
        ({"key": "A" * 41}, "is no one-time key"),
        ({"symbol": "UNKNOWN"}, "not_tradable: "),
        ({"symbol": "A\x00"}, "Null characters are not allowed"),
        ({"side": "sell"}, "not_delivered: "),
        ({"quantity": 100_000}, "funds: "),
    ],
)
def test_a_bad_order_is_a_sentence_and_writes_nothing(
    api: Client, account: TradingAccount, changes: dict[str, Any], sentence: str
) -> None:
    assert sentence in message(post(api, f"/api/accounts/{account.pk}/orders/", ORDER | changes, 400))
    assert not OrderIntent.objects.exists()


@pytest.mark.parametrize("body", ["[]", "1", '"x"', "{", '{"price": 1e400}', '{"quantity": NaN}', "null", ""])
def test_a_body_that_is_no_object_is_a_400(api: Client, account: TradingAccount, body: str) -> None:
    response = api.generic("POST", f"/api/accounts/{account.pk}/orders/", body, "application/json")
    assert response.status_code == 400
    assert not OrderIntent.objects.exists()


def test_an_open_order_is_changed_and_cancelled(api: Client, account: TradingAccount) -> None:
    order = desk.place(account, a_wish(), AT)
    refused = post(api, f"/api/orders/{order.pk}/cancel/", {}, 400)
    assert (refused["error"]["code"], "cannot be asked to cancel" in message(refused)) == ("refused", True)
    book.record(order, [Event(Kind.SEND, "s", "", AT), Event(Kind.ANSWER, "a", "", AT, broker_order_id="7")])
    modified = post(api, f"/api/orders/{order.pk}/modify/", {"quantity": 5, "price": "99.5"})
    assert (modified["order"]["pending"], modified["order"]["quantity"]) == ("modify", 10)
    assert "pending" in message(post(api, f"/api/orders/{order.pk}/modify/", {"quantity": 6, "price": "99"}, 400))
    assert "is no number" in message(post(api, f"/api/orders/{order.pk}/modify/", {"quantity": 0}, 400))
    post(api, f"/api/orders/{order.pk}/cancel/", {})
    assert order.events.filter(kind="cancel_asked").count() == 1


def test_trades_ledger_and_differences(api: Client, account: TradingAccount) -> None:
    filled(account)
    [trade] = get(api, f"/api/accounts/{account.pk}/trades/")["trades"]
    assert (trade["quantity"], trade["price"], trade["trade_id"]) == (10, "100.25", "T1")
    newest = get(api, f"/api/accounts/{account.pk}/ledger/?limit=1")["entries"]
    assert [(entry["kind"], entry["quantity"], entry["amount"]) for entry in newest] == [("fill", 10, "-1002.50")]
    facts = {"ours": {}, "theirs": {"quantity": 1}, "since": AT, "checked_at": AT, "action": "-"}
    Difference.objects.create(account=account, kind="quantity_differs", subject="AAA", **facts)
    [difference] = get(api, f"/api/accounts/{account.pk}/differences/")["differences"]
    assert (difference["kind"], difference["blocks"]) == ("quantity_differs", True)
    for limit in ("0", "501", "x", "-1", "1e2", "٣"):
        assert api.get(f"/api/accounts/{account.pk}/trades/", {"limit": limit}).status_code == 400


def test_an_account_is_opened_once_for_its_key(api: Client, asha: User) -> None:
    sent = {"key": KEY, "name": "Second", "deposit": "5000.00", "charges_of": "fyers"}
    first, again = (post(api, "/api/accounts/", sent | more) for more in ({}, {"name": "Third"}))
    assert (first["is_new"], again["is_new"], first["account"] == again["account"]) == (True, False, True)
    assert "give it another name" in message(post(api, "/api/accounts/", sent | {"key": KEY * 2}, 400))
    assert LedgerEntry.objects.filter(account=first["account"]["id"]).count() == 1


def test_the_state_of_the_kill_switch(api: Client) -> None:
    assert get(api, "/api/kill-switch/")["on"] is False
    switch(on=True, operator="bina", reason="odd fills")
    state = get(api, "/api/kill-switch/")
    assert (state["on"], state["operator"], state["reason"], state["by_file"]) == (True, "bina", "odd fills", False)


def test_what_is_anothers_is_not_there(account: TradingAccount) -> None:
    order = filled(account)
    root = User.objects.create_superuser("root")
    paper_account(root)
    api = Client(headers={"Authorization": f"Token {token_key(root)}"})
    addresses = [f"/api/accounts/{account.pk}/{name}" for name in RESOURCES] + [f"/api/orders/{order.pk}/"]
    for address in [*addresses, f"/api/orders/{10**30}/"]:
        assert (api.get(address).status_code, Client().get(address).status_code) == (404, 401)
    for address in (
        f"/api/accounts/{account.pk}/orders/",
        *(f"/api/orders/{order.pk}/{q}/" for q in ("cancel", "modify")),
    ):
        assert api.post(address, ORDER, content_type="application/json").status_code == 404
    assert [each["name"] for each in get(api, "/api/accounts/")["accounts"]] == ["Paper"]
    assert Order.objects.count() == 1


def test_a_session_needs_its_csrf_token(asha: User, account: TradingAccount) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(asha)
    assert client.get("/api/accounts/").status_code == 200
    sent = client.post(f"/api/accounts/{account.pk}/orders/", ORDER, content_type="application/json")
    assert (sent.status_code, Order.objects.count()) == (403, 0)


def test_a_token_that_trades_on_paper_reads_nothing(asha: User, account: TradingAccount) -> None:
    api, address = Client(headers={"Authorization": f"Token {token_key(asha, 'trade_paper')}"}), "/api/accounts/"
    placed = post(api, f"{address}{account.pk}/orders/", ORDER)
    assert placed["is_new"] is True
    assert [api.get(each).status_code for each in (address, f"/api/orders/{placed['order']['id']}/")] == [403, 403]
