"""Which shares an account wants and how many of each; pure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

RESERVE: Final = Decimal("1.005")
RESERVE_RUPEES: Final = Decimal(5)
"""What a purchase keeps back for its charges: half a percent and ₹5 cover every line of every broker."""


def target(places: Sequence[tuple[str, int]], held: Collection[str], holdings: int, keep: int) -> list[str]:
    """The shares to hold after a decision, by place.

    Parameters
    ----------
    places
        Symbol and place of a list, best first.
    held
        Shares in the account, those that wait to be sold among them.
    holdings, keep
        Held shares with a place up to `keep` stay, the best `holdings` of them; the best others fill up to `holdings`.
    """
    stay = [symbol for symbol, place in places if symbol in held and place <= keep][:holdings]
    others = [symbol for symbol, _ in places if symbol not in held][: holdings - len(stay)]
    wanted = {*stay, *others}
    return [symbol for symbol, _ in places if symbol in wanted]


@dataclass(frozen=True)
class Sizing:
    """How many shares an amount of money buys: whole ones or parts, with or without a reserve for charges."""

    whole: bool
    reserve: bool

    def up_to(self, amount: Decimal, price: Decimal) -> Decimal:
        """Shares whose value does not exceed an amount."""
        return amount // price if self.whole else amount / price

    def cost(self, quantity: Decimal, price: Decimal) -> Decimal:
        """What a purchase takes from the free cash, its reserve included."""
        value = quantity * price
        return value * RESERVE + RESERVE_RUPEES if self.reserve else value

    def affordable(self, free: Decimal, price: Decimal) -> Decimal:
        """The most shares whose cost is at most the free cash; at least 0."""
        if self.reserve:
            free, price = free - RESERVE_RUPEES, price * RESERVE
        return self.up_to(free, price) if free > 0 else Decimal(0)

    def fitting(self, wanted: Decimal, free: Decimal, price_of: Callable[[Decimal], Decimal]) -> Decimal:
        """The most shares, up to those wanted, whose cost at their own price is at most the free cash.

        `price_of` never falls with the quantity. Parts of shares are sized by the price of all that are wanted.
        """
        price = price_of(wanted)
        if self.cost(wanted, price) <= free:
            return wanted
        fits, too_many = min(wanted, self.affordable(free, price)), wanted
        while self.whole and too_many - fits > 1:
            middle = (fits + too_many) // 2
            if self.cost(middle, price_of(middle)) <= free:
                fits = middle
            else:
                too_many = middle
        return fits
