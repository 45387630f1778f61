"""What an order moves the price by, the price it then gets, and how large it may be; pure.

The impact of an order is a share s of the price: a base that depends on the share's turnover (`ml.costs`), and 0.1 of
its volatility times the square root of the order's part in a session's turnover (the square-root law).
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, NamedTuple

from brokers.charges import Side

OF_VOLATILITY: Final = Decimal("0.1")
MOST_OF_TURNOVER: Final = Decimal("0.05")
"""An order is cut at so much of the median turnover."""

_PAISA: Final = Decimal("0.01")


class Liquidity(NamedTuple):
    """A share before a session: median turnover (₹ a session), volatility (plain, of a session), base (plain)."""

    turnover: Decimal
    volatility: Decimal
    base: Decimal


def impact(liquidity: Liquidity, value: Decimal) -> Decimal:
    """Impact of an order of a value in ₹, plain; the turnover is above zero."""
    return liquidity.base + OF_VOLATILITY * liquidity.volatility * (value / liquidity.turnover).sqrt()


def largest_order(liquidity: Liquidity, price: Decimal, *, whole: bool) -> Decimal:
    """Shares of the largest order that is not cut."""
    most = MOST_OF_TURNOVER * liquidity.turnover
    return most // price if whole else most / price


def price_after_impact(side: Side, opening: Decimal, liquidity: Liquidity, quantity: Decimal) -> Decimal:
    """The opening price after the impact of an order, rounded to the paisa against who trades."""
    moved = impact(liquidity, quantity * opening)
    if side == Side.BUY:
        return (opening * (1 + moved)).quantize(_PAISA, ROUND_CEILING)
    return (opening * (1 - moved)).quantize(_PAISA, ROUND_FLOOR)
