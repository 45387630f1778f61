"""Random days at the simulated venue, read through books that lose rows at random: nothing is lost here or twice."""

import random
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.charges import Side
from brokers.protocol import OrderType, Rows
from portfolio.models import Difference, LedgerEntry, Order, OrderEvent, Trade, TradingAccount, User
from portfolio.orders import book
from portfolio.orders.events import Event, Kind
from portfolio.orders.evidence import Draft
from tests.accounts import paper_account
from tests.brokers.simulated import DAY, at, move, order, sbin, simulated
from tests.portfolio.reconciliation.written_venue import reconciled

pytestmark = pytest.mark.django_db
PRICES = [(f"10:{minute:02}", str(100 + minute % 5), 1000) for minute in range(1, 30)]


@dataclass
class LossyVenue:
    """A venue some of whose rows are left out of what it shows."""

    inner: Any
    chance: random.Random
    loses: float

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def orders(self) -> Rows[Any]:
        return self._without_some(self.inner.orders())

    def trades(self) -> Rows[Any]:
        return self._without_some(self.inner.trades())

    def _without_some(self, rows: Rows[Any]) -> Rows[Any]:
        return Rows(tuple(row for row in rows.rows if self.chance.random() >= self.loses))


def place_some(account: TradingAccount, venue: Any, chance: random.Random) -> None:
    """Orders of ours whose answers came or were lost, and orders by hand."""
    for number in range(5):
        quantity, price = chance.randrange(1, 40), str(chance.choice((100, 102, 104)))
        if chance.random() < 0.3:
            venue.place(order(quantity=quantity, price=price, tag=f"HAND{number}"))
            continue
        now = venue.clock.now
        draft = Draft("1", DAY, "SBIN", Side.BUY, quantity, OrderType.LIMIT, Decimal(price))
        ours, _ = book.order_for(account, book.Wish(draft, f"{number}"), now)
        book.record(ours, [Event(Kind.SEND, "send", "", now)])
        placed = venue.place(order(quantity=quantity, price=price, tag=ours.tag or ""))
        answer = Event(Kind.ANSWER, f"answer:{placed.order_id}", "", now, broker_order_id=placed.order_id)
        lost = Event(Kind.NO_ANSWER, "no_answer", "", now)
        book.record(ours, [lost if chance.random() < 0.4 else answer])


@pytest.mark.parametrize("seed", range(5))
def test_after_losses_the_whole_book_is_here_once(db, seed):
    chance = random.Random(seed)
    account = paper_account(User.objects.create_user("asha"))
    LedgerEntry.objects.create(account=account, day=DAY, kind="deposit", amount=Decimal(100000), reference="d")
    venue = simulated(sbin(*PRICES), now="10:00")
    place_some(account, venue, chance)
    events: set[int] = set()
    for minute in range(1, 30, 7):
        move(venue, f"10:{minute:02}")
        rows = reconciled(account, LossyVenue(venue, chance, loses=0.4), venue.clock.now)
        open_rows = [row for row in rows if row.closed_at is None]
        assert len({row.subject for row in open_rows}) == len(open_rows)
        now_there = set(OrderEvent.objects.values_list("pk", flat=True))
        assert events <= now_there
        events = now_there
    reconciled(account, venue, at("10:30"))
    before = list(Difference.objects.order_by("pk").values())
    trades = {(fill.trade_id, fill.quantity, fill.price) for fill in venue.state.executions}
    assert set(Trade.objects.values_list("broker_trade_id", "quantity", "price")) == trades
    assert sum(LedgerEntry.objects.values_list("quantity", flat=True)) == sum(row[1] for row in trades)
    there = {row.order_id: str(row.status) for row in venue.orders().rows}
    here = dict(Order.objects.values_list("broker_order_id", "status"))
    assert here.keys() == there.keys()
    assert all(
        here[number] == state or (here[number], state) == ("partly_filled", "open") for number, state in there.items()
    )
    left = Difference.objects.filter(closed_at=None).exclude(kind__in=("foreign_order", "foreign_fill"))
    assert set(left.values_list("kind", flat=True)) <= {"cash_differs"}  # the venue is without charges here
    reconciled(account, venue, at("10:30") + timedelta(seconds=1))
    after = list(Difference.objects.order_by("pk").values())
    assert [row | {"checked_at": None} for row in after] == [row | {"checked_at": None} for row in before]
