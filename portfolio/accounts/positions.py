"""Keeps `positions` what the ledger says: the writer of that table."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from decimal import Decimal

from brokers.charges import Product
from portfolio.accounts.readings import posting_of
from portfolio.ledger.entries import Entry
from portfolio.ledger.holdings import average_price, lots_or_none
from portfolio.ledger.postings import Posting
from portfolio.ledger.tax_entries import tax_entries
from portfolio.models import LedgerEntry, Position, TradingAccount
from stocks.universe.symbols import owners


def refresh_positions(account: TradingAccount, symbols: Collection[str] | None = None) -> None:
    """Write the positions of some shares, or of all, as the whole ledger says; the caller holds the account's lock.

    A share that is held no longer keeps its row, with its realised profit; one that was renamed has its present symbol.
    """
    owner = owners(date.max)
    postings: dict[str, list[Posting]] = defaultdict(list)
    touched = set()
    for row in LedgerEntry.objects.filter(account=account):
        symbol = owner(row.symbol, row.day) if row.symbol else ""
        postings[symbol].append(posting_of(row, symbol))
        if symbol and (symbols is None or row.symbol in symbols):
            touched.add(symbol)
    taxed: dict[str, list[Entry]] = defaultdict(list)
    for entry in tax_entries(posting for each in postings.values() for posting in each):
        taxed[entry.symbol].append(entry)
    Position.objects.bulk_create(
        [_position(account, symbol, postings[symbol], taxed[symbol]) for symbol in sorted(touched)],
        update_conflicts=True,
        unique_fields=["account", "symbol", "product"],
        update_fields=["quantity", "average_price", "realised_profit", "updated_at"],
    )
    Position.objects.filter(account=account).exclude(symbol__in=postings).delete()


def _position(
    account: TradingAccount, symbol: str, postings: Collection[Posting], taxed: Collection[Entry]
) -> Position:
    lots = lots_or_none(list(taxed))
    return Position(
        account=account,
        symbol=symbol,
        product=Product.DELIVERY.value,
        quantity=sum(posting.quantity for posting in postings),
        average_price=average_price(list(postings)),
        realised_profit=None if lots is None else sum((each.gain for each in lots.disposals), Decimal(0)),
    )
