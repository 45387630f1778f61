"""How much of an order a price fills, and at what; pure."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Final, NamedTuple

from brokers.charges import Side
from brokers.prices import Bands, Price
from brokers.simulator.behaviour import Behaviour

_PAISA: Final = Decimal("0.01")
MONEY: Final = Context(prec=28, rounding=ROUND_HALF_EVEN)


class Fill(NamedTuple):
    """Shares and ₹ a share."""

    quantity: int
    price: Decimal


class Terms(NamedTuple):
    """What an order still wants: shares, the worst price it takes, its share's tick, and the day's bands if any."""

    symbol: str
    side: Side
    quantity: int
    worst_price: Decimal
    tick_size: Decimal
    bands: Bands | None

    @property
    def bound(self) -> Decimal:
        """The worst price at which a fill is allowed."""
        if self.bands is None:
            return self.worst_price
        if self.side == Side.BUY:
            return min(self.worst_price, self.bands.upper)
        return max(self.worst_price, self.bands.lower)

    def is_within(self, price: Decimal) -> bool:
        return price <= self.bound if self.side == Side.BUY else price >= self.bound


def fill_at(terms: Terms, price: Price, available: int | None, behaviour: Behaviour) -> Fill | None:
    """What a price fills of an order: as much as stays within limit and bands; None where that is nothing.

    Parameters
    ----------
    available : how many shares of what was traded are left for the account's orders; None without a limit
    """
    wanted = terms.quantity if available is None else min(terms.quantity, available)
    needs_volume = behaviour.impact and behaviour.execution is None
    if wanted <= 0 or (needs_volume and not price.volume) or _is_locked(terms, price.price):
        return None
    quantity = _largest_within(terms, price, wanted, behaviour)
    amount = fill_price(terms, price, quantity, behaviour) if quantity else None
    return None if amount is None else Fill(quantity, amount)


def fill_price(terms: Terms, price: Price, quantity: int, behaviour: Behaviour) -> Decimal | None:
    """What a quantity gets at a price of the market; None where nobody takes the other side.

    That is the price after half the spread and the impact, rounded to the tick against who trades, unless the
    behaviour has an execution of its own.
    """
    if behaviour.execution is not None:
        return behaviour.execution(terms.symbol, terms.side, quantity, price)
    side = terms.side
    with localcontext(MONEY):
        moved = behaviour.spread / 2
        if behaviour.impact:
            moved += behaviour.impact * (Decimal(quantity) / price.volume).sqrt()
        against = 1 + moved if side == Side.BUY else 1 - moved
        return to_tick(price.price * against, terms.tick_size, up=side == Side.BUY)


def protected_price(side: Side, reference: Decimal, tick_size: Decimal, behaviour: Behaviour) -> Decimal:
    """The worst price of an order without a limit: as far from the last price as the market protection goes."""
    with localcontext(MONEY):
        away = behaviour.market_protection if side == Side.BUY else -behaviour.market_protection
        return max(to_tick(reference * (1 + away), tick_size, up=side == Side.BUY), tick_size)


def to_tick(price: Decimal, tick_size: Decimal, *, up: bool) -> Decimal:
    """Return the next multiple of the tick."""
    steps = (price / tick_size).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
    return (steps * tick_size).quantize(_PAISA)


def is_triggered(side: Side, trigger_price: Decimal, price: Decimal) -> bool:
    """Whether a price sets off a stop order."""
    return price >= trigger_price if side == Side.BUY else price <= trigger_price


def _is_locked(terms: Terms, price: Decimal) -> bool:
    """At the upper band nobody sells, at the lower nobody buys; beyond them nothing can have been traded."""
    if terms.bands is None:
        return False
    lower, upper = terms.bands
    return not (lower <= price < upper if terms.side == Side.BUY else lower < price <= upper)


def _largest_within(terms: Terms, price: Price, wanted: int, behaviour: Behaviour) -> int:
    """The most shares, up to those wanted, whose price is allowed: it only worsens with the quantity."""

    def fits(quantity: int) -> bool:
        amount = fill_price(terms, price, quantity, behaviour)
        return amount is not None and terms.is_within(amount)

    if fits(wanted):
        return wanted
    most, too_many = 0, wanted
    while too_many - most > 1:
        middle = (most + too_many) // 2
        if fits(middle):
            most = middle
        else:
            too_many = middle
    return most
