"""Accounts by what an operator calls them."""

from portfolio.models import TradingAccount


class UnknownAccount(ValueError):
    """No account, or more than one, has a name; the sentence says which there are."""


def account_named(wanted: str) -> TradingAccount:
    """The account with a number or a name; those of replays have none. Raises UnknownAccount."""
    accounts = TradingAccount.objects.filter(is_replay=False).order_by("pk")
    is_number = wanted.isascii() and wanted.isdecimal() and len(wanted) < 10
    matching = list(accounts.filter(pk=int(wanted)) if is_number else accounts.filter(name=wanted.replace("\0", "")))
    if len(matching) == 1:
        return matching[0]
    listed = ", ".join(f"{account.pk} ({account.name})" for account in (matching or accounts[:20])) or "none"
    raise UnknownAccount(f"{wanted[:60]!r} names {len(matching)} accounts; give the number of one: {listed}.")
