"""The sender on a simulated venue: each order once, its state the book's, whatever is lost on the way."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connections

from brokers.protocol import WRITES, OrderType, Rejected, Rows
from brokers.registry import Drill, Fault
from portfolio.models import LedgerEntry, PaperVenue, Trade
from portfolio.orders import book
from portfolio.orders.desk import refusals_of
from portfolio.orders.events import Event, Kind
from portfolio.orders.kill_switch import switch
from portfolio.orders.risk import Refusal
from portfolio.sending.lock import AnotherSender, LockLost
from portfolio.sending.sender import Sender
from tests.brokers.simulated import at
from tests.portfolio.sending.desks import Desk, kinds

pytestmark = pytest.mark.django_db
NOT_TAKEN = {Fault.NO_CONNECTION, Fault.TOO_MANY_CALLS, Fault.NOT_AUTHENTICATED, Fault.REFUSED, Fault.REJECTED}


@pytest.fixture
def desk(db):
    return Desk()


def fresh(order):
    order.refresh_from_db()
    return order


def recorded(venue, name, clock):
    """The moments of a venue's calls by a name."""
    moments, call = [], getattr(venue, name)

    def record(argument):
        moments.append(clock())
        return call(argument)

    setattr(venue, name, record)
    return moments


def test_a_queued_order_is_sent_once_and_its_fill_is_entered(desk):
    order = desk.queue(price="100")
    with desk.venue() as venue:
        desk.turn(venue)
        assert (fresh(order).status, order.broker_order_id) == ("open", "1001")
        desk.move("09:21")
        for _ in range(3):
            desk.turn(venue)
        [row] = venue.orders().rows
    assert (fresh(order).status, order.filled_quantity, order.average_price) == ("filled", 10, Decimal(100))
    assert (row.tag, row.filled_quantity) == (order.tag, 10)
    assert kinds(order) == ["create", "queue", "send", "answer", "seen", "fill", "seen"] or kinds(order) == [
        *("create", "queue", "send", "answer", "fill", "seen"),
    ]
    assert LedgerEntry.objects.get(kind="fill").amount == -1000


def test_a_send_without_an_answer_is_looked_for_by_its_tag_after_a_restart(desk):
    order = desk.queue()
    with desk.venue() as venue:
        book.record(order, [Event(Kind.SEND, "send", "", desk.clock())])
        desk.turn(venue)
        assert fresh(order).status == "unknown"
        assert venue.orders().rows == ()
        # Nothing is sent again, whatever the turns; what does appear in the book is taken for what it is.
        for _ in range(3):
            desk.turn(venue, 60)
        assert (fresh(order).status, venue.orders().rows) == ("unknown", ())


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in NOT_TAKEN])
def test_an_answer_that_is_lost_decides_nothing(desk, fault, done):
    order = desk.queue()
    with desk.venue() as venue:
        venue.client.drill(Drill("place", fault, done=done))
        desk.turn(venue)
        assert "no_answer" in kinds(order)
        assert (fresh(order).status, order.broker_order_id) == (("open", "1001") if done else ("unknown", None))
        desk.turn(venue, 61)
        assert len(venue.orders().rows) == int(done)


@pytest.mark.parametrize("fault", sorted(NOT_TAKEN))
def test_what_the_broker_did_not_take_in_is_rejected_and_not_sent_again(desk, fault):
    order = desk.queue()
    with desk.venue() as venue:
        venue.client.drill(Drill("place", fault))
        desk.turn(venue)
        desk.turn(venue, 61)
        assert (fresh(order).status, venue.orders().rows) == ("rejected", ())
    assert fault.value in order.reason


def test_a_book_that_lags_finds_the_order_later(desk):
    order = desk.queue()
    desk.behaviour = replace(desk.behaviour, book_lag_seconds=60)
    with desk.venue() as venue, desk.sender(venue) as sender:
        venue.client.drill(Drill("place", Fault.SLOW, done=True))
        sender.step()
        times = recorded(venue, "find_by_tag", desk.clock)
        while fresh(order).status == "unknown" and len(times) < 3:
            desk.clock.now += timedelta(seconds=20)
            sender.step()
    assert (order.status, order.broker_order_id) == ("open", "1001")
    assert times == [at("09:16")]


def test_a_tag_that_cannot_be_looked_up_keeps_nothing_else_from_being_done(desk):
    lost, other = desk.queue(), desk.queue()
    with desk.venue() as venue, desk.sender(venue) as sender:
        venue.client.drill(Drill("place", Fault.RESET))
        venue.client.drill(Drill("find_by_tag", Fault.NOT_AUTHENTICATED))
        sender.step()
        assert "not authenticated" in str(sender.trouble)
    assert (fresh(lost).status, fresh(other).status) == ("unknown", "open")


def test_a_check_right_before_sending_refuses(desk):
    order = desk.queue()
    with desk.venue() as venue:
        with Sender(
            desk.account, venue, desk.clock, lambda *_: [Refusal("band", "Too high."), Refusal("tick", "Off.")]
        ) as sender:
            sender.step()
        assert venue.orders().rows == ()
    assert fresh(order).status == "refused"
    assert book.events_of_order(order)[-1].checks == ("band", "tick")
    assert refusals_of(order) == [("band", "Too high."), ("tick", "Off.")]


def test_an_order_waits_for_its_turn_at_the_rate(desk):
    order = desk.queue()
    codes = [[Refusal("rate", "Ten a second.")], []]
    with desk.venue() as venue, Sender(desk.account, venue, desk.clock, lambda *_: codes.pop(0)) as sender:
        sender.step()
        assert fresh(order).status == "queued"
        sender.step()
    assert fresh(order).status == "open"


# --- kill switch ------------------------------------------------------------------------------------------------------


def test_the_kill_switch_refuses_what_waits_and_cancels_what_is_open(desk):
    order = desk.queue()
    with desk.venue() as venue:
        desk.turn(venue)
        waiting = desk.queue()
        switch(on=True, operator="asha", reason="odd fills")
        venue.client.drill(Drill("cancel", Fault.BUSY))
        desk.turn(venue)
        assert (fresh(order).pending, venue.orders().rows[0].status) == ("cancel", "open")
        desk.turn(venue)  # after a restart
        desk.turn(venue)
        assert [row.status for row in venue.orders().rows] == ["cancelled"]
    assert (fresh(order).status, fresh(waiting).status) == ("cancelled", "refused")
    assert book.events_of_order(waiting)[-1].checks == ("kill_switch",)


def test_the_kill_switch_asks_again_after_a_minute_in_which_a_cancel_did_nothing(desk):
    order = desk.queue()
    with desk.venue() as venue, desk.sender(venue) as sender:
        sender.step()
        switch(on=True, operator="asha", reason="odd fills")
        venue.client.drill(Drill("cancel", Fault.RESET))
        for _ in range(14):
            sender.step()
            desk.clock.now += timedelta(seconds=5)
    assert fresh(order).status == "cancelled"
    assert kinds(order).count("cancel_asked") == 2


# --- cancels and modifications ----------------------------------------------------------------------------------------


def ask(desk, order, kind, **fields):
    return book.record(order, [Event(kind, f"{kind} {desk.clock()}", "", desk.clock(), **fields)])


def test_a_cancel_is_carried_out_once_a_process(desk):
    order = desk.queue()
    with desk.venue() as venue, desk.sender(venue) as sender:
        sender.step()
        ask(desk, order, Kind.CANCEL_ASKED)
        venue.client.drill(Drill("cancel", Fault.RESET))
        calls = recorded(venue, "cancel", desk.clock)
        for _ in range(3):
            sender.step()
            desk.clock.now += timedelta(seconds=60)
        assert (len(calls), fresh(order).pending) == (1, "cancel")
        # It may be asked again, and what does not leave this machine is tried again.
        ask(desk, order, Kind.CANCEL_ASKED)
        venue.client.drill(Drill("cancel", Fault.NO_CONNECTION))
        for _ in range(3):
            sender.step()
            desk.clock.now += timedelta(seconds=60)
    assert (len(calls), fresh(order).status) == (3, "cancelled")


def test_a_modification_holds_once_the_book_shows_it(desk):
    order = desk.queue()
    desk.behaviour = replace(desk.behaviour, book_lag_seconds=10)
    with desk.venue() as venue, desk.sender(venue) as sender:
        sender.step()
        desk.clock.now += timedelta(seconds=30)
        ask(desk, order, Kind.MODIFY_ASKED, quantity=8, price=Decimal("98.50"))
        sender.step()
        assert (fresh(order).pending, order.quantity) == ("modify", 10)
        for _ in range(4):
            desk.clock.now += timedelta(seconds=5)
            sender.step()
    assert (fresh(order).pending, order.quantity, order.price, order.status) == ("", 8, Decimal("98.50"), "open")
    assert kinds(order).count("modified") == 1


def test_a_modification_that_the_broker_does_not_make_is_refused(desk):
    order = desk.queue()
    with desk.venue() as venue:
        desk.turn(venue)
        ask(desk, order, Kind.MODIFY_ASKED, quantity=10, price=Decimal("98.53"))  # off the tick
        desk.turn(venue)
    assert (fresh(order).pending, order.price) == ("", Decimal(99))
    assert "modify_refused" in kinds(order)


def test_what_was_changed_by_hand_at_the_broker_is_recorded(desk):
    order = desk.queue()
    with desk.venue() as venue:
        desk.turn(venue)
        [row] = venue.orders().rows
        venue.client.venue.behaviour = desk.behaviour
        from portfolio.sending.requests import request_of

        venue.modify(row.order_id, request_of(order, 4, Decimal("99.50")))
        desk.turn(venue)
    assert (fresh(order).quantity, order.price, order.pending) == (4, Decimal("99.50"), "")


# --- the book ---------------------------------------------------------------------------------------------------------


def without(venue, orders=(), trades=()):
    """Leave rows out of a venue's books, as half a book does."""
    read_orders, read_trades = venue.orders, venue.trades
    venue.orders = lambda: Rows(tuple(row for row in read_orders().rows if row.order_id not in orders))
    venue.trades = lambda: Rows(tuple(row for row in read_trades().rows if row.order_id not in trades))


def test_half_a_book_removes_nothing(desk):
    order, other = desk.queue(price="100"), desk.queue(price="80")
    with desk.venue() as venue:
        desk.turn(venue)
        desk.move("09:21")
        desk.turn(venue)
        without(venue, ["1001", "1002"], ["1001"])
        with desk.sender(venue) as sender:
            for _ in range(3):
                desk.clock.now += timedelta(seconds=5)
                sender.step()
    assert (fresh(order).status, fresh(other).status) == ("filled", "open")
    assert (kinds(order).count("missing"), kinds(other).count("missing")) == (1, 1)
    assert Trade.objects.get().quantity == 10


def test_a_protected_market_order_is_known_by_its_tag_alone(desk):
    desk.move("09:21")
    order = desk.queue(price=None)
    with desk.venue() as venue:
        rows = venue.orders
        venue.orders = lambda: Rows(
            tuple(replace(row, order_type=OrderType.LIMIT, price=Decimal("105")) for row in rows().rows)
        )
        desk.turn(venue)
        desk.turn(venue)
        assert (fresh(order).status, order.price, "modified" in kinds(order)) == ("open", None, False)


def test_orders_and_fills_of_nobody_are_left_to_the_reconciliation(desk):
    from brokers.charges import Side
    from tests.brokers.simulated import order as request

    order = desk.queue(price="80")
    with desk.venue() as venue:
        venue.place(request(Side.BUY, 5, "100", tag="BYHAND"))
        desk.turn(venue)
        desk.move("09:21")
        desk.turn(venue)
        assert len(venue.trades().rows) == 1
    assert (Trade.objects.count(), fresh(order).status) == (0, "open")


def test_a_broker_without_times_of_changes_adds_nothing_with_each_reading(desk):
    order = desk.queue(price="100")
    with desk.venue() as venue:
        rows, trades = venue.orders, venue.trades
        venue.orders = lambda: Rows(tuple(replace(row, updated_at=None) for row in rows().rows))
        venue.trades = lambda: Rows(tuple(replace(row, traded_at=None) for row in trades().rows))
        for clock in ("09:16", "09:17", "09:21", "09:22", "09:23"):
            desk.move(clock)
            desk.turn(venue)
    assert kinds(order) == ["create", "queue", "send", "answer", "seen", "fill", "seen"]
    assert (fresh(order).status, order.alarms) == ("filled", [])


def test_an_order_that_the_exchange_cancels_is_cancelled(desk):
    order = desk.queue()
    with desk.venue() as venue:
        desk.turn(venue)
        venue.cancel("1001")
        desk.turn(venue)
    assert (fresh(order).status, "cancel_asked" in kinds(order)) == ("cancelled", False)


# --- one sender -------------------------------------------------------------------------------------------------------


def test_an_account_has_one_sender(desk):
    with desk.venue() as venue:
        with desk.sender(venue), pytest.raises(AnotherSender, match="one at a time"):
            desk.sender(venue)
        desk.sender(venue).close()


def test_a_sender_whose_lock_has_gone_sends_nothing(desk):
    order = desk.queue()
    with desk.venue() as venue, desk.sender(venue) as sender:
        session = sender._lock._session
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [session.connection.info.backend_pid])
        with pytest.raises(LockLost):
            sender.step()
        assert venue.orders().rows == ()
        with desk.sender(venue) as another, pytest.raises(LockLost):
            sender.step()
        assert another is not sender
    assert fresh(order).status == "queued"


# --- the memory of a paper account's venue ----------------------------------------------------------------------------


def test_the_venues_memory_is_kept_call_by_call(desk):
    with desk.venue() as venue:
        desk.queue(price="100")
        desk.turn(venue)
    desk.move("09:21")
    with desk.venue() as again:
        assert [row.filled_quantity for row in again.orders().rows] == [10]
        assert again.funds().available == 99_000
    assert PaperVenue.objects.get().snapshot["state"]["orders"][0]["order_id"] == "1001"


def test_money_from_elsewhere_reaches_the_venue_once(desk):
    with desk.venue() as venue:
        assert venue.funds().available == 100_000
        desk.deposit("500")
        desk.deposit("-200")
        assert [venue.funds().available for _ in range(2)] == [100_300, 100_300]


def test_a_rejected_call_is_kept_too(desk):
    with desk.venue() as venue:
        with pytest.raises(Rejected):
            venue.cancel("7")
        assert PaperVenue.objects.get().snapshot["state"]["requests"] == 1
    assert {"place", "modify", "cancel"} == WRITES
