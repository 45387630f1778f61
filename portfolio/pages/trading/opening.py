"""Opens paper accounts: each once for the key of its form, with what is paid in at first."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import transaction

from brokers.protocol import IST
from portfolio.accounts.creation import NotCreated, Wanted, create_account
from portfolio.accounts.entries import deposit
from portfolio.models import LedgerEntry, TradingAccount, User

MOST_ACCOUNTS: Final = 50


def open_paper_account(person: User, given: dict[str, Any], at: datetime) -> tuple[TradingAccount, bool]:
    """Open the account that a valid `AccountForm` describes; return it, and whether it is new.

    The key that was used before returns its account, whatever else is said now.

    Raises
    ------
    NotCreated
        When the person has an account of that name, or as many as one may have.
    """
    reference = f"opened {given['key']}"
    with transaction.atomic():
        person = User.objects.select_for_update().get(pk=person.pk)  # of two forms at once the second waits
        paid = LedgerEntry.objects.filter(account__owner=person, kind="deposit", reference=reference)
        if (first := paid.select_related("account").first()) is not None:
            return first.account, False
        if TradingAccount.objects.filter(owner=person).count() >= MOST_ACCOUNTS:
            raise NotCreated(f"You have {MOST_ACCOUNTS} accounts, as many as one may have: use one of them.")
        account = create_account(person, Wanted(given["name"], "paper", charges_of=given["charges_of"]))
        amount: Decimal = given["deposit"]
        deposit(account, at.astimezone(IST).date(), amount, reference, "The starting deposit.")
        return account, True
