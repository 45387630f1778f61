"""What a permission is bound to, as digests: the account with its access, and the strategy with its terms."""

import hashlib
import json
from typing import Any

from portfolio.models import Strategy, TradedStrategy, TradingAccount


def account_digest(account: TradingAccount) -> str:
    """Of who owns the account, where its orders go and as which client; not of secrets, which change each day."""
    access = account.configuration
    return _digest(
        [
            *(account.pk, account.name, account.kind, account.broker, account.owner_id, account.demat_id),
            *(account.charges_of, account.is_active, account.configuration_id),
            *((access.broker, access.user_id, access.client_id, access.app_key, access.is_active) if access else ()),
        ]
    )


def parameters_digest(account: TradingAccount, strategy: Strategy | None) -> str:
    """Of a strategy and of the terms on which the account trades it; by hand there are none."""
    if strategy is None:
        return _digest(["by hand"])
    trading = TradedStrategy.objects.filter(account=account, strategy=strategy, is_active=True).first()
    return _digest(
        [
            *(strategy.pk, strategy.owner_id, strategy.kind, strategy.parameters, str(strategy.capital)),
            *(strategy.is_active, (trading.terms, trading.first_session.isoformat()) if trading else None),
        ]
    )


def _digest(facts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
