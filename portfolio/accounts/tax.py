"""The tax statement of an account: that of a file with the same entries."""

from datetime import date

from portfolio.accounts.readings import postings_of
from portfolio.ledger.statement import Statement, statement_of
from portfolio.ledger.tax_entries import tax_entries
from portfolio.models import TradingAccount


def statement_of_account(account: TradingAccount, day: date = date.max) -> Statement:
    """Open lots, disposals and years by an account's ledger up to a day, shares by their symbols of that day.

    Raises
    ------
    LedgerError
        When the ledger contradicts itself (more is sold than held, a price of 31 January 2018 is missing): the sentence
        names the entry.
    """
    return statement_of(tax_entries(postings_of(account, day)))
