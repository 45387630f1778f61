"""A share's bar as an account meets it, and whether it can be traded on it; pure.

Prices are the day's own in ₹, exact. A share is *locked* when it traded at one price all day, at the edge of its price
band: who wants to sell a share that is locked down, or to buy one that is locked up, waits.
"""

from decimal import Decimal
from typing import Final, NamedTuple

LOCKED_MOVE: Final = Decimal("0.0195")
"""The narrowest band is 2 %; its edge is rounded to the tick."""

FACTOR_TOLERANCE: Final = Decimal("1e-6")
"""Factors of two bars that differ by more show a split or bonus between them."""


class Bar(NamedTuple):
    """A bar; `factor` is adjusted over own close, `before` the adjusted close of the bar before it, if any."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    factor: Decimal
    before: Decimal | None

    @property
    def is_locked_down(self) -> bool:
        return self.is_one_price and self.before is not None and self._opening <= self.before * (1 - LOCKED_MOVE)

    @property
    def is_locked_up(self) -> bool:
        return self.is_one_price and self.before is not None and self._opening >= self.before * (1 + LOCKED_MOVE)

    @property
    def is_one_price(self) -> bool:
        return self.high == self.low

    @property
    def _opening(self) -> Decimal:
        return self.open * self.factor


def exact(value: float) -> Decimal:
    """The decimal number that a double's shortest text is."""
    return Decimal(repr(float(value)))
