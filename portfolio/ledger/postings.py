"""What stands in an account's ledger, as plain data; pure.

A posting has the symbol by which its share is known on the day of reading. What set an earlier one right (a correction
whose reference is that one's, `#` and a number) is added to it by `merged`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final

OPENING, FILL, CHARGE, DP_CHARGE, DIVIDEND = "opening", "fill", "charge", "dp_charge", "dividend"
SPLIT, BONUS, DEMERGER, FRACTION_PAID, TRANSFER = "split", "bonus", "demerger", "fraction_paid", "transfer"
DEPOSIT, WITHDRAWAL, CORRECTION = "deposit", "withdrawal", "correction"
ACTIONS: Final = (SPLIT, BONUS, DEMERGER)
"""Kinds that change the number of shares held without a trade."""


@dataclass(frozen=True)
class Posting:
    """An entry of the ledger: `quantity` shares and `amount` ₹ that came; negative: that went."""

    day: date
    kind: str
    reference: str
    symbol: str = ""
    quantity: int = 0
    amount: Decimal = Decimal(0)
    price: Decimal | None = None
    ratio: Fraction | None = None
    credited_on: date | None = None
    fmv: Decimal | None = None
    place: int = 0


def shares_of(postings: Iterable[Posting]) -> dict[str, int]:
    """How many shares of each symbol the postings leave; none of those of which nothing is left."""
    shares: Counter[str] = Counter()
    for posting in postings:
        shares[posting.symbol] += posting.quantity
    return {symbol: quantity for symbol, quantity in sorted(shares.items()) if symbol and quantity}


def stem(reference: str) -> str:
    """The reference of the entry that a correction sets right."""
    return reference.partition("#")[0]


def in_order(postings: Iterable[Posting]) -> list[Posting]:
    """By day; of a day first what was held before it, then splits and bonuses, then all else as it was entered."""
    return sorted(postings, key=lambda posting: (posting.day, _rank(posting), posting.place))


def _rank(posting: Posting) -> int:
    if posting.kind in (OPENING, TRANSFER) and posting.credited_on is not None and posting.credited_on < posting.day:
        return 0
    return 1 if posting.kind in ACTIONS else 2


def before_trades(postings: Iterable[Posting], day: date) -> list[Posting]:
    """What stood in the ledger before a day's splits, bonuses and trades."""
    return [each for each in in_order(postings) if each.day < day or (each.day == day and _rank(each) == 0)]


def merged(postings: Iterable[Posting]) -> list[Posting]:
    """The postings in order, each with what set it right since; one that was taken back entirely is gone."""
    entries: list[Posting] = []
    places: dict[str, int] = {}
    for posting in in_order(postings):
        base = stem(posting.reference)
        if posting.kind == CORRECTION and base in places:
            entry = entries[places[base]]
            entries[places[base]] = replace(
                entry, quantity=entry.quantity + posting.quantity, amount=entry.amount + posting.amount
            )
        else:
            places.setdefault(posting.reference, len(entries))
            entries.append(posting)
    return [entry for entry in entries if entry.quantity or entry.amount]
