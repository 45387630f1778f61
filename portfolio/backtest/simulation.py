"""Trades the places of past sessions by the rules of `portfolio.trading`, session by session; pure.

A decision falls on the first session and on every `every`-th after it, from that session's list, and is carried out at
the next opening. A session whose list is missing decides nothing, nor does the last one of the span; sales that wait
are tried at each opening until another decision is carried out. A share without a bar, or locked, is not traded; with
impact on, neither is one of which turnover or volatility is not known.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Final

from brokers.charges import NOTE_LINES, Charges
from portfolio.backtest.limited import LimitedExecution, RefusedPurchase
from portfolio.backtest.panel import Panel, PanelSession
from portfolio.backtest.parameters import Parameters
from portfolio.orders.evidence import Limits
from portfolio.trading.account import NOTHING, Account, Rules, Trade
from portfolio.trading.session import Trader
from portfolio.trading.sizing import Sizing, target

MONEY: Final = Context(prec=28, rounding=ROUND_HALF_EVEN)
CHARGE_LINES: Final = ("turnover", *NOTE_LINES, "dp")

Lists = Mapping[date, Sequence[tuple[str, int]]]
"""Symbol and place of each session's list, best first."""


@dataclass
class Simulation:
    """What a backtest came to, in ₹; sequences are by session of the span.

    `holdings` are those at each close, `cheapest` is the lowest opening at which there was too little money for a
    share of anything wanted, `refused` what the account's limits refused.
    """

    sessions: list[date]
    equity: list[Decimal] = field(default_factory=list)
    cash: list[Decimal] = field(default_factory=list)
    holdings: list[dict[str, Decimal]] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    usable_cash: Decimal = NOTHING
    charges: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(CHARGE_LINES, NOTHING))
    cheapest: Decimal | None = None
    refused: list[RefusedPurchase] = field(default_factory=list)


def simulate(
    panel: Panel,
    lists: Lists,
    terms: Parameters,
    report: Callable[[int, int], None],
    sectors: Mapping[str, str] | None = None,
) -> Simulation:
    """Trade the lists on the sessions of the span.

    Parameters
    ----------
    panel
        Bars up to the end of the span, with the history before it.
    lists
        The first `keep` places of each session are enough.
    report
        Receives how many sessions of how many are done.
    sectors
        Each share's sector, for a limit of their parts of the account.
    """
    first = next((index for index, day in enumerate(panel.sessions) if day >= terms.first), len(panel.sessions))
    span = [(at, day) for at, day in enumerate(panel.sessions) if at >= first and day <= terms.last]
    with localcontext(MONEY):
        run = _Run(panel, terms, Simulation([day for _, day in span]), sectors or {})
        decision: list[str] | None = None
        for number, (at, day) in enumerate(span):
            run.trade(at, day, decision)
            decision = None
            if number % terms.every == 0 and lists.get(day):
                decision = target(lists[day], run.account.holdings, terms.holdings, terms.keep)
            report(number + 1, len(span))
        run.result.usable_cash = run.account.usable_cash
    return run.result


def rules_of(terms: Parameters) -> Rules:
    """How the account of a backtest trades."""
    return Rules(
        Sizing(whole=not terms.fractional, reserve=terms.charges),
        terms.broker if terms.charges else None,
        terms.impact,
        terms.settlement == "real",
    )


class _Run:
    """An account on its way through the sessions, with the sales that wait."""

    def __init__(self, panel: Panel, terms: Parameters, result: Simulation, sectors: Mapping[str, str]) -> None:
        self._panel, self.result = panel, result
        self.account = Account(rules_of(terms), terms.capital)
        self._limited: LimitedExecution | None = None
        if terms.limits != Limits():
            self._limited = LimitedExecution(
                self.account, terms.limits, sectors, result.equity, terms.capital, result.refused
            )
            self.account.execute = self._limited
        self._trader = Trader(self.account, terms.holdings, terms.reweigh)

    def trade(self, at: int, day: date, decision: list[str] | None) -> None:
        """Carry out the last session's decision, or try the sales that wait, and record the session."""
        account = self.account
        account.begin_session()
        self._apply_factors(at)
        market = PanelSession(self._panel, at)
        if self._limited is not None:
            self._limited.begin_session(day, market)
        self._trader.trade(market, day, at, decision)
        self.result.cheapest = self._trader.cheapest
        self._record(at, account.end_session(day))

    def _apply_factors(self, at: int) -> None:
        for symbol in list(self.account.holdings):
            change = self._panel.factor_change(symbol, at)
            opening = self._panel.opening(symbol, at) if change else None
            if change and opening:
                self.account.apply_factor(symbol, *change, opening)

    def _record(self, at: int, note: Charges | None) -> None:
        account, result = self.account, self.result
        held = account.holdings.items()
        result.equity.append(account.cash + sum((n * self._panel.last_close(s, at) for s, n in held), NOTHING))
        result.cash.append(account.cash)
        result.holdings.append(dict(account.holdings))
        result.trades += account.day
        if note is not None:
            for line in CHARGE_LINES:
                result.charges[line] += getattr(note, line)
