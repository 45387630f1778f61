"""Posts what a broker charges for a day's fills: each line of the contract note once, and the DP charge of each share.

The reference says day and line (`2026-02-02:stt`), or day and share (`2026-02-02:dp:TCS`). What the day owes otherwise
than was posted before is set right by a correction beside it.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from django.db import transaction
from django.db.models import QuerySet

from brokers.charges import NOTE_LINES, Fill, Kind, Product, Side, note_charges
from portfolio.accounts.corrections import by_stem, settle
from portfolio.accounts.locking import lock_account
from portfolio.accounts.positions import refresh_positions
from portfolio.models import LedgerEntry, Trade, TradingAccount
from stocks.models import Stock

EntryKind = LedgerEntry.EntryKind
_LINES: Final = tuple(line for line in NOTE_LINES if line != "total")
_KINDS: Final = {Stock.Kind.FUND.value: Kind.EQUITY_FUND}
"""What a fund holds is not known here; one of Indian shares is charged the most of them."""


class _Owed(NamedTuple):
    kind: EntryKind
    symbol: str
    amount: Decimal


def post_charges(account: TradingAccount, day: date) -> None:
    """Enter the charges of a day's fills; what stands in the ledger already adds nothing.

    Raises
    ------
    ChargesError
        For a day before the first one whose rates are known.
    """
    with transaction.atomic():
        lock_account(account.pk)
        trades = list(Trade.objects.filter(account=account, date=day).select_related("order").order_by("pk"))
        entered = _entered(account, day)
        if trades or entered:
            _settle(account, day, _owed(account, day, trades), entered)
            refresh_positions(account, {trade.order.symbol for trade in trades})


def are_posted(account: TradingAccount, day: date) -> bool:
    """Whether charges of a day's fills stand in the ledger."""
    return bool(_entered(account, day))


def owed_charges(account: TradingAccount, day: date) -> Decimal:
    """What a day's fills cost in ₹, DP charges included, whether it stands in the ledger or not."""
    trades = list(Trade.objects.filter(account=account, date=day).select_related("order").order_by("pk"))
    return -sum((owed.amount for owed in _owed(account, day, trades).values()), Decimal(0))


def without_charges_of(entries: QuerySet[LedgerEntry], day: date) -> QuerySet[LedgerEntry]:
    """Entries but for the charges of a day's fills, and what set these right."""
    return entries.exclude(
        kind__in=(EntryKind.CHARGE, EntryKind.DP_CHARGE, EntryKind.CORRECTION), reference__startswith=f"{day}:"
    )


def _entered(account: TradingAccount, day: date) -> dict[str, list[LedgerEntry]]:
    kinds = EntryKind.CHARGE, EntryKind.DP_CHARGE, EntryKind.CORRECTION
    return by_stem(LedgerEntry.objects.filter(account=account, kind__in=kinds, reference__startswith=f"{day}:"))


def _owed(account: TradingAccount, day: date, trades: Sequence[Trade]) -> dict[str, _Owed]:
    if not trades:
        return {}
    kinds = dict(Stock.objects.filter(symbol__in={each.order.symbol for each in trades}).values_list("symbol", "kind"))
    fills = [
        Fill(
            *(str(trade.order_id), trade.order.symbol, Side(trade.order.side), trade.quantity, Decimal(trade.price)),
            product=Product(trade.order.product),
            kind=_KINDS.get(kinds.get(trade.order.symbol, ""), Kind.SHARE),
        )
        for trade in trades
    ]
    note = note_charges(account.charges_of, day, fills)
    owed = {f"{day}:{line}": _Owed(EntryKind.CHARGE, "", -getattr(note, line)) for line in _LINES}
    for symbol in sorted({fill.symbol for fill in fills}):
        charges = note_charges(account.charges_of, day, [fill for fill in fills if fill.symbol == symbol])
        owed[f"{day}:dp:{symbol}"] = _Owed(EntryKind.DP_CHARGE, symbol, -charges.dp)
    return owed


def _settle(account: TradingAccount, day: date, owed: dict[str, _Owed], entered: dict[str, list[LedgerEntry]]) -> None:
    """Enter what the day's fills cost; what they cost no longer is taken back."""
    nothing = {
        reference: _Owed(EntryKind.CORRECTION, before[0].symbol, Decimal(0))
        for reference, before in entered.items()
        if reference not in owed
    }
    rows = [
        LedgerEntry(account=account, day=day, reference=reference, kind=due.kind, symbol=due.symbol, amount=due.amount)
        for reference, due in sorted((owed | nothing).items())
    ]
    settle(rows, entered, "The day's fills are others than when its charges were posted.")
