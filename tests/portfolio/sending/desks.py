"""An account with money, a market with written prices, and a clock that a test sets."""

from datetime import timedelta
from decimal import Decimal

from brokers.charges import Side
from brokers.prices import Price
from brokers.protocol import OrderType
from brokers.registry import Behaviour
from portfolio.models import LedgerEntry, Order, User
from portfolio.orders import book
from portfolio.orders.events import Event, Kind
from portfolio.orders.evidence import Draft
from portfolio.sending.sender import Sender
from portfolio.sending.venues import venue_of
from tests.accounts import paper_account
from tests.brokers.simulated import DAY, Clock, WrittenPrices, at

PLAIN = Behaviour(spread=Decimal(0), impact=Decimal(0), volume_part=None, bands=False, tariff=None)
PRICES = [("09:20", "100"), ("09:30", "100"), ("09:40", "90"), ("10:30", "95")]


class Desk:
    """What a test does with one account."""

    def __init__(self) -> None:
        self.clock = Clock(at("09:15"))
        self.account = paper_account(User.objects.create_user("asha"))
        self.prices = WrittenPrices({"SBIN": [Price(at(clock), Decimal(price), 10_000) for clock, price in PRICES]})
        self.behaviour = PLAIN
        self.deposit("100000")
        self.numbers = 0

    def deposit(self, amount: str) -> None:
        number = LedgerEntry.objects.count()
        LedgerEntry.objects.create(
            account=self.account, day=DAY, kind="deposit", amount=Decimal(amount), reference=str(number)
        )

    def queue(self, quantity: int = 10, price: str | None = "99", side: Side = Side.BUY) -> Order:
        self.numbers += 1
        kind = OrderType.LIMIT if price else OrderType.MARKET
        draft = Draft("", DAY, "SBIN", side, quantity, kind, Decimal(price) if price else None)
        order, _ = book.order_for(self.account, book.Wish(draft, f"by_hand {self.numbers}"), self.clock())
        return book.record(order, [Event(Kind.QUEUE, "queue", "", self.clock())])

    def venue(self):
        return venue_of(self.account, self.clock, self.prices, self.behaviour)

    def turn(self, venue, seconds: int = 5) -> None:
        """Let time pass, and take a turn with a new sender, as after a restart."""
        self.clock.now += timedelta(seconds=seconds)
        with self.sender(venue) as sender:
            sender.step()

    def sender(self, venue) -> Sender:
        """A sender whose checks are not what is tested."""
        return Sender(self.account, venue, self.clock, lambda *_: [])

    def move(self, clock: str) -> None:
        self.clock.now = at(clock)


def kinds(order: Order) -> list[str]:
    return [event.kind.value for event in book.events_of_order(order)]
