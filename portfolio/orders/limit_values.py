"""What an account's limits may be, from texts and numbers; pure."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from portfolio.orders.evidence import Limits
from portfolio.orders.risk import LIMITS

WORDS: Final[Mapping[str, str]] = {
    "order_value": "most that a purchase comes to, ₹",
    "position_share": "largest part of the account in one share, 0-1",
    "sector_share": "largest part of the account in one sector, 0-1",
    "orders_a_day": "orders of a session, from which no purchase follows",
    "daily_loss": "loss of a session from which only sales follow, ₹",
    "drawdown": "fall from the highest value from which only sales follow, 0-1",
}
"""What each limits."""

_COUNT: Final = "orders_a_day"
_MOST_ORDERS: Final = Decimal(100_000)
_MOST_RUPEES: Final = Decimal(10) ** 12
_DECIMALS: Final = 4


class LimitError(ValueError):
    """No limit can be set so; the sentence names the value and what to do."""


def limits_from(values: Mapping[str, Any]) -> Limits:
    """Limits by their names; None and an empty text leave one unset. Raises LimitError."""
    return Limits(**{name: limit_value(name, value) for name, value in values.items()})


def limit_value(name: str, value: object) -> Any:
    """A limit (Decimal, of orders int) from a text or a number, None where it is to be unset; raises LimitError."""
    if name not in LIMITS:
        raise LimitError(f"{name!r} is no limit of an account; there are {', '.join(LIMITS)}.")
    if value is None or value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise LimitError(f"{name} {str(value)[:40]!r} is no number; write 25000, or a part as 0.1.") from None
    most = _most(name)
    decimals = 0 if name == _COUNT else _DECIMALS
    if not number.is_finite() or not 0 < number <= most or number != round(number, decimals):
        kind = "whole number" if name == _COUNT else f"number of at most {_DECIMALS} decimals"
        raise LimitError(
            f"{name} {str(value)[:40]} is no {kind} above 0 and up to {most:,}; correct it, or leave it empty."
        )
    return int(number) if name == _COUNT else number


def _most(name: str) -> Decimal:
    if name == _COUNT:
        return _MOST_ORDERS
    return _MOST_RUPEES if name in ("order_value", "daily_loss") else Decimal(1)
