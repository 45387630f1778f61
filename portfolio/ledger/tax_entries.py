"""The entries by which the income tax counts an account's ledger; pure.

An account's ledger has one entry for each fill and each line of a contract note; the tax's has purchases and sales with
the charges that count for them. A line of a note is shared among the day's fills by their value (the stamp duty among
the purchases), to the paisa, the last has the rest; the securities transaction tax and the DP charge do not count.
Dividends and money alone make no entry; nor does what is paid for a part of a share that no whole shares made.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from operator import attrgetter
from typing import Final

from portfolio.ledger.entries import Entry, EntryKind
from portfolio.ledger.postings import (
    ACTIONS,
    BONUS,
    CHARGE,
    CORRECTION,
    FILL,
    FRACTION_PAID,
    Posting,
    merged,
)

_NOT_COUNTED: Final = ("stt",)
_OF_PURCHASES: Final = ("stamp_duty",)
_PAISA: Final = Decimal("0.01")

OWN_CHARGES: Final = "charges"
"""Ends the reference of charges that are those of one fill, whose reference stands before it."""


def tax_entries(postings: Iterable[Posting]) -> list[Entry]:
    """The entries of a ledger, oldest first, under the symbols of the postings."""
    entered = merged(postings)
    charges = _charges(entered)
    paid = {posting.reference: posting.amount for posting in entered if posting.kind == FRACTION_PAID}
    held: dict[str, int] = defaultdict(int)
    entries: list[Entry] = []
    for posting in entered:
        if not posting.quantity:
            continue
        if posting.kind in ACTIONS:
            entries += _action(posting, held[posting.symbol], paid.get(posting.reference))
        else:
            entries.append(_trade(posting, charges.get(posting.reference, Decimal(0))))
        held[posting.symbol] += posting.quantity
    return sorted(entries, key=attrgetter("day"))


def _entry(posting: Posting, kind: EntryKind, quantity: int = 0, price: Decimal = Decimal(0)) -> Entry:
    place = f"Entry {posting.kind} {posting.reference}"
    return Entry(place, posting.day, kind, posting.symbol, quantity, price)


def _trade(posting: Posting, charges: Decimal) -> Entry:
    """A purchase, a sale, or shares that came or went without one."""
    quantity = abs(posting.quantity)
    is_paid = posting.amount * posting.quantity < 0
    price = abs(posting.amount) / quantity if is_paid else posting.price or Decimal(0)
    if posting.quantity < 0:
        kind = EntryKind.SELL if is_paid or posting.kind == FILL else EntryKind.TRANSFER
        return replace(_entry(posting, kind, quantity, price), charges=charges)
    kind = EntryKind.BUY if posting.kind == FILL or (is_paid and posting.kind == CORRECTION) else EntryKind.OPENING
    credited_on = posting.credited_on or posting.day
    return replace(_entry(posting, kind, quantity, price), charges=charges, credited_on=credited_on, fmv=posting.fmv)


def _action(posting: Posting, held: int, paid: Decimal | None) -> list[Entry]:
    """A split or bonus; of a consolidation, what made no whole share left the day before, at what was paid for it."""
    after, ratio = held + posting.quantity, posting.ratio
    if held <= 0 or after < 0:
        return []
    if posting.kind == BONUS:
        if ratio is None or int(held * ratio) != posting.quantity:
            ratio = Fraction(posting.quantity, held)
        bonus = _entry(posting, EntryKind.BONUS)
        return [replace(bonus, ratio=ratio, credited_on=posting.credited_on or posting.day, fmv=posting.fmv)]
    rest = _rest(held, after, ratio)
    if ratio is None or rest is None:
        ratio, rest = Fraction(after, held), 0
    entries = [] if rest == 0 else [_left(posting, rest, paid)]
    if rest < held and ratio:
        entries.append(replace(_entry(posting, EntryKind.SPLIT), ratio=ratio))
    return entries


def _rest(held: int, after: int, ratio: Fraction | None) -> int | None:
    """How many of the shares before made none after; None where no whole number of them did, or others are held."""
    if ratio is None or int(held * ratio) != after:
        return None
    rest = held - after / ratio
    return rest.numerator if rest.denominator == 1 else None


def _left(posting: Posting, rest: int, paid: Decimal | None) -> Entry:
    before = replace(posting, day=posting.day - timedelta(days=1))
    if paid is None:
        return _entry(before, EntryKind.TRANSFER, rest)
    return _entry(before, EntryKind.SELL, rest, paid / rest)


def _charges(entered: Sequence[Posting]) -> Mapping[str, Decimal]:
    """What counts of the charges of each fill, by its reference."""
    fills: dict[date, list[Posting]] = defaultdict(list)
    for posting in entered:
        if posting.kind == FILL:
            fills[posting.day].append(posting)
    by_fill: dict[str, Decimal] = defaultdict(Decimal)
    for posting in entered:
        if posting.kind == CHARGE:
            of, _, line = posting.reference.rpartition(":")
            if line == OWN_CHARGES:
                by_fill[of] -= posting.amount
            elif line not in _NOT_COUNTED:
                of_day = [fill for fill in fills[posting.day] if fill.quantity > 0 or line not in _OF_PURCHASES]
                _share(-posting.amount, of_day, by_fill)
    return by_fill


def _share(amount: Decimal, fills: Sequence[Posting], by_fill: dict[str, Decimal]) -> None:
    left, value = amount, sum((abs(fill.amount) for fill in fills), Decimal(0))
    for fill in fills:
        part = left if fill is fills[-1] else (amount * abs(fill.amount) / value).quantize(_PAISA, ROUND_HALF_UP)
        by_fill[fill.reference] += part
        left -= part
