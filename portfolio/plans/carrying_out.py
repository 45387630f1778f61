"""Carries a paper account's plan out at the opening of its session, by the rules and with the sizes of a backtest."""

from collections.abc import Sequence
from datetime import date

from portfolio.models import Plan, TradedStrategy
from portfolio.paper.desk import PaperDesk
from portfolio.plans.opening import opening_account
from portfolio.plans.terms import terms_of
from portfolio.trading.session import Market, Trader


def plan_of(traded: TradedStrategy, session: date) -> Plan | None:
    """The plan that may be carried out on a session."""
    plans = Plan.objects.filter(account=traded.account, strategy=traded.strategy, trades_on=session)
    return plans.filter(status__in=(Plan.PlanStatus.APPROVED, Plan.PlanStatus.CARRIED_OUT)).first()


def carry_out_plan(
    plan: Plan, traded: TradedStrategy, own: PaperDesk, market: Market, sessions: Sequence[date], at: int
) -> Trader:
    """Trade a session by a plan; what was done before an interruption is found done, and no order is placed twice."""
    terms = terms_of(traded)
    account = opening_account(traded.account, terms.rules, sessions, at)
    account.begin_session()
    own.open_session(sessions[at], account, traded.strategy, market)
    trader = Trader(account, terms.holdings, terms.reweigh, set(plan.content["waiting"]))
    trader.trade(market, sessions[at], at, plan.content["target"])
    Plan.objects.filter(pk=plan.pk, status=Plan.PlanStatus.APPROVED).update(status=Plan.PlanStatus.CARRIED_OUT)
    return trader
