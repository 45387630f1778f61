"""What an account holds and which of its money it can use, as its ledger says; pure.

- A purchase is in the account a session after it: until then its shares arrive. They can be sold, unless their series
  is delivered only (the checks before sending say so).
- A bonus is held from its ex-date and can be sold once it is credited.
- The average price is that of the lots that are left, first in, first out, without charges; None where the ledger does
  not say what the shares cost.
- What a sale brings can be used by the rules of `portfolio.trading.settlement`, as a backtest uses it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from portfolio.ledger.entries import Entry, LedgerError
from portfolio.ledger.postings import ACTIONS, BONUS, FILL, FRACTION_PAID, Posting, in_order, merged
from portfolio.ledger.tax_entries import tax_entries
from portfolio.ledger.tax_lots import TaxLots, tax_lots
from portfolio.trading.settlement import usable_at_once

_PRICE: Final = Decimal("0.0001")


@dataclass(frozen=True)
class Held:
    """Shares of a symbol: all, of them bought and not delivered yet, bonus not credited yet; ₹ per share on average."""

    quantity: int
    arriving: int = 0
    bonus_due: int = 0
    average_price: Decimal | None = None

    @property
    def sellable(self) -> int:
        return max(self.quantity - self.bonus_due, 0)

    @property
    def delivered(self) -> int:
        return max(self.quantity - self.bonus_due - self.arriving, 0)


@dataclass(frozen=True)
class Cash:
    """Money in ₹: all, and what of it can pay for a purchase on the day."""

    total: Decimal
    usable: Decimal


def holdings(postings: Sequence[Posting], day: date, session_before: date) -> dict[str, Held]:
    """What is held after a day's entries, by symbol.

    Parameters
    ----------
    postings : up to the day
    session_before : the last session before the day, whose purchases arrive on it
    """
    by_symbol: dict[str, list[Posting]] = defaultdict(list)
    for posting in postings:
        if posting.symbol and (posting.quantity or posting.kind == FRACTION_PAID):
            by_symbol[posting.symbol].append(posting)
    held = {}
    for symbol, of_symbol in sorted(by_symbol.items()):
        if sum(posting.quantity for posting in of_symbol):
            held[symbol] = _held(of_symbol, day, session_before)
    return held


def _held(postings: Sequence[Posting], day: date, session_before: date) -> Held:
    quantity, arriving, bonus_due = 0, 0, 0
    for posting in in_order(postings):
        if posting.kind in ACTIONS and posting.kind != BONUS and quantity:
            after = quantity + posting.quantity
            arriving, bonus_due = arriving * after // quantity, bonus_due * after // quantity
        quantity += posting.quantity
        if posting.kind == BONUS:
            bonus_due += posting.quantity if (posting.credited_on or posting.day) > day else 0
        elif posting.quantity > 0 and _arrives(posting, day, session_before):
            arriving += posting.quantity
    bonus_due = max(min(bonus_due, quantity), 0)
    arriving = max(min(arriving, quantity - bonus_due), 0)
    return Held(quantity, arriving, bonus_due, average_price(postings))


def _arrives(posting: Posting, day: date, session_before: date) -> bool:
    if posting.kind == FILL:
        return posting.day >= session_before
    return posting.kind not in ACTIONS and posting.credited_on is not None and posting.credited_on > day


def average_price(postings: Sequence[Posting]) -> Decimal | None:
    """₹ per share of what is left of one symbol's purchases, without charges, to four decimals."""
    lots = lots_or_none([replace(entry, charges=Decimal(0)) for entry in tax_entries(postings)])
    shares = sum(lot.quantity for lot in lots.lots) if lots else 0
    if lots is None or not shares:
        return None
    return (sum((lot.cost for lot in lots.lots), Decimal(0)) / shares).quantize(_PRICE, ROUND_HALF_UP)


def lots_or_none(entries: Sequence[Entry]) -> TaxLots | None:
    """The tax lots of entries; None where these contradict each other, which facts may."""
    try:
        return tax_lots(entries)
    except LedgerError:
        return None


def cash(postings: Sequence[Posting], day: date, session_before: date) -> Cash:
    """Money after a day's entries.

    Parameters
    ----------
    postings : up to the day
    session_before : the last session before the day: what was bought on it is sold before it is delivered
    """
    total = sum((posting.amount for posting in postings), Decimal(0))
    fills = [posting for posting in merged(postings) if posting.kind == FILL]
    bought = {fill.symbol for fill in fills if fill.quantity > 0 and fill.day == session_before}
    sold: dict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        if fill.quantity < 0 and fill.day == day:
            sold[fill.symbol] += fill.amount
    waits = Decimal(0)
    for symbol, proceeds in sold.items():
        waits += proceeds - usable_at_once(day, proceeds, was_bought_session_before=symbol in bought)
    return Cash(total, total - max(min(waits, total), Decimal(0)))
