"""When the proceeds of a sale can pay for a purchase; pure."""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

WHOLE_PROCEEDS_SINCE: Final = date(2024, 10, 7)
"""Until then brokers let 80 % of a sale be used on its own day."""

_PART: Final = Decimal("0.80")
_PAISA: Final = Decimal("0.01")


def usable_at_once(session: date, proceeds: Decimal, *, was_bought_session_before: bool) -> Decimal:
    """How much of a sale's proceeds (₹) can be used on the session of the sale; the rest can from the next one on.

    Shares that were bought on the session before are not in the account yet: their proceeds wait.
    """
    if was_bought_session_before:
        return Decimal(0)
    if session >= WHOLE_PROCEEDS_SINCE:
        return proceeds
    return (proceeds * _PART).quantize(_PAISA, ROUND_HALF_UP)
