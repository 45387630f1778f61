"""Price steps of shares by price and date, where no list of symbols says them; pure.

The exchange sets a share's step by its close at the end of the month before, and keeps it for the month, also after a
split. The rules are those of the exchange's circulars.
"""

from datetime import date
from decimal import Decimal
from typing import Final

_PAISA, _FIVE_PAISE = Decimal("0.01"), Decimal("0.05")
_ANY: Final = Decimal("Infinity")

FIVE_PAISE: Final = ((_ANY, _FIVE_PAISE),)
FROM_250: Final = (
    (Decimal(1_000), _FIVE_PAISE),
    (Decimal(5_000), Decimal("0.10")),
    (Decimal(10_000), Decimal("0.50")),
    (Decimal(20_000), Decimal(1)),
    (_ANY, Decimal(5)),
)
"""(price up to and including which, step) of the rules in force, from ₹250 on."""

_CHEAP_BELOW: Final = Decimal(250)
_CHEAP_SINCE, _GRADED_SINCE = date(2024, 6, 10), date(2025, 4, 15)


def tick_size(day: date, month_close: Decimal) -> Decimal:
    """Return the step in ₹ on a day of a share that closed the month before at a price in ₹."""
    if day >= _CHEAP_SINCE and month_close < _CHEAP_BELOW:
        return _PAISA
    steps = FROM_250 if day >= _GRADED_SINCE else FIVE_PAISE
    return next(step for bound, step in steps if month_close <= bound)


def finest_tick(day: date) -> Decimal:
    """Return the step in ₹ that every price of a day is a multiple of, whatever the share closed at."""
    return _PAISA if day >= _CHEAP_SINCE else _FIVE_PAISE
