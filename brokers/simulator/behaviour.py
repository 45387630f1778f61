"""How the simulated venue behaves: each property can be set, or switched off; pure."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal
from hashlib import blake2b
from typing import Final

from brokers.charges import BROKERS, Side
from brokers.prices import Price

Execution = Callable[[str, Side, int, Price], Decimal | None]
"""What shares of a symbol are bought or sold for (₹ a share) at a price of the market, never better for more of them;
None where nobody takes the other side."""

_DRAWS: Final = 2**64


@dataclass(frozen=True)
class Behaviour:
    """The knobs; shares and chances are plain numbers (0.001 is a tenth of a percent), 0 or None switches one off.

    Parameters
    ----------
    seed : of everything that is left to chance; the same calls at the same moments then give the same answers
    spread : between buying and selling, as a share of the price; half of it on either side
    impact : what an order as large as all that was traded at a price would move it by, as a share of the price;
        a smaller one by the square root of its part
    volume_part : how much of what was traded at a price an account's orders can take
    partial_chance : that a fill takes only a part of what it could
    bands : whether orders and fills keep to the day's price bands, and nobody sells at the upper or buys at the lower
    rejection_chance : that the exchange rejects an order after it was taken in
    late_answer_chance : that an answer comes too late, after the call was done
    acceptance_seconds : how long an order, or its change, is on its way to the exchange
    book_lag_seconds : how far behind the book of orders and trades is
    settles : whether purchases arrive after the session that follows theirs (T+1), and until then cannot be sold
    tariff : whose charges are taken
    market_protection : how far from the last price an order without a limit may be filled; it cannot be switched off
    execution : what an order gets, instead of spread and impact; then an order without a limit blocks the money that it
        would cost now, not what its protection allows
    """

    seed: int = 0
    spread: Decimal = Decimal("0.001")
    impact: Decimal = Decimal("0.01")
    volume_part: Decimal | None = Decimal("0.1")
    partial_chance: Decimal = Decimal(0)
    bands: bool = True
    rejection_chance: Decimal = Decimal(0)
    late_answer_chance: Decimal = Decimal(0)
    acceptance_seconds: int = 0
    book_lag_seconds: int = 0
    settles: bool = True
    tariff: str | None = "simulator"
    market_protection: Decimal = Decimal("0.05")
    execution: Execution | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a value that describes no venue."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("chance") and not 0 <= value <= 1:
                raise ValueError(f"{field.name} is {value}; a chance lies between 0 and 1.")
            if isinstance(value, int | Decimal) and field.name != "seed" and value < 0:
                raise ValueError(f"{field.name} is {value}; it cannot be below 0, and 0 switches it off.")
        if self.volume_part is not None and not 0 < self.volume_part <= 1:
            raise ValueError(f"volume_part is {self.volume_part}; use more than 0 and at most 1, or None.")
        if self.spread >= 1 or not 0 < self.market_protection < 1:
            raise ValueError("spread must be below 1, and market_protection between 0 and 1.")
        if self.tariff is not None and self.tariff not in BROKERS:
            raise ValueError(f"There are no charges of {self.tariff!r}; use one of {', '.join(BROKERS)}, or None.")

    def draw(self, *key: object) -> Decimal:
        """Return a number from 0 to below 1 that depends on the seed and the key alone."""
        text = "|".join(str(part) for part in (self.seed, *key))
        return Decimal(int.from_bytes(blake2b(text.encode(), digest_size=8).digest())) / _DRAWS


FRICTIONLESS: Final = Behaviour(
    spread=Decimal(0), impact=Decimal(0), volume_part=None, bands=False, settles=False, tariff=None
)
"""Everything switched off: an order fills whole, at the next price itself."""
