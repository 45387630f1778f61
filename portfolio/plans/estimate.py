"""What a decision would come to at the close it was made by: the tickets of a plan; pure.

The rules are those of the opening (`portfolio.trading.session`); only the prices are the close's, and nobody is locked.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, NamedTuple

from brokers.charges import NOTE_LINES, Side
from portfolio.backtest.panel import Panel
from portfolio.trading.account import Account, Execution, Quote, Rules, Trade
from portfolio.trading.bars import Bar
from portfolio.trading.session import Trader

_PAISA: Final = Decimal("0.01")
OVERNIGHT: Final = (
    "Nothing stands at the broker overnight: there are no stop or target orders (GTT). What is ordered at the opening"
    " is an order of that day, and what is not filled of it ends with the day."
)


class Terms(NamedTuple):
    """As in a backtest (`portfolio.backtest.parameters`), with whole shares and the charges of the account's broker."""

    holdings: int
    keep: int
    every: int
    reweigh: str
    rules: Rules


class Decision(NamedTuple):
    """What is decided: the shares to hold, by place (None: nothing new), and the sales that wait from before."""

    target: Sequence[str] | None
    waiting: Sequence[str]


class CloseMarket:
    """The close of a session as if it were the next opening, with what all sessions up to it say of a share.

    Parameters
    ----------
    panel : with one session more than the one that has closed
    at : index of the session that has closed
    """

    def __init__(self, panel: Panel, at: int) -> None:
        self._panel, self._at = panel, at

    def quote(self, symbol: str) -> Quote | None:
        panel, at = self._panel, self._at
        if not panel.has(symbol) or panel.bar(symbol, at) is None:
            return None
        close = panel.last_close(symbol, at)
        bar = Bar(close, close, close, close, Decimal(1), None)
        return Quote(bar, panel.liquidity(symbol, at + 1), panel.median_turnover(symbol, at + 1))

    def last_close(self, symbol: str) -> Decimal:
        return self._panel.last_close(symbol, self._at)


def estimate(
    account: Account, decision: Decision, terms: Terms, market: CloseMarket, session: date, at: int
) -> dict[str, Any]:
    """Tickets, expected charges and impact, and what is left out and why; plain JSON, ₹ as texts.

    `session` is the one that trades, `at` its number. The account is changed as if the tickets had been filled.
    """
    account.execute = _at_the_close
    before = dict(account.holdings)
    account.begin_session()
    trader = Trader(account, terms.holdings, terms.reweigh, set(decision.waiting))
    target = None if decision.target is None else list(decision.target)
    trader.trade(market, session, at, target)
    note = account.note(session)
    lines = {line: f"{getattr(note, line) if note else Decimal(0):.2f}" for line in (*NOTE_LINES, "dp")}
    return {
        "target": target,
        "waiting": sorted(before.keys() - set(target)) if target is not None else sorted(decision.waiting),
        "tickets": [_ticket(trade, before, target) for trade in account.day],
        "charges": lines,
        "impact": f"{sum((_impact(trade) for trade in account.day), Decimal(0)):.2f}",
        "left_out": _left_out(account, before, decision, terms, market),
        "overnight": OVERNIGHT,
    }


def digest_of(content: Mapping[str, Any]) -> str:
    """SHA-256 of a plan's content: what an approval is of."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _at_the_close(_side: Side, _symbol: str, quantity: Decimal, _quote: Quote, price: Decimal) -> Execution:
    return Execution(quantity, price)


def _ticket(trade: Trade, before: Mapping[str, Decimal], target: Sequence[str] | None) -> dict[str, Any]:
    return {
        "symbol": trade.symbol,
        "side": trade.side.value,
        "quantity": int(trade.quantity),
        "close": f"{trade.opening:f}",
        "price": f"{trade.price:f}",
        "value": f"{trade.value.quantize(_PAISA, ROUND_HALF_UP):f}",
        "impact": f"{_impact(trade):.2f}",
        "why": _why(trade, before, target),
    }


def _why(trade: Trade, before: Mapping[str, Decimal], target: Sequence[str] | None) -> str:
    if trade.side == Side.SELL:
        is_whole = target is None or trade.symbol not in target
        return "no longer wanted" if is_whole else "above its slot"
    return "below its slot" if trade.symbol in before else "new"


def _impact(trade: Trade) -> Decimal:
    return (abs(trade.price - trade.opening) * trade.quantity).quantize(_PAISA, ROUND_HALF_UP)


def _left_out(
    account: Account, before: Mapping[str, Decimal], decision: Decision, terms: Terms, market: CloseMarket
) -> list[dict[str, str]]:
    """The shares that should be bought or sold and have no ticket, each with the reason."""
    done = {trade.symbol for trade in account.day}
    target = decision.target or ()
    leaving = before.keys() - set(target) if decision.target is not None else set(decision.waiting)
    sales = [symbol for symbol in sorted(leaving) if symbol not in done]
    purchases = [symbol for symbol in target if symbol not in done and symbol not in before]
    return [{"symbol": symbol, "reason": _reason(symbol, terms, market)} for symbol in (*sales, *purchases)]


def _reason(symbol: str, terms: Terms, market: CloseMarket) -> str:
    quote = market.quote(symbol)
    if quote is None:
        return "It has no bar of this session."
    if terms.rules.impact and quote.liquidity is None:
        return "Its turnover or its volatility is not known, so neither is its impact."
    return (
        f"The money for it buys no share at its close of ₹{quote.bar.open:f}: each of {terms.holdings} holdings gets"
        " its part of the account, as far as there is cash."
    )
