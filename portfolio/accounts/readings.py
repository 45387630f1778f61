"""What an account owns, owes and is worth on a day: readings of its ledger.

Nothing after the day is used, and shares have the symbols by which they are known on it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cached_property
from typing import Final, NamedTuple

from market_data import trading_calendar
from market_data.models import DailyBar
from portfolio.ledger.holdings import Cash, Held, cash, holdings, lots_or_none
from portfolio.ledger.postings import (
    ACTIONS,
    CHARGE,
    DEPOSIT,
    DIVIDEND,
    DP_CHARGE,
    FILL,
    OPENING,
    TRANSFER,
    WITHDRAWAL,
    Posting,
    in_order,
    merged,
    shares_of,
)
from portfolio.ledger.tax_entries import tax_entries
from portfolio.ledger.tax_lots import TaxLots
from portfolio.models import LedgerEntry, TradingAccount
from portfolio.trading.bars import exact
from stocks.universe.symbols import owners

_ONE_DAY: Final = timedelta(days=1)
_ARRIVE_WITHIN: Final = timedelta(days=15)
"""No two sessions lie so far apart: what was bought before has arrived, whatever the calendar says."""

_PAISA: Final = Decimal("0.01")


@dataclass(frozen=True)
class Value:
    """What an account is worth in ₹; `unpriced` are the shares held that never had a close, and count nothing."""

    cash: Decimal
    shares: Decimal
    unpriced: tuple[str, ...] = ()

    @property
    def total(self) -> Decimal:
        return self.cash + self.shares


@dataclass(frozen=True)
class Profit:
    """What an account earned in ₹; None where the ledger or the closes do not say it.

    Attributes
    ----------
    after_charges
        Its worth less all that was put into it (money, and shares at their price), plus what was taken out.
    realised
        Gains of what was sold, first in, first out, as the tax lots count them: all charges but the securities
        transaction tax and the DP charge.
    charges
        All of them.
    """

    after_charges: Decimal | None
    realised: Decimal | None
    charges: Decimal
    dividends: Decimal


def postings_of(account: TradingAccount, day: date, *, symbols: Collection[str] | None = None) -> list[Posting]:
    """The account's entries up to a day, in order, or those of some shares alone, under the symbols of that day."""
    owner = owners(day)
    rows = LedgerEntry.objects.filter(account=account, day__lte=day)
    postings = [posting_of(row, owner(row.symbol, row.day) if row.symbol else "") for row in rows]
    return in_order(each for each in postings if symbols is None or each.symbol in symbols)


def posting_of(row: LedgerEntry, symbol: str) -> Posting:
    ratio = Fraction(row.ratio_new) / Fraction(row.ratio_old) if row.ratio_new and row.ratio_old else None
    return Posting(
        *(row.day, row.kind, row.reference, symbol, row.quantity, row.amount, row.price, ratio),
        *(row.credited_on, row.fmv, row.pk or 0),
    )


@dataclass(frozen=True)
class AccountReading:
    """An account after a day's entries; its ledger is read once."""

    account: TradingAccount
    day: date

    @cached_property
    def postings(self) -> list[Posting]:
        return postings_of(self.account, self.day)

    @cached_property
    def _session_before(self) -> date:
        return arrival_session(self.postings, self.day)

    @cached_property
    def lots(self) -> TaxLots | None:
        """Tax lots and disposals; None where the entries contradict each other."""
        return lots_or_none(tax_entries(self.postings))

    def holdings(self) -> dict[str, Held]:
        """What is held, by symbol."""
        return holdings(self.postings, self.day, self._session_before)

    def cash(self) -> Cash:
        """Its money, and what of it can pay for a purchase on the day."""
        return cash(self.postings, self.day, self._session_before)

    @cached_property
    def value(self) -> Value:
        """What it is worth, its shares at their last closes up to the day."""
        return _value(self.postings, self.day)

    def profit(self) -> Profit:
        """What it earned."""
        given, value = put_in(self.postings), self.value
        lots = self.lots
        return Profit(
            after_charges=None if value.unpriced or given is None else value.total - given,
            realised=None if lots is None else sum((each.gain for each in lots.disposals), Decimal(0)),
            charges=-_sum_of(self.postings, CHARGE, DP_CHARGE),
            dividends=_sum_of(self.postings, DIVIDEND),
        )


def holdings_of(account: TradingAccount, day: date) -> dict[str, Held]:
    """What the account holds after a day's entries, by symbol."""
    return AccountReading(account, day).holdings()


def cash_of(account: TradingAccount, day: date) -> Cash:
    """The account's money after a day's entries, and what of it can pay for a purchase on that day."""
    return AccountReading(account, day).cash()


def arrival_session(postings: Sequence[Posting], day: date) -> date:
    """The session whose purchases arrive on a day, the last one before it; raises CalendarExhausted.

    The calendar is only asked where something was bought lately.
    """
    if any(each.kind == FILL and each.quantity > 0 and each.day > day - _ARRIVE_WITHIN for each in postings):
        return trading_calendar.session_on_or_before(day - _ONE_DAY)
    return day - _ONE_DAY


def _value(postings: Sequence[Posting], day: date) -> Value:
    held = shares_of(postings)
    closes = last_closes(list(held), day)
    shares = Decimal(0)
    for symbol, quantity in held.items():
        if symbol in closes:
            scale = _scale([posting for posting in postings if posting.symbol == symbol], closes[symbol].day)
            value = quantity * closes[symbol].price
            shares += value if scale == 1 else _in_paise(value * scale.numerator / scale.denominator)
    money = sum((posting.amount for posting in postings), Decimal(0))
    return Value(money, shares, tuple(symbol for symbol in held if symbol not in closes))


def _scale(postings: Sequence[Posting], day: date) -> Fraction:
    """What a close of a day is multiplied by for the splits and bonuses since, of a share that has not traded since."""
    scale, held = Fraction(1), 0
    for posting in postings:
        after = held + posting.quantity
        if posting.kind in ACTIONS and posting.day > day and held > 0 and after > 0:
            scale *= Fraction(held, after)
        held = after
    return scale


class Close(NamedTuple):
    """A share's close in ₹ and its day."""

    day: date
    price: Decimal


def last_closes(symbols: Collection[str], day: date) -> dict[str, Close]:
    """The last final close up to a day of shares by the symbols of that day; one without is missing."""
    owner = owners(date.max)
    today = {symbol: owner(symbol, day) for symbol in symbols}  # bars have moved to the symbols of today
    bars = DailyBar.objects.filter(
        symbol__in=set(today.values()), date__lte=day, status=DailyBar.Status.FINAL, close__gt=0
    )
    newest = bars.order_by("symbol_id", "-date").distinct("symbol_id").values_list("symbol_id", "date", "close")
    closes = {str(symbol): Close(on, exact(close)) for symbol, on, close in newest if close is not None}
    return {symbol: closes[now] for symbol, now in today.items() if now in closes}


def put_in(postings: Sequence[Posting]) -> Decimal | None:
    """Money and shares at their price that were put in, less those taken out; None where a price is missing."""
    shares = [posting for posting in postings if posting.kind in (OPENING, TRANSFER) and posting.quantity]
    if any(posting.price is None for posting in shares):
        return None
    money = _sum_of(postings, DEPOSIT, WITHDRAWAL)
    return money + sum((posting.quantity * (posting.price or Decimal(0)) for posting in shares), Decimal(0))


def _sum_of(postings: Sequence[Posting], *kinds: str) -> Decimal:
    """Amounts of some kinds, as they were set right since."""
    return sum((posting.amount for posting in merged(postings) if posting.kind in kinds), Decimal(0))


def _in_paise(amount: Decimal) -> Decimal:
    return amount.quantize(_PAISA, ROUND_HALF_UP)
