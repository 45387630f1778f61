"""Events in the database: stored once, the order, fills and ledger follow, whatever arrived first."""

import random
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from django.db import InternalError, ProgrammingError, connection, transaction

from brokers.charges import Side
from brokers.protocol import OrderType
from portfolio.models import LedgerEntry, Order, OrderAlarm, Trade, User
from portfolio.orders import book
from portfolio.orders.events import Event, Kind
from portfolio.orders.evidence import Draft
from portfolio.orders.projection import projection
from portfolio.reconciliation.blocks import blocks_of
from portfolio.reconciliation.closing import close_alarm
from tests.accounts import DAY, IST, paper_account
from tests.portfolio.orders.histories import events, random_history

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 2, 9, 0, tzinfo=IST)


def wish(symbol: str = "AAA", quantity: int = 10, purpose: str = "plan", side: Side = Side.BUY) -> book.Wish:
    return book.Wish(Draft("1", DAY, symbol, side, quantity, OrderType.LIMIT, Decimal("100.50")), purpose)


@pytest.fixture
def account(db):
    return paper_account(User.objects.create_user("asha"))


def fill(order: Order, trade_id: str, quantity: int, price: str, minute: int = 20) -> Event:
    at = datetime(2026, 2, 2, 9, minute, tzinfo=IST)
    return Event(
        *(Kind.FILL, f"fill:{trade_id}:{quantity}", str(order.pk), at),
        trade_id=trade_id,
        quantity=quantity,
        price=Decimal(price),
        broker_at=at,
    )


def test_a_wish_has_one_order_with_a_tag_of_its_own(account):
    order, is_new = book.order_for(account, wish(), AT)
    again, is_second = book.order_for(account, wish(quantity=12), AT)
    other, _ = book.order_for(account, wish(purpose="by_hand 7"), AT)
    assert (is_new, is_second, again.pk) == (True, False, order.pk)
    assert (order.status, order.quantity, order.price) == ("created", 10, Decimal("100.50"))
    assert len({order.tag, other.tag}) == 2
    assert all(len(each.tag or "") == 20 for each in (order, other))


def test_fills_make_order_trades_and_ledger(account):
    order, _ = book.order_for(account, wish(), AT)
    book.record(order, [Event(Kind.QUEUE, "queue", "", AT), Event(Kind.SEND, "send", "", AT)])
    book.record(order, [Event(Kind.ANSWER, "answer:77", "", AT, broker_order_id="77")])
    book.record(order, [fill(order, "T1", 6, "100.00"), fill(order, "T1", 6, "100.00")])
    filled = book.record(order, [fill(order, "T1", 6, "100.00"), fill(order, "T2", 4, "101.50", 21)])
    assert (filled.status, filled.filled_quantity, filled.average_price) == ("filled", 10, Decimal("100.6000"))
    assert filled.broker_order_id == "77"
    assert set(Trade.objects.values_list("broker_trade_id", "quantity")) == {("T1", 6), ("T2", 4)}
    assert set(LedgerEntry.objects.values_list("kind", "quantity", "amount", "reference")) == {
        ("fill", 6, Decimal(-600), "NSE:2026-02-02:T1"),
        ("fill", 4, Decimal(-406), "NSE:2026-02-02:T2"),
    }


def test_a_fill_reported_otherwise_is_corrected_beside_its_entry(account):
    order, _ = book.order_for(account, wish(), AT)
    book.record(order, [fill(order, "T1", 6, "100.00", 21)])
    book.record(order, [fill(order, "T1", 4, "100.00", 20)])  # earlier by the broker's clock: it counts
    assert Trade.objects.get().quantity == 4
    entries = LedgerEntry.objects.order_by("id").values_list("kind", "quantity", "amount")
    assert list(entries) == [("fill", 6, Decimal(-600)), ("correction", -2, Decimal(200))]


def test_a_fill_that_two_orders_claim_counts_for_the_first_by_the_brokers_clock(account):
    late, _ = book.order_for(account, wish(), AT)
    early, _ = book.order_for(account, wish(purpose="by_hand 1"), AT)
    book.record(late, [fill(late, "T1", 6, "100.00", 21)])
    book.record(early, [fill(early, "T1", 6, "100.00", 20)])
    late.refresh_from_db()
    assert (late.filled_quantity, Order.objects.get(pk=early.pk).filled_quantity) == (0, 6)
    assert Trade.objects.get().order_id == early.pk
    assert LedgerEntry.objects.count() == 1


def test_an_alarm_is_kept_until_it_is_closed(account):
    order, _ = book.order_for(account, wish(), AT)
    assert book.record(order, [fill(order, "T1", 11, "100.00")]).alarms == ["fill_before_send", "overfill"]
    assert OrderAlarm.objects.filter(closed_at=None).count() == 2


def test_a_closed_alarm_rings_again_for_facts_that_came_after_it_and_only_for_these(account):
    order, _ = book.order_for(account, wish(), AT)
    book.record(order, [Event(Kind.SEND, "send", "", AT), fill(order, "T1", 11, "100.00")])
    first = OrderAlarm.objects.get()
    assert (first.alarm, first.facts) == ("overfill", "11 filled of 10")
    close_alarm(first, account.owner, "The broker explained it.", AT)
    book.record(order, [fill(order, "T1", 11, "100.00"), Event(Kind.MISSING, "missing", "", AT)])
    assert blocks_of(account) == []  # nothing new
    book.record(order, [fill(order, "T2", 5, "100.00", 21)])
    [again] = OrderAlarm.objects.filter(closed_at=None)
    assert (again.alarm, again.facts) == ("overfill", "16 filled of 10")
    assert blocks_of(account) == [f"alarm overfill of order {order.pk} (AAA)"]
    book.record(order, [fill(order, "T3", 1, "100.00", 22)])
    close_alarm(OrderAlarm.objects.get(closed_at=None), account.owner, "These, too.", AT)
    book.record(order, [Event(Kind.MISSING, "missing 2", "", AT)])
    assert (blocks_of(account), OrderAlarm.objects.count()) == ([], 2)


@pytest.mark.parametrize("table", ["order_events", "ledger_entries", "order_intents"])
def test_the_database_refuses_to_change_history(account, table):
    order, _ = book.order_for(account, wish(), AT)
    book.record(order, [fill(order, "T1", 6, "100.00")])
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET id = id"):
        with pytest.raises((InternalError, ProgrammingError), match="only ever added to"), transaction.atomic():
            connection.cursor().execute(statement)


@pytest.mark.parametrize("seed", range(10))
def test_the_row_is_the_projection_of_its_events_in_any_order_of_arrival(account, seed):
    chance = random.Random(seed)
    history = [replace(event, account="") for event in events(random_history(chance, "A"))]
    order, _ = book.order_for(account, wish(), AT)
    [create] = book.events_of_order(order)
    expected = projection([*history, create])
    chance.shuffle(history)
    for start in range(0, len(history), 3):
        row = book.record(order, history[start : start + 3])
    assert (row.status, row.filled_quantity, row.average_price, row.pending or None, tuple(row.alarms)) == (
        *(expected.state, expected.filled_quantity, expected.average_price, expected.pending, expected.alarms),
    )
    assert sum(Trade.objects.values_list("quantity", flat=True)) == row.filled_quantity
    assert sum(LedgerEntry.objects.values_list("quantity", flat=True)) == row.filled_quantity
