"""The rules of a backtest once more, written from their text alone: slow, plain and exact.

Shares nothing with `portfolio.backtest` and `portfolio.trading` but the terms and the charges of a contract note.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from math import sqrt
from statistics import median, stdev
from typing import Final, NamedTuple

from brokers.charges import Fill, Side, note_charges
from portfolio.backtest.parameters import Parameters

ALL_USABLE_AT_ONCE_SINCE: Final = date(2024, 10, 7)
NOTHING, PAISA, LOCKED_MOVE = Decimal(0), Decimal("0.01"), Decimal("0.0195")
# What a division leaves over is no order.
LEAST_RUPEES = Decimal("1e-9")


class PlainBar(NamedTuple):
    """Prices in ₹ as published but `adj_close`; turnover in ₹."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    adj_close: Decimal
    turnover: Decimal

    @property
    def factor(self) -> Decimal:
        return self.adj_close / self.close


class PlainTrade(NamedTuple):
    session: date
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal


class PlainAccount:
    """An account that trades lists on bars; `run` fills `equity` and `trades`.

    Parameters
    ----------
    bars
        Of each symbol by session, also from before the span.
    sessions
        The market's sessions, also from before the span.
    lists
        Symbol and place of each session that has a list.
    """

    def __init__(
        self,
        bars: Mapping[str, Mapping[date, PlainBar]],
        sessions: Sequence[date],
        lists: Mapping[date, Sequence[tuple[str, int]]],
        terms: Parameters,
    ) -> None:
        self.bars, self.sessions, self.lists, self.terms = bars, sessions, lists, terms
        self.days = {symbol: sorted(days) for symbol, days in bars.items()}
        self.usable, self.waiting = terms.capital, NOTHING
        self.held: dict[str, Decimal] = {}
        self.bought_on: dict[str, date] = {}
        self.to_sell: set[str] = set()
        self.equity: list[Decimal] = []
        self.trades: list[PlainTrade] = []

    def run(self) -> None:
        """Trade through the span."""
        span = [day for day in self.sessions if self.terms.first <= day <= self.terms.last]
        decision: list[str] | None = None
        for number, day in enumerate(span):
            self.usable, self.waiting = self.usable + self.waiting, NOTHING
            self.book_factors(day)
            self.trade(day, span[number - 1] if number else None, decision)
            holdings = sum(quantity * self.last_close(symbol, day) for symbol, quantity in self.held.items())
            self.equity.append(self.usable + self.waiting + holdings)
            decides = number % self.terms.every == 0 and bool(self.lists.get(day))
            decision = self.target(self.lists[day]) if decides else None

    def target(self, places: Sequence[tuple[str, int]]) -> list[str]:
        """Held shares within the keep band, then the best others, in order of place."""
        ranked = sorted(places, key=lambda row: row[1])
        kept = [symbol for symbol, place in ranked if symbol in self.held and place <= self.terms.keep]
        chosen = kept[: self.terms.holdings]
        others = [symbol for symbol, _ in ranked if symbol not in chosen]
        chosen += others[: self.terms.holdings - len(chosen)]
        return [symbol for symbol, _ in ranked if symbol in chosen]

    def book_factors(self, day: date) -> None:
        """Follow splits, bonuses and whatever else changed a held share's factor; pay the fraction of a share."""
        for symbol in list(self.held):
            bar, before = self.bars[symbol].get(day), self.bar_before(symbol, day)
            if bar is None or before is None or abs(bar.factor - before.factor) <= Decimal("1e-6"):
                continue
            quantity = self.held.pop(symbol) * bar.factor / before.factor
            if not self.terms.fractional:
                quantity = quantity.quantize(Decimal("1e-6"), ROUND_HALF_UP)
                self.usable += to_paisa((quantity - self.whole(quantity)) * bar.open, ROUND_HALF_UP)
                quantity = self.whole(quantity)
            if quantity:
                self.held[symbol] = quantity

    def trade(self, day: date, session_before: date | None, decision: list[str] | None) -> None:
        """Sell, then buy, then pay the contract note."""
        slot = self.value_at_open(day) / self.terms.holdings
        if decision is not None:
            self.to_sell = set(self.held) - set(decision)
        fills = []
        for symbol in sorted(self.held):
            fills += self.sale(symbol, day, session_before, slot if decision is not None else None)
        self.to_sell &= set(self.held)
        if decision is not None:
            free = self.usable - self.note(day, fills)
            for symbol in decision:
                purchase = self.purchase(symbol, day, slot, free)
                fills += purchase
                free -= sum((self.set_aside(each.quantity * each.price) for each in purchase), NOTHING)
        charges = self.note(day, fills)
        from_waiting = min(self.waiting, max(charges - self.usable, NOTHING))
        self.usable, self.waiting = self.usable - (charges - from_waiting), self.waiting - from_waiting
        self.trades += fills

    def sale(self, symbol: str, day: date, session_before: date | None, slot: Decimal | None) -> list[PlainTrade]:
        """Sell a share that is to go, or what of it lies above a decision's slot."""
        bar, surplus = self.bars[symbol].get(day), self.held[symbol]
        if bar is None or self.is_locked(symbol, day, down=True):
            return []
        if symbol not in self.to_sell:
            if slot is None or self.terms.reweigh != "equal" or surplus * bar.open <= slot:
                return []
            surplus -= self.whole(slot / bar.open)
        quantity = self.cut(symbol, day, surplus)
        if quantity * bar.open <= LEAST_RUPEES:
            return []
        fill = PlainTrade(day, symbol, "sell", quantity, self.price(symbol, day, quantity, against=-1))
        self.held[symbol] -= quantity
        if not self.held[symbol]:
            del self.held[symbol]
        proceeds = quantity * fill.price
        at_once = self.usable_at_once(day, proceeds, undelivered=self.bought_on.get(symbol) == session_before)
        self.usable, self.waiting = self.usable + at_once, self.waiting + proceeds - at_once
        return [fill]

    def usable_at_once(self, day: date, proceeds: Decimal, *, undelivered: bool) -> Decimal:
        if self.terms.settlement == "ideal":
            return proceeds
        if undelivered:
            return NOTHING
        return proceeds if day >= ALL_USABLE_AT_ONCE_SINCE else to_paisa(proceeds * Decimal("0.8"), ROUND_HALF_UP)

    def purchase(self, symbol: str, day: date, slot: Decimal, free: Decimal) -> list[PlainTrade]:
        """Buy a share up to the slot, as far as the free money goes."""
        bar, held = self.bars[symbol].get(day), self.held.get(symbol, NOTHING)
        if bar is None or self.is_locked(symbol, day, down=False):
            return []
        if (held and self.terms.reweigh != "equal") or held * bar.open >= slot:
            return []
        wanted = min(self.whole(slot / bar.open) - held, self.affordable(free, bar.open))
        quantity = self.cut(symbol, day, wanted)
        price = self.price(symbol, day, quantity, against=1)
        while quantity > 0 and self.set_aside(quantity * price) > free:
            # The impact falls with the quantity: whole shares go down by at least a share, parts by their last digit.
            smaller = quantity - 1 if not self.terms.fractional else quantity.next_minus()
            quantity = min(self.affordable(free, price), smaller)
            price = self.price(symbol, day, quantity, against=1)
        if quantity * bar.open <= LEAST_RUPEES:
            return []
        self.usable -= quantity * price
        self.held[symbol], self.bought_on[symbol] = held + quantity, day
        return [PlainTrade(day, symbol, "buy", quantity, price)]

    def affordable(self, free: Decimal, price: Decimal) -> Decimal:
        fixed = self.set_aside(NOTHING)
        return self.whole((free - fixed) / (self.set_aside(price) - fixed))

    def set_aside(self, rupees: Decimal) -> Decimal:
        """What a purchase takes of the free money, so that its charges can be paid."""
        return rupees * Decimal("1.005") + 5 if self.terms.charges else rupees

    def note(self, day: date, fills: Sequence[PlainTrade]) -> Decimal:
        if not self.terms.charges or not fills:
            return NOTHING
        orders = [Fill(f"{each[1]} {each[2]}", each[1], Side(each[2]), int(each[3]), each[4]) for each in fills]
        charges = note_charges(self.terms.broker, day, orders)
        return charges.total + charges.dp

    def cut(self, symbol: str, day: date, quantity: Decimal) -> Decimal:
        """What can be traded of an order: all, with impact at most 5 % of the usual turnover."""
        if not self.terms.impact:
            return quantity
        turnover, volatility = self.usual(symbol, day)
        most = Decimal("0.05") * turnover / self.bars[symbol][day].open
        return NOTHING if volatility is None else min(quantity, self.whole(most))

    def price(self, symbol: str, day: date, quantity: Decimal, *, against: int) -> Decimal:
        """The opening price, with impact the worse one of an order's size."""
        opening = self.bars[symbol][day].open
        if not self.terms.impact or quantity <= 0:
            return opening
        turnover, volatility = self.usual(symbol, day)
        base = Decimal("0.001") if turnover >= 100_000_000 else Decimal("0.002")
        size = Decimal(repr(0.1 * (volatility or 0) * sqrt(quantity * opening / turnover)))
        return to_paisa(opening * (1 + against * (base + size)), ROUND_CEILING if against > 0 else ROUND_FLOOR)

    def usual(self, symbol: str, day: date) -> tuple[Decimal, float | None]:
        """Median turnover in ₹ (0 without any) and volatility (None without two returns) of twenty sessions."""
        end = bisect_left(self.sessions, day)
        window = [each for each in self.sessions[max(0, end - 20) : end] if each in self.bars[symbol]]
        pairs = [(self.bars[symbol][each], self.bar_before(symbol, each)) for each in window]
        returns = [float(bar.adj_close / before.adj_close) - 1 for bar, before in pairs if before is not None]
        turnover = median(self.bars[symbol][each].turnover for each in window) if window else NOTHING
        return turnover, stdev(returns) if len(returns) > 1 else None

    def is_locked(self, symbol: str, day: date, *, down: bool) -> bool:
        bar, before = self.bars[symbol][day], self.bar_before(symbol, day)
        if before is None or bar.high != bar.low:
            return False
        move = bar.open * bar.factor / (before.close * before.factor) - 1
        return move <= -LOCKED_MOVE if down else move >= LOCKED_MOVE

    def value_at_open(self, day: date) -> Decimal:
        value = self.usable + self.waiting
        for symbol, quantity in self.held.items():
            bar = self.bars[symbol].get(day)
            value += quantity * (self.last_close(symbol, day) if bar is None else bar.open)
        return value

    def bar_before(self, symbol: str, day: date) -> PlainBar | None:
        place = bisect_left(self.days[symbol], day)
        return self.bars[symbol][self.days[symbol][place - 1]] if place else None

    def last_close(self, symbol: str, day: date) -> Decimal:
        bar = self.bars[symbol].get(day) or self.bar_before(symbol, day)
        assert bar is not None, f"{symbol} was bought without a bar up to {day}"
        return bar.close

    def whole(self, quantity: Decimal) -> Decimal:
        return quantity if self.terms.fractional else quantity.to_integral_value(ROUND_FLOOR)


def to_paisa(rupees: Decimal, rounding: str) -> Decimal:
    return rupees.quantize(PAISA, rounding)
