"""The desk: a wish is placed once, judged by real rows, and asked only what its state allows."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.charges import Side
from brokers.protocol import OrderType
from portfolio.models import Order, OrderEvent, User
from portfolio.orders import book, desk
from portfolio.orders.events import BookStatus, Event, Kind
from tests.accounts import paper_account
from tests.orders import AT, a_market, a_wish, deposit, hold

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(db):
    a_market(AAA=100.0, BBB=50.0)
    account = paper_account(User.objects.create_user("asha"))
    deposit(account)
    return account


def in_the_book(order: Order, quantity: int = 0, price: str = "100") -> Order:
    """The order, taken in by the broker, and filled as far as given."""
    events = [Event(Kind.SEND, "send", "", AT), Event(Kind.ANSWER, "answer", "", AT, broker_order_id="7")]
    if quantity:
        terms: dict[str, Any] = {"quantity": quantity, "price": Decimal(price), "broker_at": AT}
        events.append(Event(Kind.FILL, "fill:T1", "", AT, trade_id="T1", **terms))
    return book.record(order, events)


def test_an_order_that_the_checks_let_pass_is_queued(account):
    order = desk.place(account, a_wish(), AT)
    assert (order.status, order.quantity, order.alarms) == ("queued", 10, [])
    assert [event.kind for event in order.events.all()] == ["create", "queue"]


def test_an_order_that_they_refuse_keeps_codes_and_sentences(account):
    order = desk.place(account, a_wish(quantity=1000, price=Decimal("100.001")), AT)
    assert order.status == "refused"
    [tick, funds] = desk.refusals_of(order)
    assert (tick.code, funds.code) == ("tick", "funds")
    assert tick.sentence == "The price 100.001 is no multiple of AAA's tick, 0.01; round it."
    assert "₹100506.005000 with its charges and ₹100000.0000 is free" in funds.sentence


def test_the_same_wish_again_returns_the_first_order_unchanged(account):
    first = desk.place(account, a_wish(), AT)
    again = desk.place(account, a_wish(quantity=99), AT + timedelta(minutes=1))
    assert (again.pk, again.quantity, again.status) == (first.pk, 10, "queued")
    assert OrderEvent.objects.count() == 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"quantity": 0}, "lot"),
        ({"quantity": -5}, "lot"),
        ({"quantity": 10**9}, "lot"),
        ({"quantity": True}, "lot"),
        ({"price": Decimal(0)}, "tick"),
        ({"price": Decimal("NaN")}, "tick"),
        ({"price": Decimal("Infinity")}, "tick"),
        ({"price": Decimal(10**8)}, "tick"),
        ({"price": Decimal("100.00001")}, "tick"),
        ({"trigger_price": Decimal(-1), "order_type": OrderType.STOP}, "tick"),
        ({"market_protection": Decimal("NaN")}, "market_protection"),
        ({"market_protection": Decimal("0.001")}, "market_protection"),
        ({"market_protection": Decimal(1000)}, "market_protection"),
    ],
)
def test_what_cannot_be_written_down_makes_no_order(account, fields, code):
    with pytest.raises(desk.NotPlaced) as refused:
        desk.place(account, a_wish(**fields), AT)
    assert [each.code for each in refused.value.refusals] == [code]
    assert not Order.objects.exists()


def test_a_second_order_of_a_share_and_side_is_a_duplicate_and_the_first_is_none_of_itself(account):
    first = desk.place(account, a_wish(), AT)
    second = desk.place(account, a_wish(purpose="by_hand 2"), AT)
    assert [each.code for each in desk.refusals_of(second)] == ["duplicate"]
    third = desk.place(account, a_wish("BBB", price=Decimal(50), purpose="by_hand 3"), AT)
    assert (first.status, third.status) == ("queued", "queued")


@pytest.mark.parametrize("status", ["cancelled", "expired", "rejected"])
def test_what_ended_otherwise_than_filled_may_be_ordered_anew(account, status):
    """The exchange cancels by itself; the rest of a holding can still be sold that day."""
    hold(account, "AAA", 10)
    sale: dict[str, Any] = {"side": Side.SELL, "price": Decimal(100)}
    first = in_the_book(desk.place(account, a_wish(quantity=10, **sale), AT), 4)
    terms: dict[str, Any] = {"status": BookStatus(status), "filled_quantity": 4, "broker_at": AT}
    assert book.record(first, [Event(Kind.SEEN, status, "", AT, **terms)]).status == status
    rest = desk.place(account, a_wish(quantity=6, purpose="by_hand 2", **sale), AT)
    assert (rest.status, desk.refusals_of(rest)) == ("queued", [])


def test_open_purchases_block_their_money(account):
    # 600 × 100 × 1.005 + 5 = ₹60,305 are blocked; ₹39,695 are free, and 785 × 50 × 1.005 + 5 = ₹39,451.25 fit.
    desk.place(account, a_wish(quantity=600), AT)
    too_many = desk.place(account, a_wish("BBB", 790, price=Decimal(50)), AT)
    assert [each.code for each in desk.refusals_of(too_many)] == ["funds"]
    fits = desk.place(account, a_wish("BBB", 785, purpose="by_hand 2", price=Decimal(50)), AT)
    assert fits.status == "queued"


def test_open_sales_take_what_can_be_sold(account):
    hold(account, "AAA", 10)
    sale: dict[str, Any] = {"side": Side.SELL, "price": Decimal(100)}
    assert desk.place(account, a_wish(quantity=6, **sale), AT).status == "queued"
    second = desk.place(account, a_wish(quantity=5, purpose="by_hand 2", **sale), AT)
    assert [each.code for each in desk.refusals_of(second)] == ["not_delivered", "duplicate"]


def test_a_change_is_asked_once_and_judged_by_the_checks(account):
    order = in_the_book(desk.place(account, a_wish(), AT), 4)
    for quantity, price, code in ((2000, Decimal(100), "funds"), (12, Decimal("100.005"), "tick"), (12, None, "tick")):
        with pytest.raises(desk.NotPlaced) as refused:
            desk.ask_modify(order, quantity, price, "asha", AT)
        assert code in [each.code for each in refused.value.refusals]
    changing = desk.ask_modify(order, 12, Decimal("100.05"), "asha", AT)
    assert (changing.status, changing.pending) == ("partly_filled", "modify")
    assert (changing.quantity, changing.price) == (10, Decimal(100))
    with pytest.raises(desk.NotAsked, match="whose modify is pending"):
        desk.ask_modify(order, 13, Decimal(100), "asha", AT + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("quantity", "words"), [(10, "already"), (4, "4 shares are filled"), (3, "4 shares are filled")]
)
def test_a_change_that_changes_nothing_or_undoes_a_fill_is_not_asked(account, quantity, words):
    order = in_the_book(desk.place(account, a_wish(), AT), 4)
    with pytest.raises(desk.NotAsked, match=words):
        desk.ask_modify(order, quantity, Decimal(100), "asha", AT)


def test_a_cancel_is_asked_of_what_is_in_the_book_alone(account):
    order = desk.place(account, a_wish(), AT)
    with pytest.raises(desk.NotAsked, match="queued cannot be asked to cancel: wait until it is sent, or abandon it"):
        desk.ask_cancel(order, "asha", AT)
    in_the_book(order)
    assert desk.ask_cancel(order, "asha", AT).pending == "cancel"
    assert OrderEvent.objects.get(kind="cancel_asked").raw == {"by": "asha"}


def test_the_state_is_read_anew_under_the_lock(account):
    """Whoever holds an old row of an order is answered by its state of now."""
    old = in_the_book(desk.place(account, a_wish(), AT))
    gone = Event(Kind.SEEN, "seen", "", AT, status=BookStatus.CANCELLED, filled_quantity=0, broker_at=AT)
    book.record(old, [gone])
    assert old.status == "open"
    with pytest.raises(desk.NotAsked, match="cancelled cannot be asked to cancel"):
        desk.ask_cancel(old, "asha", AT)


def test_an_order_of_unknown_fate_blocks_its_share_until_it_is_abandoned(account):
    order = desk.place(account, a_wish(), AT)
    lost = book.record(order, [Event(Kind.SEND, "send", "", AT), Event(Kind.NO_ANSWER, "no_answer", "", AT)])
    assert lost.status == "unknown"
    hold(account, "AAA", 5)
    sale = a_wish(quantity=5, purpose="by_hand 2", side=Side.SELL)
    assert [each.code for each in desk.refusals_of(desk.place(account, sale, AT))] == ["unknown_open"]
    other = desk.place(account, a_wish("BBB", price=Decimal(50), purpose="by_hand 3"), AT)
    assert other.status == "queued"
    with pytest.raises(desk.NotAsked, match="with a reason"):
        desk.abandon(order, "asha", " ", AT)
    given_up = desk.abandon(order, "asha", "Not in the broker's book.", AT)
    assert (given_up.status, given_up.reason) == ("abandoned", "Not in the broker's book.")
    assert desk.place(account, replace(sale, purpose="by_hand 4"), AT).status == "queued"


def test_what_was_placed_at_the_broker_by_hand_is_not_touched(account):
    order = in_the_book(desk.place(account, a_wish(), AT))
    Order.objects.filter(pk=order.pk).update(intent=None)
    with pytest.raises(desk.NotAsked, match="placed at the broker by hand"):
        desk.ask_cancel(order, "asha", AT)
