"""Plays past sessions again on paper: plan, checks, sender, simulated venue and ledger, each as an evening does it.

What comes out is read from the account's rows, and is what a backtest computes, to the paisa.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from django.db import transaction

from brokers.charges import NOTE_LINES, Side
from brokers.protocol import IST
from portfolio.accounts.charges import post_charges
from portfolio.accounts.corporate_actions import post_corporate_actions
from portfolio.accounts.entries import deposit
from portfolio.accounts.readings import cash_of
from portfolio.backtest.content import backtest
from portfolio.backtest.limited import RefusedPurchase
from portfolio.backtest.panel import Panel, PanelSession
from portfolio.backtest.parameters import BacktestError, Parameters
from portfolio.backtest.simulation import Lists, Simulation
from portfolio.ledger.postings import stem
from portfolio.models import AccountLimits, LedgerEntry, Order, Strategy, TradedStrategy, TradingAccount
from portfolio.models import Trade as StoredTrade
from portfolio.orders.desk import refusals_of
from portfolio.orders.evidence import Limits
from portfolio.orders.projection import State
from portfolio.orders.risk import LIMITS
from portfolio.paper.desk import PaperDesk, SessionClock, paper_desk
from portfolio.paper.prices import StoredBars
from portfolio.plans.carrying_out import carry_out_plan, plan_of
from portfolio.plans.making import Evening, make_plan
from portfolio.plans.places import checked
from portfolio.trading.account import NOTHING, Trade

logger = logging.getLogger(__name__)

_BEFORE_THE_SESSION: Final = time(9)
_SIMULATOR: Final = "simulator"


def paper_replay(terms: Parameters, report: Callable[[int, int], None]) -> dict[str, Any]:
    """Play a list's places through a span on a paper account of its own, which no page lists.

    The same keys as `portfolio.backtest.content.backtest`; raises BacktestError as it does, and for parts of shares.
    """
    if terms.fractional:
        raise BacktestError("An order has whole shares: leave fractional out to play the days on paper.")
    if terms.limits != Limits() and not terms.charges:
        raise BacktestError("An account's limits count its charges: leave the limits or no-charges out.")
    return backtest(terms, report, replayed)


def replayed(
    panel: Panel, lists: Lists, terms: Parameters, report: Callable[[int, int], None], _sectors: Mapping[str, str]
) -> Simulation:
    """As `portfolio.backtest.simulation.simulate`, on paper: sectors are those of the tables."""
    sessions = [day for day in panel.sessions if terms.first <= day <= terms.last]
    traded = _account(terms, sessions[0])
    bars = StoredBars(panel, panel.symbols, impact=terms.impact)
    clock = SessionClock(datetime.combine(sessions[0], _BEFORE_THE_SESSION, IST))
    with paper_desk(traded.account, bars, clock, charges=terms.charges) as own:
        run = _Replay(traded, panel, lists, terms, own, Simulation(sessions))
        for number in range(len(sessions)):
            run.play(number)
            report(number + 1, len(sessions))
    return run.result


def _account(terms: Parameters, first: date) -> TradedStrategy:
    """Open the replay's account with its capital, and let it trade the list."""
    with transaction.atomic():
        account = TradingAccount.objects.create(
            owner=None,
            broker=_SIMULATOR,
            # The simulator takes Zerodha's charges.
            charges_of="zerodha" if not terms.charges or terms.broker == _SIMULATOR else terms.broker,
            name=f"replay {uuid4().hex}",
            kind=TradingAccount.AccountKind.PAPER,
            is_replay=True,
        )
        if terms.limits != Limits():
            AccountLimits.objects.create(account=account, **asdict(terms.limits))
        deposit(account, first, terms.capital, "capital")
        return TradedStrategy.objects.create(
            account=account,
            strategy=Strategy.objects.get(owner=None, name=terms.strategy),
            terms={
                "holdings": terms.holdings,
                "keep": terms.keep,
                "every": terms.every,
                "reweigh": terms.reweigh,
                "charges": terms.charges,
                "impact": terms.impact,
                "settlement": terms.settlement,
            },
            first_session=first,
        )


@dataclass
class _Replay:
    """A replay on its way through the sessions."""

    traded: TradedStrategy
    panel: Panel
    lists: Lists
    terms: Parameters
    desk: PaperDesk
    result: Simulation

    def play(self, number: int) -> None:
        """Play a session from its opening to its evening."""
        day = self.result.sessions[number]
        at = self.panel.sessions.index(day)
        account = self.traded.account
        self.desk.clock.move(day, _BEFORE_THE_SESSION)
        post_corporate_actions(account, day)
        plan = plan_of(self.traded, day)
        if plan is not None:
            trader = carry_out_plan(plan, self.traded, self.desk, PanelSession(self.panel, at), self.panel.sessions, at)
            if trader.cheapest is not None:
                self.result.cheapest = min(self.result.cheapest or trader.cheapest, trader.cheapest)
            self.desk.close_session()
        if self.terms.charges:
            post_charges(account, day)
        self._record(day, at)
        if number + 1 < len(self.result.sessions):
            self._plan(number, at)

    def _plan(self, number: int, at: int) -> None:
        day, trades_on = self.result.sessions[number], self.result.sessions[number + 1]
        places = checked(self.lists.get(day, ()), "walk_forward", f"the list {self.terms.strategy} of {day}")
        make_plan(self.traded, Evening(day, trades_on, self.result.sessions[: number + 1], self.panel, at), places)

    def _record(self, day: date, at: int) -> None:
        """Read the session's trades, charges, cash and holdings from the account's rows."""
        entries = list(LedgerEntry.objects.filter(account=self.traded.account))
        cash = sum((entry.amount for entry in entries), NOTHING)
        held: dict[str, Decimal] = {}
        for entry in entries:
            if entry.symbol and entry.quantity:
                held[entry.symbol] = held.get(entry.symbol, NOTHING) + entry.quantity
        held = {symbol: quantity for symbol, quantity in held.items() if quantity}
        result = self.result
        result.cash.append(cash)
        result.holdings.append(held)
        value = sum((quantity * self.panel.last_close(symbol, at) for symbol, quantity in held.items()), NOTHING)
        result.equity.append(cash + value)
        trades = [self._trade(row, at) for row in self._rows(day)]
        result.trades += trades
        self._add_charges(trades, [entry for entry in entries if entry.day == day])
        self._add_refused(day)
        money = cash_of(self.traded.account, day)
        result.usable_cash = money.usable if self.terms.settlement == "real" else money.total

    def _add_refused(self, day: date) -> None:
        """Add the purchases that the account's limits refused; what other checks refuse has no place in a backtest."""
        refused = Order.objects.filter(account=self.traded.account, session=day, status=State.REFUSED).order_by("pk")
        for order in refused:
            reasons = refusals_of(order)
            if all(each.code in LIMITS for each in reasons):
                codes = tuple(each.code for each in reasons)
                self.result.refused.append(RefusedPurchase(day, order.symbol, Decimal(order.quantity), codes))
            else:
                sentences = " ".join(each.sentence for each in reasons)
                logger.warning("%s of %s is refused, and a backtest trades it: %s", order, day, sentences)

    def _rows(self, day: date) -> list[StoredTrade]:
        rows = StoredTrade.objects.filter(account=self.traded.account, date=day).select_related("order")
        return list(rows.order_by("traded_at", "pk"))

    def _trade(self, row: StoredTrade, at: int) -> Trade:
        symbol = row.order.symbol
        opening, turnover = self.panel.opening(symbol, at), self.panel.median_turnover(symbol, at)
        assert opening is not None
        side = Side(row.order.side)
        return Trade(row.date, symbol, side, Decimal(row.quantity), Decimal(row.price), opening, turnover)

    def _add_charges(self, trades: list[Trade], entries: list[LedgerEntry]) -> None:
        """Add up the ledger's lines of the session's contract note, and its DP charges."""
        charges = self.result.charges
        if self.terms.charges:
            charges["turnover"] += sum((trade.value for trade in trades), NOTHING)
        for entry in entries:
            line = "dp" if entry.kind == LedgerEntry.EntryKind.DP_CHARGE else stem(entry.reference).rpartition(":")[2]
            if entry.kind == LedgerEntry.EntryKind.CHARGE and line in NOTE_LINES:
                charges["total"] -= entry.amount
            if entry.kind in (LedgerEntry.EntryKind.CHARGE, LedgerEntry.EntryKind.DP_CHARGE):
                charges[line] -= entry.amount
