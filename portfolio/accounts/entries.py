"""Writes entries that are no fills into an account's ledger: each once, by its reference, under the account's lock."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from django.db import transaction

from portfolio.accounts.isins import isins_on
from portfolio.accounts.locking import lock_account
from portfolio.accounts.positions import refresh_positions
from portfolio.models import LedgerEntry, TradingAccount

Kind = LedgerEntry.EntryKind
_MOST: Final = 10**12
"""₹, as of a line of a file."""


class EntryError(ValueError):
    """An entry that cannot be made; the sentence names the value and the remedy."""


@dataclass(frozen=True)
class Draft:
    """An entry to be: `quantity` shares and `amount` ₹ that come; negative: that go."""

    day: date
    kind: Kind
    reference: str
    symbol: str = ""
    quantity: int = 0
    amount: Decimal = Decimal(0)
    price: Decimal | None = None
    ratio_new: Decimal | None = None
    ratio_old: Decimal | None = None
    credited_on: date | None = None
    fmv: Decimal | None = None
    isin: str = ""
    reason: str = ""


def enter(account: TradingAccount, drafts: list[Draft]) -> list[LedgerEntry]:
    """Enter what is not in the ledger yet, and refresh its positions; return what is new.

    Raises
    ------
    EntryError
        For an entry whose reference stands there already and says something else: it is set right by a correction.
    """
    with transaction.atomic():
        lock_account(account.pk)
        wanted = [LedgerEntry(account=account, **vars(draft)) for draft in drafts]
        stored = {
            (row.kind, row.reference): row
            for row in LedgerEntry.objects.filter(account=account, reference__in={row.reference for row in wanted})
        }
        new = []
        for row in wanted:
            known = stored.get((row.kind, row.reference))
            if known is None:
                new.append(row)
                stored[row.kind, row.reference] = row
            elif _content(known) != _content(row):
                raise EntryError(
                    f"{row.kind} {row.reference} stands in the ledger with {known.quantity} shares and ₹{known.amount}"
                    f" of {known.day}, and {row.quantity} shares and ₹{row.amount} of {row.day} are given: leave it"
                    " out, or set it right by a correction."
                )
        symbols = {row.symbol for row in new if row.symbol}
        for day in {row.day for row in new if row.symbol}:
            isins = isins_on(symbols, day)
            for row in new:
                if row.day == day:
                    row.isin = row.isin or isins.get(row.symbol, "")
        LedgerEntry.objects.bulk_create(new)
        if symbols:
            refresh_positions(account, symbols)
    return new


def _content(row: LedgerEntry) -> tuple[object, ...]:
    return row.day, row.symbol, row.quantity, row.amount, row.price, row.ratio_new, row.ratio_old, row.credited_on


def deposit(account: TradingAccount, day: date, amount: Decimal, reference: str, reason: str = "") -> None:
    """Enter money in ₹ that was paid in; the same reference again adds nothing."""
    _check_amount(amount)
    enter(account, [Draft(day, Kind.DEPOSIT, reference, amount=amount, reason=reason)])


def withdraw(account: TradingAccount, day: date, amount: Decimal, reference: str, reason: str = "") -> None:
    """Enter money in ₹ that was paid out; the same reference again adds nothing."""
    _check_amount(amount)
    enter(account, [Draft(day, Kind.WITHDRAWAL, reference, amount=-amount, reason=reason)])


def enter_dividend(account: TradingAccount, day: date, symbol: str, amount: Decimal, reference: str) -> None:
    """Enter a dividend in ₹ that was paid into the account, as much as arrived."""
    _check_amount(amount)
    enter(account, [Draft(day, Kind.DIVIDEND, reference, symbol, amount=amount)])


def enter_transfer(
    account: TradingAccount,
    day: date,
    symbol: str,
    quantity: int,
    price: Decimal,
    reference: str,
    held_since: date | None = None,
) -> None:
    """Enter shares that came from another account (negative: went), at what they had cost in ₹ per share."""
    _check_amount(price)
    if not quantity:
        raise EntryError(f"{quantity} {symbol} are no transfer; name how many shares came (negative: went).")
    enter(account, [Draft(day, Kind.TRANSFER, reference, symbol, quantity, price=price, credited_on=held_since)])


def correct(
    account: TradingAccount,
    day: date,
    reference: str,
    reason: str,
    *,
    symbol: str = "",
    quantity: int = 0,
    amount: Decimal = Decimal(0),
    price: Decimal | None = None,
) -> None:
    """Set the ledger right beside its entries: shares and ₹ that come (negative: go), and why.

    `price` is what shares cost that come without money, in ₹ per share. A reference with `#` is the ledger's own: it
    sets right what a broker reports otherwise than before.
    """
    if "#" in reference:
        raise EntryError(
            f"The reference {reference[:60]!r} has a #, which the ledger's own corrections have; choose another."
        )
    if not reason.strip():
        raise EntryError("A correction needs a reason; say what is set right and by which document.")
    if not quantity and not amount:
        raise EntryError("The correction changes neither shares nor money; name one of them.")
    if quantity and not symbol:
        raise EntryError(f"The correction of {quantity} shares names no share; name it.")
    enter(
        account,
        [Draft(day, Kind.CORRECTION, reference, symbol, quantity, amount, price=price, reason=reason.strip()[:300])],
    )


def _check_amount(amount: Decimal) -> None:
    if not amount.is_finite() or not 0 < amount < _MOST or amount != round(amount, 4):
        raise EntryError(
            f"₹{str(amount)[:40]} is not a positive amount below ₹{_MOST:,} with at most four decimals; correct it."
        )
