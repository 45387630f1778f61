"""What buying and selling a share once costs, in percent of its value: charges and the share's own impact; pure.

Charges are those of `brokers.charges` in delivery, both sides at the rates of one session: what the sale ten sessions
later will cost is not known yet. There are two kinds. A *ticket* is a stated order: it pays its broker's brokerage and
the DP charge, and decides which shares are worth buying. The *plain* charges are taxes and fees alone, the same for
every broker and size, and judge rankings: 0.2225 % at the rates of 2025.

Impact is what one's own order moves the price by, assumed from the share's median turnover alone; the order's size is
not part of it.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from brokers.charges import GST, Charges, Fill, Side, order_charges

LIQUID_TURNOVER_LAKH: Final = 1000.0
"""₹10 crore a day."""

LIQUID_IMPACT_PCT, IMPACT_PCT = 0.1, 0.2
_PLAIN_BROKER: Final = "zerodha"
# So large that the rounding of the lines to rupee and paisa does not show.
_PLAIN_VALUE: Final = Decimal(1_000_000_000)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ticket:
    """An order of a stated value in ₹ at a broker of `brokers.charges.BROKERS`."""

    broker: str
    rupees: int


def impact_pct(median_turnover_lakh: npt.ArrayLike) -> Floats:
    """Impact of one side, percent of the value: 0.1 above a median turnover of ₹10 crore a day, 0.2 below.

    NaN where the turnover (₹ lakh) is not known. Shape of the input.
    """
    turnover = np.asarray(median_turnover_lakh, dtype=np.float64)
    impact = np.where(turnover > LIQUID_TURNOVER_LAKH, LIQUID_IMPACT_PCT, IMPACT_PCT)
    return np.where(np.isnan(turnover), np.nan, impact)


@lru_cache(maxsize=4096)
def plain_charges_pct(session: date) -> float:
    """Taxes and fees of a round trip at a session's rates, percent of the value, without brokerage and DP charge.

    Raises
    ------
    ChargesError
        The session lies before the first known rate.
    """
    sides = _sides(_PLAIN_BROKER, session, _PLAIN_VALUE)
    return _pct(sum((side.total - side.brokerage * (1 + GST) for side in sides), Decimal(0)), _PLAIN_VALUE)


@lru_cache(maxsize=4096)
def ticket_charges_pct(session: date, ticket: Ticket) -> float:
    """All charges of a ticket's round trip at a session's rates, percent of its value, with brokerage and DP charge.

    Raises
    ------
    ChargesError
        The broker is unknown, the value not positive, or the session before the first known rate.
    """
    value = Decimal(ticket.rupees)
    return _pct(sum((side.total + side.dp for side in _sides(ticket.broker, session, value)), Decimal(0)), value)


def round_trip_cost_pct(session: date, median_turnover_lakh: npt.ArrayLike, ticket: Ticket) -> Floats:
    """Charges of a ticket and both sides' impact, percent of the value; NaN where the turnover is not known.

    Raises
    ------
    ChargesError
        As `ticket_charges_pct`.
    """
    return ticket_charges_pct(session, ticket) + 2 * impact_pct(median_turnover_lakh)


def _sides(broker: str, session: date, value: Decimal) -> list[Charges]:
    """Charges of purchase and sale: of different days, so each has a note of its own."""
    return [order_charges(broker, session, Fill(side, "share", side, 1, value)) for side in (Side.BUY, Side.SELL)]


def _pct(amount: Decimal, value: Decimal) -> float:
    return float(amount * 100 / value)
