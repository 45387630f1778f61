"""Writes the ledger of an account: each thing once, and what was otherwise as a correction beside it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from portfolio.accounts.charges import are_posted, post_charges
from portfolio.accounts.corrections import by_stem, settle
from portfolio.accounts.isins import isins_on
from portfolio.accounts.positions import refresh_positions
from portfolio.models import LedgerEntry, Trade, TradingAccount

_SIGN: Final = {"buy": 1, "sell": -1}


def fill_reference(trade: Trade) -> str:
    """What a fill is known by in its account."""
    return f"{trade.exchange}:{trade.date:%Y-%m-%d}:{trade.broker_trade_id}"


def post_fills(account: TradingAccount, trades: Sequence[Trade], withdrawn: Sequence[Trade] = ()) -> None:
    """Enter fills, each once; the caller holds the account's lock.

    What the broker reports otherwise than before, or no longer counts (`withdrawn`), is set right by a correction:
    entries are never changed.
    """
    counted = {fill_reference(trade) for trade in trades}
    gone = [trade for trade in withdrawn if fill_reference(trade) not in counted]
    days = {trade.date for trade in (*trades, *gone)}
    stored = LedgerEntry.objects.filter(account=account, kind__in=("fill", "correction"), day__in=days)
    owed = [*(_fill(account, trade, trade.quantity) for trade in trades), *(_fill(account, each, 0) for each in gone)]
    settle(owed, by_stem(stored), "The broker reports this fill otherwise than before.")
    for day in days:
        if are_posted(account, day):
            post_charges(account, day)
    refresh_positions(account, {trade.order.symbol for trade in (*trades, *gone)})


def _fill(account: TradingAccount, trade: Trade, shares: int) -> LedgerEntry:
    """The unsaved entry of a fill, of so many of its shares."""
    quantity, symbol = _SIGN[trade.order.side] * shares, trade.order.symbol
    return LedgerEntry(
        account=account,
        day=trade.date,
        kind=LedgerEntry.EntryKind.FILL,
        symbol=symbol,
        isin=isins_on([symbol], trade.date).get(symbol, ""),
        quantity=quantity,
        amount=-quantity * Decimal(trade.price),
        reference=fill_reference(trade),
    )
