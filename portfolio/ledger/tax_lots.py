"""Tax lots of a demat account, first in, first out by date of credit, and what each sale disposed of; pure.

All amounts are ₹, to the paisa.

- **Transfer**: shares that leave without a sale take from the lots as a sale does, after the day's trades, and dispose
  of nothing.
- **Intraday**: what is sold of a share on a day is matched first with what is bought of it on that day, each in the
  order of the entries; whether the sales stand before or after the purchases makes no difference. It makes no lot.
- **Lots**: what is left of a purchase is a lot of its own. A sale takes from the lots by date of credit, of the same
  date by date of purchase, then in the order of the entries. Each piece that it takes is one disposal.
- **Amounts**: cost is quantity × price + charges, proceeds quantity × price − charges. A piece has its part by
  quantity of what is left of either, rounded half up; the last piece has the rest, so that nothing is lost.
- **A day's splits and bonuses** come before its trades; of one day, in the order of the entries. A split spreads the
  cost of a lot and keeps its date. A share of a consolidation that several lots make up belongs to the last of them.
  A bonus costs nothing, has whole shares alone, is held from its credit and cannot be sold before it.
- **Long** is what is sold later than the same day of the next year; for 29 February that is 28 February.
- **Bought before 1 February 2018** and long: the cost is max(cost, min(price of 31 January 2018, sale price)), both
  prices per share and before charges; the price of that day follows later splits, not bonuses.
"""

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import StrEnum
from fractions import Fraction
from itertools import groupby
from operator import attrgetter
from typing import Final

from portfolio.ledger.entries import Entry, EntryKind

FIRST_SALE: Final = date(2018, 4, 1)
"""Long gains were exempt before; the rates here hold from this day."""

_GRANDFATHERED_BEFORE: Final = date(2018, 2, 1)
_PAISA: Final = Decimal("0.01")
_DIGITS: Final = 60  # of intermediate results, so that rounding to the paisa is the only one


class Term(StrEnum):
    """How long shares were held, as the income tax has it."""

    SHORT = "short"
    LONG = "long"
    INTRADAY = "intraday"


@dataclass(frozen=True)
class Lot:
    """Shares held, by the day since when they are; `cost` in ₹."""

    symbol: str
    bought_on: date
    credited_on: date
    quantity: int
    cost: Decimal

    @property
    def long_from(self) -> date:
        """The first day on which a sale is long."""
        return last_short_day(self.bought_on) + timedelta(days=1)

    def days_to_long(self, as_of: date) -> int:
        """Days until a sale is long; 0 when it is."""
        return max((self.long_from - as_of).days, 0)


@dataclass(frozen=True)
class Disposal:
    """What a sale took of one lot, or of the same day's purchase; amounts in ₹, `cost` is the one that counts."""

    symbol: str
    sold_on: date
    bought_on: date
    quantity: int
    proceeds: Decimal
    cost: Decimal
    term: Term

    @property
    def gain(self) -> Decimal:
        return self.proceeds - self.cost


@dataclass(frozen=True)
class TaxLots:
    """The lots still open, by symbol and order of sale, and all disposals by day, symbol and order of the entries."""

    lots: tuple[Lot, ...]
    disposals: tuple[Disposal, ...]


def tax_lots(entries: Iterable[Entry]) -> TaxLots:
    """The open lots and the disposals of a ledger's entries, oldest first.

    Raises
    ------
    LedgerError
        When entries are out of order, more is sold than held, a bonus is sold before its credit, a consolidation
        leaves a part of a share, a price of 31 January 2018 is needed and missing, or a sale is older than the rules.
    """
    books: dict[str, _Book] = {}
    disposals: list[Disposal] = []
    with localcontext(prec=_DIGITS):
        for _, of_day in groupby(in_order(entries), key=attrgetter("day")):
            for symbol, group in groupby(sorted(of_day, key=attrgetter("symbol")), key=attrgetter("symbol")):
                disposals += books.setdefault(symbol, _Book()).after(list(group))
    lots = [held.lot for symbol in sorted(books) for held in books[symbol].held]
    return TaxLots(tuple(lots), tuple(disposals))


def last_short_day(bought_on: date) -> date:
    """The same day of the next year, until which a sale is short; the day before when that year has no such day."""
    try:
        return bought_on.replace(year=bought_on.year + 1)
    except ValueError:
        return bought_on.replace(year=bought_on.year + 1, day=28)


@dataclass
class _Part:
    """What is left of a purchase, lot or sale: its shares, and their cost or proceeds."""

    entry: Entry
    quantity: int
    amount: Decimal

    def take(self, quantity: int) -> Decimal:
        """Remove shares and return the amount that goes with them."""
        amount = self.amount
        if quantity < self.quantity:
            amount = _to_paisa(self.amount * quantity / self.quantity)
        self.quantity -= quantity
        self.amount -= amount
        return amount


@dataclass
class _Held(_Part):
    """An open lot; `fmv` is the price of 31 January 2018 per share as it is now, if it is known."""

    bought_on: date
    credited_on: date
    fmv: Decimal | None

    @property
    def lot(self) -> Lot:
        return Lot(self.entry.symbol, self.bought_on, self.credited_on, self.quantity, self.amount)

    def can_be_sold(self, day: date) -> bool:
        # What was bought is delivered in time; a bonus is not.
        return self.entry.kind != EntryKind.BONUS or self.credited_on <= day


class _Book:
    """The lots of one share."""

    def __init__(self) -> None:
        self.held: list[_Held] = []

    def after(self, entries: Sequence[Entry]) -> list[Disposal]:
        """Book the entries of one day and return its disposals."""
        openings = [_opening(entry) for entry in entries if entry.kind == EntryKind.OPENING]
        self._add(held for held in openings if held.bought_on < held.entry.day)
        for entry in entries:
            if entry.kind == EntryKind.SPLIT:
                self._split(entry)
            elif entry.kind == EntryKind.BONUS:
                self._add_bonus(entry)
        self._add(held for held in openings if held.bought_on >= held.entry.day)
        buys = [_purchase(entry) for entry in entries if entry.kind == EntryKind.BUY]
        disposals: list[Disposal] = []
        for entry in entries:
            if entry.kind == EntryKind.SELL:
                sale = _sale(entry)
                disposals += _intraday(sale, buys)
                disposals += self._disposals(sale)
        self._add(buy for buy in buys if buy.quantity)
        for entry in entries:
            if entry.kind == EntryKind.TRANSFER:
                self._transfer(_Part(entry, entry.quantity, Decimal(0)))
        return disposals

    def _add(self, lots: Iterable[_Held]) -> None:
        for held in lots:
            insort(self.held, held, key=attrgetter("credited_on", "bought_on"))

    def _disposals(self, sale: _Part) -> list[Disposal]:
        day, disposals = sale.entry.day, []
        for held in self.held:
            if not sale.quantity:
                break
            if held.can_be_sold(day):
                disposals.append(_disposal(sale, held))
        self.held = [held for held in self.held if held.quantity]
        if sale.quantity:
            raise self._oversold(sale)
        return disposals

    def _transfer(self, left: _Part) -> None:
        for held in self.held:
            if held.can_be_sold(left.entry.day):
                quantity = min(left.quantity, held.quantity)
                left.take(quantity)
                held.take(quantity)
        self.held = [held for held in self.held if held.quantity]
        if left.quantity:
            raise self._oversold(left)

    def _oversold(self, sale: _Part) -> Exception:
        entry = sale.entry
        verb = "are sold" if entry.kind == EntryKind.SELL else "leave"
        sentence = f"{entry.quantity} {entry.symbol} {verb} on {entry.day}, {sale.quantity} more than can be"
        if self.held:
            credited_on = min(held.credited_on for held in self.held)
            return entry.error(f"{sentence}: a bonus is only credited on {credited_on}; sell it from then on.")
        return entry.error(f"{sentence}; correct the quantity, or add the purchase that is missing before it.")

    def _total(self, action: Entry) -> int:
        total = sum(held.quantity for held in self.held)
        if not total:
            raise action.error(f"no {action.symbol} is held on {action.day}; correct the symbol or leave the line out.")
        return total

    def _add_bonus(self, action: Entry) -> None:
        credited_on = action.credited_on or action.day
        if quantity := int(self._total(action) * action.ratio):
            self._add([_Held(action, quantity, Decimal("0.00"), credited_on, credited_on, action.fmv)])

    def _split(self, action: Entry) -> None:
        total, ratio = self._total(action), action.ratio
        if rest := total % ratio.denominator:
            raise action.error(
                f"{total} {action.symbol} × {ratio} are no whole shares; before it, add a sale of the {rest}"
                f" that make none, at what was paid for them{'' if rest < total else ', and leave this line out'}."
            )
        old, new, moved = 0, 0, Decimal(0)
        for held in self.held:
            old += held.quantity
            # Old shares that make no whole new one yet, with their cost, become part of the next lot's first share.
            beyond = old - int(old * ratio) / ratio
            amount = held.amount + moved
            moved = amount if beyond >= held.quantity else _to_paisa(held.amount * _decimal(beyond / held.quantity))
            held.quantity, held.amount, new = int(old * ratio) - new, amount - moved, int(old * ratio)
            if held.fmv is not None and action.day >= _GRANDFATHERED_BEFORE:
                held.fmv /= _decimal(ratio)
        self.held = [held for held in self.held if held.quantity]


def in_order(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries as they come; raises LedgerError at the first that is older than one before it."""
    latest = date.min
    for entry in entries:
        if entry.day < latest:
            raise entry.error(f"date {entry.day} lies before {latest}; sort the entries, oldest first.")
        latest = entry.day
        yield entry


def _opening(entry: Entry) -> _Held:
    held = _purchase(entry)
    held.bought_on = min(held.bought_on, held.credited_on)
    return held


def _purchase(entry: Entry) -> _Held:
    cost = _to_paisa(entry.value + entry.charges)
    return _Held(entry, entry.quantity, cost, entry.day, entry.credited_on or entry.day, entry.fmv)


def _sale(entry: Entry) -> _Part:
    if entry.day < FIRST_SALE:
        raise entry.error(
            f"a sale of {entry.day} lies before {FIRST_SALE}, the first day of these rules;"
            " enter what was still held then as opening, and leave earlier purchases and sales out."
        )
    return _Part(entry, entry.quantity, _to_paisa(entry.value - entry.charges))


def _intraday(sale: _Part, buys: Sequence[_Held]) -> list[Disposal]:
    disposals = []
    for buy in buys:
        if quantity := min(sale.quantity, buy.quantity):
            day = sale.entry.day
            amounts = sale.take(quantity), buy.take(quantity)
            disposals.append(Disposal(sale.entry.symbol, day, day, quantity, *amounts, Term.INTRADAY))
    return disposals


def _disposal(sale: _Part, held: _Held) -> Disposal:
    sold_on, quantity = sale.entry.day, min(sale.quantity, held.quantity)
    proceeds, cost = sale.take(quantity), held.take(quantity)
    term = Term.LONG if sold_on > last_short_day(held.bought_on) else Term.SHORT
    if term == Term.LONG and held.bought_on < _GRANDFATHERED_BEFORE:
        if held.fmv is None:
            raise held.entry.error(
                f"fmv is empty, and {quantity} {held.entry.symbol} bought before {_GRANDFATHERED_BEFORE} are sold long"
                f" on {sold_on}; write the price of 2018-01-31."
            )
        cost = max(cost, _to_paisa(quantity * min(held.fmv, sale.entry.price)))
    return Disposal(sale.entry.symbol, sold_on, held.bought_on, quantity, proceeds, cost, term)


def _decimal(fraction: Fraction) -> Decimal:
    return Decimal(fraction.numerator) / fraction.denominator


def _to_paisa(amount: Decimal) -> Decimal:
    return amount.quantize(_PAISA, ROUND_HALF_UP)
