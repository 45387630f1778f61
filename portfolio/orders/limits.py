"""An account's limits as they are stored: read for the checks, and set; unset until somebody sets them."""

from collections.abc import Mapping
from typing import Any

from portfolio.models import AccountLimits, TradingAccount
from portfolio.orders.evidence import Limits
from portfolio.orders.limit_values import limit_value
from portfolio.orders.risk import LIMITS


def limits_of(account: TradingAccount) -> Limits:
    """The account's limits; none set where it has no row."""
    row = AccountLimits.objects.filter(account=account).first()
    return Limits() if row is None else Limits(**{name: getattr(row, name) for name in LIMITS})


def set_limits(account: TradingAccount, values: Mapping[str, Any]) -> Limits:
    """Set limits by their names, leave the others as they are, and return all; None or an empty text unsets one.

    Raises
    ------
    LimitError
        A value cannot be read or is out of range; then nothing is changed.
    """
    changed = {name: limit_value(name, value) for name, value in values.items()}
    AccountLimits.objects.update_or_create(account=account, defaults=changed)
    return limits_of(account)
