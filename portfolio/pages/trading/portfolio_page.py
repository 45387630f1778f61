"""What an account's portfolio shows: value, profit, money and shares, read from its ledger and the last closes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from portfolio.accounts.readings import AccountReading, Value, last_closes
from portfolio.ledger.holdings import Held
from portfolio.ledger.tax_lots import Lot
from portfolio.models import TradingAccount
from portfolio.pages.figures.holdings_map import TALL, WIDE, Part, holdings_map

_CASH: Final = "Cash"


@dataclass(frozen=True)
class HeldLine:
    """A share that is held, with its lots; what has no close has no value, and none is invented."""

    symbol: str
    held: Held
    close: Decimal | None
    close_of: date | None
    lots: tuple[Lot, ...]

    @property
    def value(self) -> Decimal | None:
        return None if self.close is None else self.close * self.held.quantity

    @property
    def gain(self) -> Decimal | None:
        """Its value less what its shares cost, without charges."""
        if self.value is None or self.held.average_price is None:
            return None
        return self.value - self.held.average_price * self.held.quantity

    @property
    def gain_pct(self) -> float | None:
        if self.gain is None or not self.held.average_price:
            return None
        return float(self.gain / (self.held.average_price * self.held.quantity) * 100)


def portfolio_context(account: TradingAccount, day: date) -> dict[str, Any]:
    """Figures, picture and tables of an account after a day's entries."""
    reading = AccountReading(account, day)
    lines, value, cash = held_lines(reading), reading.value, reading.cash()
    parts = parts_of(lines, cash.total)
    return {
        "day": day,
        "value": value,
        "profit": reading.profit(),
        "cash": cash,
        "waiting": cash.total - cash.usable,
        "lines": lines,
        "maps": [(name, size, holdings_map(parts, size)) for name, size in (("wide", WIDE), ("tall", TALL))],
        "shares_of_value": shares_of(lines, value),
    }


def held_lines(reading: AccountReading) -> list[HeldLine]:
    """The account's holdings, the largest value first; those without a close last."""
    held, lots = reading.holdings(), lots_of(reading)
    closes = last_closes(list(held), reading.day)
    lines = []
    for symbol, holding in held.items():
        close = closes.get(symbol)
        price, on = (close.price, close.day) if close else (None, None)
        lines.append(HeldLine(symbol, holding, price, on, tuple(lots.get(symbol, ()))))
    return sorted(lines, key=lambda line: (line.value is None, -(line.value or 0), line.symbol))


def lots_of(reading: AccountReading) -> dict[str, list[Lot]]:
    """Open tax lots by share; empty where the ledger's entries contradict each other."""
    by_symbol: dict[str, list[Lot]] = {}
    for lot in reading.lots.lots if reading.lots else ():
        by_symbol.setdefault(lot.symbol, []).append(lot)
    return by_symbol


def parts_of(lines: Sequence[HeldLine], cash: Decimal) -> list[Part]:
    """What the account's value consists of, largest first: shares and money."""
    parts = [Part(line.symbol, float(line.value), line.gain_pct) for line in lines if line.value and line.value > 0]
    if cash > 0:
        parts.append(Part(_CASH, float(cash), None, is_cash=True))
    return sorted(parts, key=lambda part: -part.value)


def shares_of(lines: Sequence[HeldLine], value: Value) -> Mapping[str, float]:
    """Each share's part of the account's value, 0-1."""
    total = value.total
    return {line.symbol: float(line.value / total) for line in lines if line.value is not None and total > 0}
