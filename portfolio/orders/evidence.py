"""What is known when an order is checked before it is sent; pure.

A fact that is not known is None, never a default; `portfolio.orders.risk` says what follows. Amounts are in ₹, shares
of a whole plain (0.1 is a tenth), quantities whole shares, times with their zone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from brokers.charges import Product, Side
from brokers.protocol import OrderType, SellAuthorisation
from market_data.trading_phases import BUILT_IN, PhaseRule, SessionDay

PRICED: Final = frozenset((OrderType.LIMIT, OrderType.STOP))
TRIGGERED: Final = frozenset((OrderType.STOP, OrderType.STOP_MARKET))
UNPRICED: Final = frozenset((OrderType.MARKET, OrderType.STOP_MARKET))
BROKERS_OWN: Final = Decimal(-1)
_HIGHEST: Final = Decimal(10_000_000)
"""₹: as in bars, a price above is none."""


@dataclass(frozen=True)
class Draft:
    """What is to be sent: unlike a request to a broker it may be nonsense, which the checks name.

    `market_protection` is how far a MARKET or SL-M order may go from the last price, in percent; -1: as far as the
    broker's own protection.
    """

    account: str
    session: date
    symbol: str
    side: Side
    quantity: int
    order_type: OrderType
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    market_protection: Decimal | None = None
    product: Product = Product.DELIVERY


@dataclass(frozen=True)
class Share:
    """The share: from the account's list of symbols, the day's limits, the findings, the bars.

    `kind` is share, fund or unknown; `series` None: no list knows the symbol. `lot`, `tick_size` and `freeze_quantity`
    are the list's. `month_close` is the close of the month before, `last_price` the newest, of the session
    `prices_of`. `execution_price` is what this order gets, where its venue says so: the simulated one of paper.
    """

    series: str | None = None
    kind: str | None = None
    renamed_to: str | None = None
    suspended: bool | None = None
    quarantined: bool | None = None
    has_derivatives: bool | None = None
    lot: int | None = None
    freeze_quantity: int | None = None
    tick_size: Decimal | None = None
    month_close: Decimal | None = None
    lower_band: Decimal | None = None
    upper_band: Decimal | None = None
    last_price: Decimal | None = None
    prices_of: date | None = None
    sector: str | None = None
    execution_price: Decimal | None = None


@dataclass(frozen=True)
class Holding:
    """Shares of the draft's symbol less what other sales of today take: there, bought and arriving, bonus due."""

    delivered: int
    arriving: int = 0
    bonus_due: int = 0


@dataclass(frozen=True)
class Limits:
    """What an operator allows a purchase; None: unset, nothing is limited."""

    order_value: Decimal | None = None
    position_share: Decimal | None = None
    sector_share: Decimal | None = None
    orders_a_day: int | None = None
    daily_loss: Decimal | None = None
    drawdown: Decimal | None = None

    def as_json(self) -> dict[str, Any]:
        """Those that are set; amounts and shares of a whole as text."""
        values = {name: value for name, value in vars(self).items() if value is not None}
        return {name: value if isinstance(value, int) else format(value, "f") for name, value in values.items()}


@dataclass(frozen=True)
class Standing:
    """The account as it stands.

    `equity` is cash and holdings at their newest prices, `peak` its highest; `position_value` and `sector_value` count
    what is held and what open purchases would add; `profit_today` is after charges, negative for a loss. `cash` is what
    is free: usable, less what open purchases block. `charges` are those expected of the draft; None: a reserve.
    `same_orders` counts orders of the same session, share and side that are open or filled;
    `unknown_symbols` have an order whose fate is unknown; `blocked_by` are the reasons that block the account.
    """

    is_live: bool
    holding: Holding | None = None
    cash: Decimal | None = None
    charges: Decimal | None = None
    equity: Decimal | None = None
    peak: Decimal | None = None
    profit_today: Decimal | None = None
    position_value: Decimal | None = None
    sector_value: Decimal | None = None
    orders_today: int | None = None
    orders_last_second: int | None = None
    same_orders: int | None = None
    unknown_symbols: Collection[str] | None = None
    blocked_by: Collection[str] | None = None
    sell_authorisation: SellAuthorisation = SellAuthorisation.UNKNOWN
    authorised_on: date | None = None
    outgoing_ip: str | None = None
    registered_ips: Collection[str] | None = None


@dataclass(frozen=True)
class Evidence:
    """All that the checks look at.

    `at` is when the order would be sent, `day` that day in the calendar (None: beyond it), `latest_session` the last
    completed one. `stopped_by` says why the kill switch is on: empty when it is off, None when nobody could tell.
    """

    at: datetime
    day: SessionDay | None
    share: Share
    standing: Standing
    latest_session: date | None = None
    stopped_by: str | None = None
    limits: Limits = Limits()
    phases: tuple[PhaseRule, ...] = BUILT_IN


def value_of(draft: Draft, evidence: Evidence) -> Decimal | None:
    """The most that an order can come to in ₹, without charges; None where no price says it."""
    price = worst_price(draft, evidence)
    return None if price is None or draft.quantity <= 0 else price * draft.quantity


def worst_price(draft: Draft, evidence: Evidence) -> Decimal | None:
    """The highest price in ₹ that an order can be filled at; None where that is not known.

    A MARKET order goes up to its protection from the last price, with the broker's own to the upper band.
    """
    if evidence.share.execution_price is not None and draft.order_type == OrderType.MARKET:
        return evidence.share.execution_price
    if draft.order_type in PRICED:
        return draft.price if is_price(draft.price) else None
    start = draft.trigger_price if draft.order_type in TRIGGERED else evidence.share.last_price
    if start is None or not is_price(start):
        return None
    return protected_price(start, draft.market_protection, evidence.share.upper_band)


def protected_price(start: Decimal, protection: Decimal | None, upper: Decimal | None) -> Decimal | None:
    """How high an order without a limit can be filled from a price on, in ₹; `upper` is the day's upper band."""
    if protection is None or not protection.is_finite() or protection == BROKERS_OWN:
        return upper
    highest = start * (1 + protection / 100)
    return highest if upper is None else min(highest, upper)


def is_price(price: Decimal | None) -> bool:
    """Whether an amount in ₹ can be a price at all."""
    return price is not None and price.is_finite() and 0 < price <= _HIGHEST
