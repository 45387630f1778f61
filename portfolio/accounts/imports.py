"""Imports a ledger file (`portfolio.ledger.entries`) into an account: all of its rows or none, each once.

A row is known by what it says and how many equal ones stand before it in its file: a file that is given twice, or again
with further rows, doubles nothing. Purchases and sales move the account's money; an opening's charges were paid before.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final

from django.db import transaction

from portfolio.accounts.entries import Draft, Kind, enter
from portfolio.accounts.locking import lock_account
from portfolio.accounts.readings import postings_of
from portfolio.ledger.entries import Entry, EntryKind, entries_of
from portfolio.ledger.postings import ACTIONS, FILL, Posting, before_trades
from portfolio.ledger.tax_entries import OWN_CHARGES, tax_entries
from portfolio.ledger.tax_lots import in_order, tax_lots
from portfolio.models import LedgerEntry, TradingAccount
from stocks.universe.symbols import owners

FROM_FILE: Final = "file:"
"""Begins the references of what was imported."""

_MOST_SHARES: Final = 2_147_483_647
_MOST: Final = 10**12
_KINDS: Final = {
    EntryKind.OPENING: Kind.OPENING,
    EntryKind.BUY: Kind.FILL,
    EntryKind.SELL: Kind.FILL,
    EntryKind.TRANSFER: Kind.TRANSFER,
    EntryKind.SPLIT: Kind.SPLIT,
    EntryKind.BONUS: Kind.BONUS,
}


@dataclass(frozen=True)
class Imported:
    """How many rows a file has, and how many of them were new."""

    rows: int
    new: int


class _Undone(Exception):
    pass


def import_ledger(account: TradingAccount, content: bytes, today: date, *, dry_run: bool = False) -> Imported:
    """Enter a ledger file's rows into an account.

    Parameters
    ----------
    content : the CSV file, oldest row first
    today : no row lies after it
    dry_run : check everything and enter nothing

    Raises
    ------
    CsvError, LedgerError
        For a row that cannot be read, is out of order, sells more than is held, or contradicts what stands in the
        ledger: the sentence names line, value and remedy, and nothing is entered.
    """
    entries = entries_of(content)
    imported = Imported(0, 0)
    try:
        with transaction.atomic():
            lock_account(account.pk)
            imported = _import(account, entries, today)
            if dry_run:
                raise _Undone
    except _Undone:
        pass
    return imported


def _import(account: TradingAccount, entries: Sequence[Entry], today: date) -> Imported:
    owner = owners(date.max)
    rows = [(reference, entry) for reference, entry in zip(_references(entries), in_order(entries), strict=True)]
    stored = set(
        LedgerEntry.objects.filter(account=account, reference__startswith=FROM_FILE).values_list("reference", flat=True)
    )
    new = [(reference, entry) for reference, entry in rows if reference not in stored]
    postings = postings_of(account, date.max)
    by_share: dict[str, list[Posting]] = defaultdict(list)
    for posting in postings:
        by_share[posting.symbol].append(posting)
    for _, entry in new:
        _check(entry, by_share[owner(entry.symbol, entry.day)], today)
    moved = [replace(entry, symbol=owner(entry.symbol, entry.day)) for _, entry in new]
    tax_lots(sorted([*tax_entries(postings), *moved], key=lambda entry: entry.day))
    enter(account, _drafts(new, postings))
    return Imported(len(rows), len(new))


def _references(entries: Sequence[Entry]) -> list[str]:
    before: Counter[str] = Counter()
    references = []
    for entry in entries:
        amounts = (None if each is None else each.normalize() for each in (entry.price, entry.charges, entry.fmv))
        what = entry.day, entry.kind, entry.symbol, entry.quantity, *amounts, entry.ratio, entry.credited_on
        digest = hashlib.sha256("|".join(map(str, what)).encode()).hexdigest()[:24]
        references.append(f"{FROM_FILE}{digest}:{before[digest]}")
        before[digest] += 1
    return references


def _check(entry: Entry, of_share: Sequence[Posting], today: date) -> None:
    """What a ledger cannot take that a file may say."""
    if entry.day > today:
        raise entry.error(f"date {entry.day} lies after {today}; leave the line out until then.")
    ratio = entry.ratio or Fraction(1)
    is_large = any(each >= _MOST for each in (entry.value, entry.charges, ratio.numerator, ratio.denominator))
    if is_large or entry.quantity > _MOST_SHARES:
        raise entry.error(f"it says more than a ledger keeps (₹{_MOST}, {_MOST_SHARES} shares); correct the line.")
    for name in ("price", "charges", "fmv"):
        amount = getattr(entry, name)
        if amount is not None and amount != round(amount, 4):
            raise entry.error(f"{name} {amount} has more than four decimals, which is what the ledger keeps; round it.")
    for posting in of_share:
        if posting.kind in ACTIONS and posting.day >= entry.day and not _is_after(entry, posting):
            raise entry.error(
                f"the ledger has a {posting.kind} of {entry.symbol} on {posting.day}, entered for the shares held then;"
                f" enter those of {entry.day} as an opening of a later day, as many as they are then."
            )
        if _is_fill_of_an_order(entry, posting):
            raise entry.error(
                f"{entry.quantity} {entry.symbol} stand in the ledger already as the fill {posting.reference} of"
                f" {posting.day}; leave the line out."
            )


def _is_fill_of_an_order(entry: Entry, posting: Posting) -> bool:
    sign = {EntryKind.BUY: 1, EntryKind.SELL: -1}.get(entry.kind, 0)
    is_order = posting.kind == FILL and not posting.reference.startswith(FROM_FILE)
    return sign != 0 and is_order and posting.day == entry.day and posting.quantity == sign * entry.quantity


def _is_after(entry: Entry, posting: Posting) -> bool:
    """Whether an entry of a split's own day comes after it."""
    is_trade = entry.kind in (EntryKind.BUY, EntryKind.SELL, EntryKind.TRANSFER)
    return posting.day == entry.day and is_trade


def _drafts(rows: Sequence[tuple[str, Entry]], postings: Sequence[Posting]) -> list[Draft]:
    """The entries of rows; splits and bonuses are of what is held by all that comes before them."""
    owner = owners(date.max)
    drafts: list[Draft] = []
    known = list(postings)
    for reference, entry in rows:
        if entry.kind not in (EntryKind.SPLIT, EntryKind.BONUS):
            row = _draft(reference, entry)
            drafts += [row, *_charges(reference, entry)]
            known.append(_posting(row, owner(entry.symbol, entry.day)))
    actions: dict[tuple[date, str], int] = defaultdict(int)
    for reference, entry in rows:
        if entry.kind in (EntryKind.SPLIT, EntryKind.BONUS):
            symbol = owner(entry.symbol, entry.day)
            of_share = [posting for posting in known if posting.symbol == symbol]
            held = sum(posting.quantity for posting in before_trades(of_share, entry.day)) + actions[entry.day, symbol]
            quantity = int(held * entry.ratio) - (held if entry.kind == EntryKind.SPLIT else 0)
            if held + quantity > _MOST_SHARES:
                raise entry.error(f"{held} {entry.symbol} × {entry.ratio} are more than {_MOST_SHARES}; correct them.")
            row = _draft(reference, entry, quantity)
            drafts.append(row)
            known.append(_posting(row, symbol))
            actions[entry.day, symbol] += quantity
    return drafts


def _posting(draft: Draft, symbol: str) -> Posting:
    return Posting(draft.day, draft.kind, draft.reference, symbol, draft.quantity, credited_on=draft.credited_on)


def _draft(reference: str, entry: Entry, change: int = 0) -> Draft:
    quantity = change or entry.quantity * (-1 if entry.kind in (EntryKind.SELL, EntryKind.TRANSFER) else 1)
    is_trade = entry.kind in (EntryKind.BUY, EntryKind.SELL)
    ratio: Fraction | None = entry.ratio or None
    return Draft(
        *(entry.day, _KINDS[entry.kind], reference, entry.symbol, quantity),
        amount=-quantity * entry.price if is_trade else Decimal(0),
        price=entry.price if entry.kind == EntryKind.OPENING else None,
        ratio_new=Decimal(ratio.numerator) if ratio else None,
        ratio_old=Decimal(ratio.denominator) if ratio else None,
        credited_on=entry.credited_on,
        fmv=entry.fmv,
    )


def _charges(reference: str, entry: Entry) -> list[Draft]:
    if not entry.charges:
        return []
    of = f"{reference}:{OWN_CHARGES}"
    charge = Draft(entry.day, Kind.CHARGE, of, amount=-entry.charges)
    if entry.kind != EntryKind.OPENING:
        return [charge]
    before = "The charges of an opening were paid before the ledger."
    return [charge, Draft(entry.day, Kind.DEPOSIT, of, amount=entry.charges, reason=before)]
