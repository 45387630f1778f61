"""What every broker looks like to the rest of the system; pure.

Amounts are in ₹ as Decimal, quantities whole shares, times in IST with their zone. A symbol is the bare symbol of the
NSE; a venue's spelling stays in its adapter. What a broker does not say is None; an error is never an empty list.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Final, Generic, Protocol, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from brokers.charges import Product, Side

IST: Final = ZoneInfo("Asia/Kolkata")
SERIES: Final = ("EQ", "BE", "BZ", "SM", "ST")
"""Series of shares and funds in the cash market of the NSE."""

CALLS: Final = (
    *("profile", "funds", "holdings", "positions", "orders", "trades", "quotes", "history", "symbol_master"),
    *("place", "modify", "cancel", "find_by_tag"),
)
WRITES: Final = frozenset(("place", "modify", "cancel"))
_TAG_LENGTH: Final = 20

Row = TypeVar("Row")


class BrokerError(Exception):
    """A call without its result; the sentence names the broker, what it answered, and what to do.

    Parameters
    ----------
    code : the broker's own, as text (`MarginException`, `-50`); None when it gave none
    sent : whether the request may have reached the broker
    retry_after_seconds : the wait that the broker names
    """

    word: ClassVar[str]

    def __init__(
        self, sentence: str, *, code: str | None = None, sent: bool = True, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.code, self.sent, self.retry_after_seconds = code, sent, retry_after_seconds


class Unavailable(BrokerError):
    """Time heals it: nothing was changed."""

    word = "unavailable"


class TooManyCalls(Unavailable):
    """Unavailable because of a limit: another request now would only count against the account."""


class NotAuthenticated(BrokerError):
    """The account's owner has to log in."""

    word = "not_authenticated"


class Rejected(BrokerError):
    """The broker understood the request and does not do it."""

    word = "rejected"


class Refused(BrokerError):
    """The operator has to change something: a permission, the plan, the app, the address, the account."""

    word = "refused"


class OutcomeUnknown(BrokerError):
    """A write of which nobody told the outcome: look for the tag before anything else."""

    word = "unknown"


class Unreadable(BrokerError):
    """The answer is not what the broker documents."""

    word = "unreadable"


class Unsupported(BrokerError):
    """The broker has no such call."""

    word = "unsupported"


class OrderState(StrEnum):
    """Where an order is. Partly filled is `open`; `cancelled` and `expired` keep what was filled."""

    IN_TRANSIT = "in_transit"
    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class OrderType(StrEnum):
    """How the price of an order is decided."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "sl"
    STOP_MARKET = "sl-m"


class SellAuthorisation(StrEnum):
    """Whether shares can be sold without the owner: always, after the owner's TPIN of that day, or not known."""

    STANDING = "standing"
    PER_DAY = "per_day"
    UNKNOWN = "unknown"


class Adjustment(StrEnum):
    """What daily history is adjusted for: nothing, what the broker chooses, or not known."""

    RAW = "raw"
    VENDOR = "vendor"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Capabilities:
    """What a broker can do, and how much of it a call takes."""

    calls: frozenset[str]
    quotes_a_call: int
    history_days_a_call: int
    history_adjusted: Adjustment
    price_bands: bool
    market_protection: bool


@dataclass(frozen=True)
class Profile:
    """Whose account it is; nothing personal but the name."""

    client_id: str
    name: str
    sell_authorisation: SellAuthorisation


@dataclass(frozen=True)
class Funds:
    """Money in the equity account."""

    available: Decimal
    used: Decimal | None


@dataclass(frozen=True)
class Holding:
    """Shares owned, by ISIN: the exchange is only where the broker reports them.

    `quantity` is as the broker counts it (Zerodha: without what arrives tomorrow, `t1_quantity`); `sellable_quantity`
    leaves out what arrives tomorrow, what is pledged and what was sold today.
    """

    isin: str
    symbol: str
    exchange: str
    quantity: int
    t1_quantity: int
    sellable_quantity: int
    average_price: Decimal


@dataclass(frozen=True)
class Position:
    """The net quantity of a share traded today or not yet settled; negative when sold."""

    symbol: str
    exchange: str
    product: str
    quantity: int
    average_price: Decimal


@dataclass(frozen=True)
class Order:
    """An order of today's book. `tag` is ours alone; `vendor_status` and `message` are the broker's words.

    `updated_at` is when it last changed by the broker's clock; None where the broker does not say it.
    """

    order_id: str
    tag: str | None
    symbol: str
    side: Side
    product: str
    order_type: OrderType | None
    quantity: int
    filled_quantity: int
    price: Decimal | None
    average_price: Decimal | None
    status: OrderState
    vendor_status: str
    message: str | None
    placed_at: datetime | None
    updated_at: datetime | None = None


@dataclass(frozen=True)
class Trade:
    """A fill of today. Numbers of trades are unique per exchange and day only."""

    trade_id: str
    order_id: str
    symbol: str
    quantity: int
    price: Decimal
    traded_at: datetime | None
    exchange: str = "NSE"


@dataclass(frozen=True)
class Rows(Generic[Row]):
    """Rows of the cash market of NSE and BSE, and how many others the broker sent."""

    rows: tuple[Row, ...]
    out_of_scope: int = 0


@dataclass(frozen=True)
class Quote:
    """A share's day so far; prices that are no prices (zero, negative, empty) are None.

    `day` is the session of the figures; `at` is None when they are not today's and the broker names no time.
    """

    symbol: str
    day: date | None
    at: datetime | None
    last_price: Decimal | None
    volume: int | None
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    previous_close: Decimal | None = None
    lower_band: Decimal | None = None
    upper_band: Decimal | None = None


@dataclass(frozen=True)
class Quotes:
    """Quotes, and the symbols that the broker does not know."""

    rows: tuple[Quote, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class DailyBar:
    """A session's prices and volume."""

    date: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


@dataclass(frozen=True)
class History:
    """Daily bars, oldest first, and what they are adjusted for."""

    rows: tuple[DailyBar, ...]
    adjusted: Adjustment


@dataclass(frozen=True)
class Instrument:
    """A share or fund that can be traded today; `venue_name` is the broker's spelling of it."""

    symbol: str
    series: str
    tick_size: Decimal
    venue_name: str
    name: str
    token: str
    isin: str | None = None


@dataclass(frozen=True)
class SymbolMaster:
    """Today's instruments of the cash market, and how many rows repeated an earlier row's name."""

    rows: tuple[Instrument, ...]
    doubled: int


@dataclass(frozen=True)
class OrderRequest:
    """What to buy or sell. `price` of limit and stop orders, `trigger_price` of stop orders alone.

    `market_protection` of orders without a limit: how far from the last price, in percent; None: the broker's own.
    """

    symbol: str
    side: Side
    quantity: int
    order_type: OrderType
    tag: str
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    product: Product = Product.DELIVERY
    series: str = field(default="EQ")
    market_protection: Decimal | None = None

    def __post_init__(self) -> None:
        """Raise ValueError on what no broker should be asked for."""
        check_tag(self.tag)
        if self.quantity <= 0:
            raise ValueError(f"An order for {self.quantity} {self.symbol} is none: the quantity must be above 0.")
        for name, amount, types in (
            ("price", self.price, (OrderType.LIMIT, OrderType.STOP)),
            ("trigger_price", self.trigger_price, (OrderType.STOP, OrderType.STOP_MARKET)),
        ):
            if (amount is not None) != (self.order_type in types):
                need = "needs a" if self.order_type in types else "has no"
                raise ValueError(f"A {self.order_type} order {need} {name}; it was given {amount}.")
            if amount is not None and not (amount.is_finite() and amount > 0):
                raise ValueError(f"The {name} of an order must be above 0 and finite; it was given {amount}.")


@dataclass(frozen=True)
class Placed:
    """An order that the broker took in; whether it accepts it is in the book."""

    order_id: str
    tag: str


class Broker(Protocol):
    """A person's account with a broker. One object a thread.

    Every call raises BrokerError. A read is repeated at most twice, when it was unavailable; a write never.
    """

    name: str
    capabilities: Capabilities

    def profile(self) -> Profile: ...
    def funds(self) -> Funds: ...
    def holdings(self) -> Rows[Holding]: ...
    def positions(self) -> Rows[Position]: ...
    def orders(self) -> Rows[Order]: ...
    def trades(self) -> Rows[Trade]: ...
    def quotes(self, symbols: Sequence[str]) -> Quotes:
        """Symbols of other series than EQ are known by the list of symbols: today's, or the last good one."""
        ...

    def history(self, symbol: str, first: date, last: date) -> History: ...
    def symbol_master(self) -> SymbolMaster: ...
    def place(self, request: OrderRequest) -> Placed: ...
    def modify(self, order_id: str, request: OrderRequest) -> Placed:
        """Give an open order the quantity and price of a request."""
        ...

    def cancel(self, order_id: str) -> None: ...
    def find_by_tag(self, tag: str) -> Rows[Order]:
        """The orders of today's book that carry our tag."""
        ...

    def requests_made(self) -> int:
        """How many requests went out since the account was opened."""
        ...

    def close(self) -> None: ...


def order_tag(key: UUID) -> str:
    """The first 100 bits of a key as 20 upper-case letters and digits: Kite allows 20, Fyers 30."""
    return base64.b32encode(key.bytes).decode()[:_TAG_LENGTH]


def check_tag(tag: str) -> None:
    """Raise ValueError unless both vendors would keep a tag as it is."""
    if not (tag.isascii() and tag.isalnum() and len(tag) <= _TAG_LENGTH) or tag.lower() == "untagged":
        raise ValueError(
            f"{tag!r} is no tag: use 1 to {_TAG_LENGTH} letters and digits, as order_tag() makes them, not Untagged."
        )
