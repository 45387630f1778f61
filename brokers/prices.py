"""Where the simulator has its prices from; pure.

A source is asked for what lies up to a moment, and what it answers of the past never changes: nothing of a price may
depend on what came after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from brokers.charges import Kind
from brokers.protocol import DailyBar


@dataclass(frozen=True)
class Listing:
    """A share or fund that can be traded; `kind` decides its taxes."""

    symbol: str
    series: str
    tick_size: Decimal
    isin: str
    name: str
    kind: Kind = Kind.SHARE


class Price(NamedTuple):
    """What a share traded at: the moment in IST with its zone, ₹, and the shares traded since the price before."""

    at: datetime
    price: Decimal
    volume: int


class Bands(NamedTuple):
    """Between which prices a share may trade on a day, both allowed."""

    lower: Decimal
    upper: Decimal


class PriceSource(Protocol):
    """Prices of a market, real or not."""

    def listings(self, day: date) -> Sequence[Listing]:
        """What can be traded on a day, each symbol once."""
        ...

    def prices(self, symbol: str, after: datetime, until: datetime) -> Sequence[Price]:
        """The prices with after < at <= until, oldest first."""
        ...

    def bands(self, symbol: str, day: date) -> Bands | None:
        """None where they are not known."""
        ...

    def history(self, symbol: str, first: date, last: date) -> Sequence[DailyBar]:
        """Unadjusted bars of whole sessions, oldest first; the caller asks for none that has not ended."""
        ...

    def next_session(self, day: date) -> date:
        """The first session after a day."""
        ...
