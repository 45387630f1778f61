"""A paper account's day on stored bars: what was ordered by hand is filled when the day's bar is there."""

from datetime import datetime, time, timedelta
from decimal import Decimal

import pytest

from brokers.protocol import OrderType
from brokers.registry import FRICTIONLESS, State
from market_data.models import DailyBar
from portfolio.models import Difference, LedgerEntry, PaperVenue, User
from portfolio.orders import book
from portfolio.orders.events import Event, Kind
from portfolio.sending.sender import Sender
from portfolio.sending.service import serve
from portfolio.sending.venues import venue_of
from stocks.models import Stock
from tests.accounts import DAY, IST, paper_account
from tests.brokers.simulated import Clock
from tests.orders import a_bar, a_market, a_wish, deposit

pytestmark = pytest.mark.django_db


def moment(clock: str, days: int = 0) -> datetime:
    return datetime.combine(DAY + timedelta(days=days), time.fromisoformat(clock), IST)


@pytest.fixture
def account(db):
    account = paper_account(User.objects.create_user("asha"))
    deposit(account)
    a_market()
    return account


def turn(account, clock: str, days: int = 0) -> None:
    now = Clock(moment(clock, days))
    with venue_of(account, now, behaviour=FRICTIONLESS) as venue, Sender(account, venue, now, lambda *_: []) as sender:
        sender.step()


def venue_time(account) -> datetime:
    return State.restored(PaperVenue.objects.get(account=account).snapshot["state"]).now


@pytest.mark.parametrize(("placed", "price"), [("09:05", 101), ("10:00", 104)])
def test_an_order_by_hand_is_filled_at_the_next_price_once_the_bar_is_there(account, placed, price):
    wish = a_wish(order_type=OrderType.MARKET, price=None, market_protection=Decimal(20))
    order, _ = book.order_for(account, wish, moment(placed))
    book.record(order, [Event(Kind.QUEUE, "queue", "", moment(placed))])
    for clock in (placed, "11:00", "15:40", "20:00"):
        turn(account, clock)
        order.refresh_from_db()
        assert (order.status, order.filled_quantity) == ("open", 0)
    bar = a_bar(Stock.objects.get(symbol="AAA"), DAY, 104)
    DailyBar.objects.filter(pk=bar.pk).update(open=101, low=100)
    turn(account, "21:30")
    order.refresh_from_db()
    assert order.status == "filled"
    assert LedgerEntry.objects.get(account=account, kind="fill").amount == -10 * price
    assert order.trades.get().traded_at >= moment(placed)


def test_a_venue_that_is_only_read_leaves_the_opening_to_the_evening(account):
    for clock in ("08:00", "10:00", "18:00"):
        with venue_of(account, Clock(moment(clock))) as venue:
            assert venue.funds().available == 100_000
    assert venue_time(account) == moment("09:14:59")


def test_a_deposit_of_a_day_whose_bars_are_late_is_no_difference(account):
    """Monday's bars are not there on Tuesday: the venue has yet to play it, and the account is not to be blocked."""
    deposit(account, 5_000, DAY + timedelta(days=1))
    order, _ = book.order_for(account, a_wish(session=DAY + timedelta(days=1)), moment("09:59", 1))
    book.record(order, [Event(Kind.QUEUE, "queue", "", moment("09:59", 1))])
    for clock in ("10:00", "10:05"):
        serve(account, Clock(moment(clock, 1)), lambda _: True, once=True)
    assert list(Difference.objects.filter(account=account)) == []


def test_fills_that_nobody_read_on_their_day_are_read_the_next_morning(account):
    order, _ = book.order_for(account, a_wish(), moment("10:00"))
    book.record(order, [Event(Kind.QUEUE, "queue", "", moment("10:00"))])
    turn(account, "10:00")
    a_bar(Stock.objects.get(symbol="AAA"), DAY, 99)
    turn(account, "10:00", 1)
    order.refresh_from_db()
    assert (order.status, order.average_price) == ("filled", 99)
    turn(account, "10:05", 1)
    assert LedgerEntry.objects.filter(account=account, kind="fill").count() == 1
