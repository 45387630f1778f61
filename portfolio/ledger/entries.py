"""Entries of a demat account's ledger, and their CSV file; pure.

The file has one entry a line, oldest first, with the columns `COLUMNS`; one that a kind does not use is empty.

| kind | uses |
|---|---|
| opening | quantity, price, charges, credited_on, fmv: shares from before the ledger, by the day of their purchase |
| buy | quantity, price, charges, credited_on, fmv |
| sell | quantity, price, charges |
| split | ratio: new shares per old one, below 1 for a consolidation |
| bonus | ratio: new shares per share held; credited_on; fmv |
| transfer | quantity: shares that left without a sale, such as to another account of the same person |

`price` and `fmv` are ₹ per share, `charges` the ₹ of the entry that count for the tax (all but the securities
transaction tax and the DP charge; empty: none). `fmv` is the price of 31 January 2018, in shares of that day, and
counts for what was bought before 1 February 2018. An empty `credited_on` of a purchase is its date; that of an opening
may lie before its date, which then is the day on which the ledger opens: the shares are held since they were credited.
A `ratio` is a number or two numbers (0.5, 1:2); a repeating fraction of four decimals or more is taken as such
(0.3333 is 1:3).
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from brokers.files.csv_rows import Row, csv_rows

COLUMNS: Final = ("date", "kind", "symbol", "quantity", "price", "charges", "ratio", "credited_on", "fmv")
_RATIO = re.compile(r"(?P<new>[0-9]{1,6}(\.[0-9]{1,10})?)([:/](?P<old>[0-9]{1,6}(\.[0-9]{1,10})?))?")
_LARGEST_TERM = 100
_NEAR = Fraction(1, 10_000)


class LedgerError(ValueError):
    """The entries contradict each other; the sentence names the place, the value and the remedy."""


class EntryKind(StrEnum):
    """What an entry is about."""

    OPENING = "opening"
    BUY = "buy"
    SELL = "sell"
    SPLIT = "split"
    BONUS = "bonus"
    TRANSFER = "transfer"


_TRADE: Final = {"quantity", "price", "charges"}
_USED: Final = {
    EntryKind.OPENING: _TRADE | {"credited_on", "fmv"},
    EntryKind.BUY: _TRADE | {"credited_on", "fmv"},
    EntryKind.SELL: _TRADE,
    EntryKind.TRANSFER: {"quantity"},
    EntryKind.SPLIT: {"ratio"},
    EntryKind.BONUS: {"ratio", "credited_on", "fmv"},
}


@dataclass(frozen=True)
class Entry:
    """One entry; `place` says where it stands, for the sentences of errors."""

    place: str
    day: date
    kind: EntryKind
    symbol: str
    quantity: int = 0
    price: Decimal = Decimal(0)
    charges: Decimal = Decimal(0)
    ratio: Fraction = Fraction(0)
    credited_on: date | None = None
    fmv: Decimal | None = None

    @property
    def value(self) -> Decimal:
        return self.quantity * self.price

    def error(self, sentence: str) -> LedgerError:
        return LedgerError(f"{self.place}: {sentence}")


def entries_of(content: bytes) -> list[Entry]:
    """The entries of a CSV file, in its order.

    Raises
    ------
    CsvError
        For a file or a cell that cannot be read, or a cell that its kind does not use.
    """
    return [_entry(row) for row in csv_rows(content, COLUMNS)]


def _entry(row: Row) -> Entry:
    kind = row.choice("kind", EntryKind)
    used = _USED[kind]
    for column in COLUMNS[3:]:
        if column not in used and row.cells[column].strip("0.") != "":
            raise row.error(column, f"is not used by {kind}; leave it empty")
    day, is_trade = row.day("date"), "price" in used
    return Entry(
        place=f"Line {row.line}",
        day=day,
        kind=kind,
        symbol=row.symbol(),
        quantity=row.quantity() if "quantity" in used else 0,
        price=row.amount("price") if is_trade else Decimal(0),
        charges=row.amount("charges", zero=True) if is_trade and not row.is_empty("charges") else Decimal(0),
        ratio=_ratio(row) if "ratio" in used else Fraction(0),
        credited_on=_credited_on(row, kind, day) if "credited_on" in used else None,
        fmv=None if "fmv" not in used or row.is_empty("fmv") else row.amount("fmv"),
    )


def _credited_on(row: Row, kind: EntryKind, day: date) -> date:
    if row.is_empty("credited_on"):
        if kind == EntryKind.BONUS:
            raise row.error("credited_on", "is not known yet; leave the bonus out until it is credited")
        return day
    credited_on = row.day("credited_on")
    if credited_on < day and kind != EntryKind.OPENING:
        raise row.error("credited_on", f"lies before the date {day}; correct one of them")
    return credited_on


def _ratio(row: Row) -> Fraction:
    text = row.cells["ratio"]
    match = _RATIO.fullmatch(text)
    terms = [Fraction(term) for term in (match["new"], match["old"] or "1")] if match else []
    if not all(terms) or not match:
        raise row.error("ratio", "is not a positive ratio of new shares to old; write it as 0.5 or 1:2")
    ratio = terms[0] / terms[1]
    if not match["old"] and len(text.partition(".")[2]) >= 4:
        simple = ratio.limit_denominator(_LARGEST_TERM)
        return simple if abs(simple - ratio) < _NEAR else ratio
    return ratio
