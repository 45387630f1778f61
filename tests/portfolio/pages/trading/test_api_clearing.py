"""What blocks an account, cleared over the API: by its owner alone, with a reason, once."""

from decimal import Decimal

import pytest
from django.test import Client

from portfolio.models import Difference, LedgerEntry, Order, OrderAlarm, TradingAccount, User
from portfolio.orders import book, desk
from portfolio.orders.events import Event, Kind
from tests.accounts import paper_account
from tests.orders import AT, a_market, a_wish, deposit, hold
from tests.portfolio.pages.trading.test_api import api as api
from tests.portfolio.pages.trading.test_api import get, message, post
from tests.portfolio.pages.trading.test_clearing import difference
from tests.portfolio.pages.trading.test_pages import filled

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ten_o_clock")]


def unknown(account: TradingAccount) -> Order:
    a_market()
    deposit(account)
    order = desk.place(account, a_wish(), AT)
    return book.record(order, [Event(Kind.SEND, "send", "", AT), Event(Kind.NO_ANSWER, "no_answer", "", AT)])


def test_an_order_of_unknown_fate_is_abandoned_with_a_reason(api: Client, account: TradingAccount) -> None:
    order = unknown(account)
    address = f"/api/orders/{order.pk}/abandon/"
    assert "say why" in message(post(api, address, {"reason": " "}, 400))
    assert "no such field" in message(post(api, address, {"reason": "x", "force": True}, 400))
    body = post(api, address, {"reason": "It is in no book of the broker."})["order"]
    assert (body["status"], body["reason"]) == ("abandoned", "It is in no book of the broker.")
    assert "abandoned cannot be asked" in message(post(api, address, {"reason": "Again."}, 400))


def test_a_difference_is_closed_with_its_correction_once(api: Client, account: TradingAccount) -> None:
    hold(account, "AAA", 10)
    row = difference(account)
    address = f"/api/differences/{row.pk}/close/"
    assert "with a correction only" in message(post(api, address, {"reason": "Two were sold."}, 400))
    assert "is no number" in message(post(api, address, {"reason": "x", "symbol": "AAA", "quantity": 0.5}, 400))
    sent = {"reason": "Two were sold.", "symbol": "AAA", "quantity": -2, "amount": "180.00"}
    body = post(api, address, sent)["difference"]
    assert (body["closed_by"], body["blocks"]) == ("asha", False)
    assert "nothing to close" in message(post(api, address, sent, 400))
    [entry] = LedgerEntry.objects.filter(kind="correction")
    assert (entry.quantity, entry.amount, entry.reason) == (-2, Decimal(180), "Two were sold.")


def test_alarms_are_listed_and_closed_with_a_reason(api: Client, account: TradingAccount) -> None:
    alarm = OrderAlarm.objects.create(order=filled(account), alarm="overfill", facts="11 filled of 10", since=AT)
    [listed] = get(api, f"/api/accounts/{account.pk}/alarms/")["alarms"]
    assert (listed["id"], listed["facts"], listed["closed_at"]) == (alarm.pk, "11 filled of 10", None)
    address = f"/api/alarms/{alarm.pk}/close/"
    assert "say why" in message(post(api, address, {}, 400))
    assert post(api, address, {"reason": "The broker explained it."})["alarm"]["closed_by"] == "asha"
    assert "nothing to close" in message(post(api, address, {"reason": "Again."}, 400))


def test_what_another_person_owns_is_not_there(api: Client) -> None:
    other = paper_account(User.objects.create_user("other"))
    order, row = unknown(other), difference(other)
    alarm = OrderAlarm.objects.create(order=order, alarm="overfill", since=AT)
    for address in (
        f"/api/orders/{order.pk}/abandon/",
        f"/api/differences/{row.pk}/close/",
        f"/api/alarms/{alarm.pk}/close/",
    ):
        post(
            api, address, {"reason": "x", "symbol": "AAA", "quantity": 1} if "diff" in address else {"reason": "x"}, 404
        )
    assert api.get(f"/api/accounts/{other.pk}/alarms/").status_code == 404
    assert (Difference.objects.get().closed_at, OrderAlarm.objects.get().closed_at) == (None, None)
    assert Order.objects.get().status == "unknown"
