"""One writer at a time for an account's orders and ledger."""

from portfolio.models import TradingAccount


def lock_account(account: int) -> TradingAccount:
    """Let nobody else write this account's book and ledger until the transaction ends."""
    return TradingAccount.objects.select_for_update(no_key=True).get(pk=account)
