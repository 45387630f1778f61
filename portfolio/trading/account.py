"""An account that trades a session: its money, its shares, and the orders of the day; pure.

Sales come first, then purchases, then the contract note and the DP charges, which are debited even from proceeds that
are not usable yet. Nothing is bought on credit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

from brokers.charges import Charges, Fill, Side, note_charges
from portfolio.trading.bars import Bar
from portfolio.trading.impact import Liquidity, largest_order, price_after_impact
from portfolio.trading.settlement import usable_at_once
from portfolio.trading.sizing import Sizing

_PAISA: Final = Decimal("0.01")
_FRACTION: Final = Decimal("0.000001")
_LEAST_ORDER: Final = Decimal("1e-9")
"""Rupees; what parts of shares come to below it is what a division of 28 digits left over, no order."""

NOTHING: Final = Decimal(0)


class Trade(NamedTuple):
    """An order that was carried out; `opening` is the price without its impact, `turnover` the share's median one."""

    session: date
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    opening: Decimal
    turnover: Decimal | None

    @property
    def value(self) -> Decimal:
        return self.quantity * self.price


class Quote(NamedTuple):
    """What a share can be traded at on a session: its bar, and what the sessions before say of it."""

    bar: Bar
    liquidity: Liquidity | None
    turnover: Decimal | None


class Rules(NamedTuple):
    """How an account trades; `broker` is None without charges."""

    sizing: Sizing
    broker: str | None
    impact: bool
    settles: bool


class Execution(NamedTuple):
    """What was traded of an order: shares, and ₹ a share."""

    quantity: Decimal
    price: Decimal


Execute = Callable[[Side, str, Decimal, Quote, Decimal], Execution | None]
"""Carries an order out (side, symbol, shares, quote, the price expected of it); None where nothing was traded."""


def at_the_opening(side: Side, _symbol: str, quantity: Decimal, quote: Quote, price: Decimal) -> Execution | None:
    """Trade the whole order at the price expected of it; nothing where the share is locked against it."""
    is_locked = quote.bar.is_locked_up if side == Side.BUY else quote.bar.is_locked_down
    return None if is_locked else Execution(quantity, price)


@dataclass
class Account:
    """Money in ₹ and shares; `bought` holds the index of the session of each share's last purchase.

    `execute` carries its orders out: in a backtest at the opening at once, on paper by the simulated venue.
    """

    rules: Rules
    cash: Decimal
    not_yet_usable: Decimal = NOTHING
    holdings: dict[str, Decimal] = field(default_factory=dict)
    bought: dict[str, int] = field(default_factory=dict)
    day: list[Trade] = field(default_factory=list)
    execute: Execute = at_the_opening
    _free: Decimal = NOTHING

    @property
    def usable_cash(self) -> Decimal:
        return self.cash - self.not_yet_usable

    def begin_session(self) -> None:
        """What was sold before is usable now."""
        self.not_yet_usable = NOTHING
        self.day = []

    def apply_factor(self, symbol: str, new: Decimal, old: Decimal, opening: Decimal) -> None:
        """Hold as many shares as a split, bonus or consolidation leaves; a whole-share account is paid the fraction."""
        if self.rules.sizing.whole:
            quantity, paid = whole_after_factor(self.holdings[symbol], new, old, opening)
            self.cash += paid
        else:
            quantity = self.holdings[symbol] * new / old
        self._hold(symbol, quantity)

    def sell(self, symbol: str, quantity: Decimal, quote: Quote | None, session: date, at: int) -> None:
        """Sell up to a quantity at the opening; nothing without a bar, locked down, or where impact is not known."""
        if quote is None:
            return
        quantity = self._cut(quantity, quote)
        price = self._price(Side.SELL, quantity, quote) if _is_order(quantity, quote) else NOTHING
        execution = self.execute(Side.SELL, symbol, quantity, quote, price) if price > 0 else None
        if execution is None:
            return
        trade = Trade(session, symbol, Side.SELL, *execution, quote.bar.open, quote.turnover)
        self.day.append(trade)
        self.cash += trade.value
        if self.rules.settles:
            waits = self.bought[symbol] == at - 1
            self.not_yet_usable += trade.value - usable_at_once(session, trade.value, was_bought_session_before=waits)
        self._hold(symbol, self.holdings[symbol] - trade.quantity)

    def begin_purchases(self, session: date) -> None:
        """Set aside what the day's sales alone are charged; the rest of the usable cash is free."""
        note = self.note(session)
        self._free = self.usable_cash - (note.total + note.dp if note else NOTHING)

    def buy(self, symbol: str, quantity: Decimal, quote: Quote | None, session: date, at: int) -> bool:
        """Buy up to a quantity at the opening, as far as the free cash goes; False where money alone prevented it."""
        if quote is None or quantity <= 0:
            return True
        sizing, opening = self.rules.sizing, quote.bar.open
        wanted = self._cut(min(quantity, sizing.affordable(self._free, opening)), quote)
        if _is_order(wanted, quote):
            wanted = sizing.fitting(wanted, self._free, lambda shares: self._price(Side.BUY, shares, quote))
        if not _is_order(wanted, quote):
            return sizing.affordable(self._free, opening) > 0
        execution = self.execute(Side.BUY, symbol, wanted, quote, self._price(Side.BUY, wanted, quote))
        if execution is None:
            return True
        trade = Trade(session, symbol, Side.BUY, *execution, opening, quote.turnover)
        self.day.append(trade)
        self.cash -= trade.value
        self._free -= sizing.cost(*execution)
        self.bought[symbol] = at
        self._hold(symbol, self.holdings.get(symbol, NOTHING) + trade.quantity)
        return True

    def note(self, session: date) -> Charges | None:
        """The contract note of the day's trades so far; None without charges or trades."""
        if self.rules.broker is None or not self.day:
            return None
        return note_charges(self.rules.broker, session, _fills(self.day))

    def end_session(self, session: date) -> Charges | None:
        """Debit the day's contract note and DP charges, and return them."""
        note = self.note(session)
        if note is not None:
            self.cash -= note.total + note.dp
            self.not_yet_usable = max(min(self.not_yet_usable, self.cash), NOTHING)
        return note

    def _cut(self, quantity: Decimal, quote: Quote) -> Decimal:
        if not self.rules.impact:
            return quantity
        if quote.liquidity is None:
            return NOTHING
        return min(quantity, largest_order(quote.liquidity, quote.bar.open, whole=self.rules.sizing.whole))

    def _price(self, side: Side, quantity: Decimal, quote: Quote) -> Decimal:
        if not self.rules.impact or quote.liquidity is None:
            return quote.bar.open
        return price_after_impact(side, quote.bar.open, quote.liquidity, quantity)

    def _hold(self, symbol: str, quantity: Decimal) -> None:
        if quantity > 0:
            self.holdings[symbol] = quantity
        else:
            self.holdings.pop(symbol, None)


def whole_after_factor(quantity: Decimal, new: Decimal, old: Decimal, opening: Decimal) -> tuple[Decimal, Decimal]:
    """Whole shares that a split, bonus or consolidation leaves of some, and what is paid (₹) for the fraction."""
    total = (quantity * new / old).quantize(_FRACTION, ROUND_HALF_UP)
    whole = total // 1
    return whole, ((total - whole) * opening).quantize(_PAISA, ROUND_HALF_UP)


def _is_order(quantity: Decimal, quote: Quote) -> bool:
    return quantity * quote.bar.open > _LEAST_ORDER


def _fills(trades: Sequence[Trade]) -> list[Fill]:
    """Each share and side is one delivery order."""
    return [
        Fill(f"{trade.symbol} {trade.side}", trade.symbol, trade.side, int(trade.quantity), trade.price)
        for trade in trades
    ]
