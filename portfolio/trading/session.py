"""How an account trades a session: the rules that backtest, paper and plans share; pure.

Sales come first, by symbol, then purchases, by place; a sale that waits is tried at each opening until another decision
is carried out.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Protocol

from portfolio.trading.account import NOTHING, Account, Quote


class Market(Protocol):
    """A session at its opening."""

    def quote(self, symbol: str) -> Quote | None:
        """What a share can be traded at; None without a bar."""
        ...

    def last_close(self, symbol: str) -> Decimal:
        """Close (₹) of the share's last bar; it has one."""
        ...


@dataclass
class Trader:
    """An account on its way through the sessions.

    Attributes
    ----------
    holdings, reweigh
        As in `portfolio.backtest.parameters`.
    waiting
        Shares whose sale was decided and is not done.
    cheapest
        The lowest opening at which there was too little money for a share of anything wanted.
    """

    account: Account
    holdings: int
    reweigh: str
    waiting: set[str] = field(default_factory=set)
    cheapest: Decimal | None = None

    def trade(self, market: Market, session: date, at: int, decision: list[str] | None) -> None:
        """Carry out a decision (the shares to hold, by place), or try the sales that wait; `at` numbers the session."""
        if decision is None:
            self._sell_waiting(market, session, at)
        else:
            self._rebalance(market, session, at, decision)

    def _sell_waiting(self, market: Market, session: date, at: int) -> None:
        held = self.account.holdings
        for symbol in sorted(self.waiting):
            if symbol in held:
                self.account.sell(symbol, held[symbol], market.quote(symbol), session, at)
        self.waiting &= held.keys()

    def _rebalance(self, market: Market, session: date, at: int, decision: list[str]) -> None:
        account = self.account
        slot = self._value(market) / self.holdings
        self.waiting = account.holdings.keys() - set(decision)
        for symbol in sorted(account.holdings):
            held = account.holdings[symbol]
            if symbol in self.waiting:
                account.sell(symbol, held, market.quote(symbol), session, at)
            elif self.reweigh == "equal":
                quote = market.quote(symbol)
                if quote and held * quote.bar.open > slot:
                    surplus = held - account.rules.sizing.up_to(slot, quote.bar.open)
                    account.sell(symbol, surplus, quote, session, at)
        self.waiting &= account.holdings.keys()
        account.begin_purchases(session)
        for symbol in decision:
            self._buy(symbol, slot, market, session, at)

    def _buy(self, symbol: str, slot: Decimal, market: Market, session: date, at: int) -> None:
        account = self.account
        held = account.holdings.get(symbol, NOTHING)
        if held and self.reweigh == "none":
            return
        quote = market.quote(symbol)
        if quote is None:
            return
        opening = quote.bar.open
        quantity = account.rules.sizing.up_to(slot, opening) - held
        affordable = account.buy(symbol, quantity, quote, session, at)
        if not held and (quantity <= 0 or not affordable):
            self.cheapest = min(self.cheapest or opening, opening)

    def _value(self, market: Market) -> Decimal:
        """The account's worth in ₹ at the opening; a share without a bar counts at its last close."""
        value = self.account.cash
        for symbol, quantity in self.account.holdings.items():
            quote = market.quote(symbol)
            value += quantity * (market.last_close(symbol) if quote is None else quote.bar.open)
        return value
