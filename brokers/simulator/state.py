"""What a simulated account consists of: cash, shares, and the book of the day; pure.

It holds no clock, no price and no random generator, so that it can be kept as plain data and taken up again.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, Self

from brokers.charges import Charges, Fill, Kind, Product, Side, note_charges
from brokers.plain_data import plain, restored
from brokers.protocol import IST, OrderState, OrderType

NOTHING: Final = Decimal(0)
LIVE: Final = (OrderState.IN_TRANSIT, OrderState.OPEN)
_MEAN: Final = Decimal("0.0001")


@dataclass(frozen=True)
class Lot:
    """Shares of one purchase, or what is left of it; they can be sold from a day on."""

    isin: str
    quantity: int
    price: Decimal
    bought_on: date
    sellable_from: date


@dataclass(frozen=True)
class Version:
    """An order from a moment on, until its next version.

    `price` is what was asked for, `worst_price` what it may be filled at in the worst case; fills come from prices
    after `active_from`; `value` is what was filled, in ₹.
    """

    at: datetime
    state: OrderState
    quantity: int
    worst_price: Decimal
    price: Decimal | None
    trigger_price: Decimal | None
    active_from: datetime
    triggered: bool
    filled_quantity: int = 0
    value: Decimal = NOTHING
    message: str | None = None

    @property
    def open_quantity(self) -> int:
        return self.quantity - self.filled_quantity if self.state in LIVE else 0


@dataclass
class BookedOrder:
    """An order with all its versions; it expires at the close of a session."""

    order_id: str
    tag: str | None
    symbol: str
    series: str
    kind: Kind
    side: Side
    order_type: OrderType
    product: Product
    placed_at: datetime
    expires_on: date
    versions: list[Version]

    @property
    def newest(self) -> Version:
        return self.versions[-1]

    @property
    def is_live(self) -> bool:
        return self.newest.state in LIVE

    def change(self, at: datetime, **changes: Any) -> None:
        """Add a version."""
        self.versions.append(replace(self.newest, at=at, **changes))

    def as_of(self, moment: datetime) -> Version | None:
        """The version that was in force at a moment; None before the order was placed."""
        return next((version for version in reversed(self.versions) if version.at <= moment), None)


@dataclass(frozen=True)
class Execution:
    """A fill."""

    trade_id: str
    order_id: str
    symbol: str
    kind: Kind
    product: Product
    side: Side
    quantity: int
    price: Decimal
    at: datetime


@dataclass
class State:
    """A simulated account at a moment (IST).

    Parameters
    ----------
    cash : ₹ after all fills, before the charges of the fills in the book
    charges : ₹ of the days that have ended, DP charges included
    lots : by symbol, oldest first
    executions : fills of the day
    numbers : how many orders and trades have been numbered
    requests : how many calls have been made
    """

    now: datetime
    cash: Decimal
    charges: Decimal = NOTHING
    lots: dict[str, list[Lot]] = field(default_factory=dict)
    orders: list[BookedOrder] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    numbers: int = 1000
    requests: int = 0

    def __post_init__(self) -> None:
        """Keep times in IST; raises ValueError for one without its zone."""
        if self.now.tzinfo is None:
            raise ValueError(f"{self.now} has no zone: give times in IST.")
        self.now = self.now.astimezone(IST)

    def snapshot(self) -> dict[str, Any]:
        """Everything as objects, lists, numbers and texts, for JSON."""
        content: dict[str, Any] = plain(self)
        return content

    @classmethod
    def restored(cls, content: dict[str, Any]) -> Self:
        """Take up a snapshot again; raises ValueError for what is none."""
        try:
            return restored(cls, content)
        except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"This is no snapshot of a simulated account: {error!r}.") from error

    def next_number(self) -> str:
        self.numbers += 1
        return str(self.numbers)

    def live_orders(self) -> list[BookedOrder]:
        return [order for order in self.orders if order.is_live]

    def day_note(self, tariff: str | None) -> Charges | None:
        """The charges of the day's fills so far, as the contract note has them; None without any."""
        if tariff is None or not self.executions:
            return None
        return note_charges(tariff, self.now.date(), [_fill(execution) for execution in self.executions])

    def traded(self, symbol: str, side: Side) -> int:
        """Shares bought or sold today."""
        return sum(fill.quantity for fill in self.executions if (fill.symbol, fill.side) == (symbol, side))

    def sellable(self, symbol: str) -> int:
        """Shares that have arrived, less those that orders are selling."""
        arrived = sum(lot.quantity for lot in self.lots.get(symbol, ()) if lot.sellable_from <= self.now.date())
        selling = (order.newest.open_quantity for order in self.live_orders() if _sells(order, symbol))
        return arrived - sum(selling)

    def transfer(self, amount: Decimal, symbol: str = "", lot: Lot | None = None, taken: int = 0) -> None:
        """Take in what comes from elsewhere: ₹ (negative: that go), shares as a lot, or shares that go."""
        self.cash += amount
        if lot is not None:
            self.lots.setdefault(symbol, []).append(lot)
        if taken:
            self.take_shares(symbol, taken)

    def take_shares(self, symbol: str, quantity: int) -> None:
        """Take sold shares out of the lots, first in, first out: those that have arrived come first."""
        left = []
        for lot in self.lots.get(symbol, ()):
            taken = min(quantity, lot.quantity)
            quantity -= taken
            if lot.quantity > taken:
                left.append(replace(lot, quantity=lot.quantity - taken))
        self.lots[symbol] = left
        if not left:
            del self.lots[symbol]


def _sells(order: BookedOrder, symbol: str) -> bool:
    return order.side == Side.SELL and order.symbol == symbol


def _fill(execution: Execution) -> Fill:
    return Fill(
        execution.order_id,
        execution.symbol,
        execution.side,
        execution.quantity,
        execution.price,
        execution.product,
        execution.kind,
    )


def mean_price(quantity: int, value: Decimal) -> Decimal | None:
    """The average price (₹, four decimals) of shares and their value; None of no share."""
    return (value / quantity).quantize(_MEAN, ROUND_HALF_UP) if quantity else None
