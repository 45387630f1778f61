"""The evening of the accounts that trade a strategy: paper trades the session that has closed, then plans are made.

Prices of a session come with its bars, in the night after it. A paper account's orders of a session are therefore sent
then, by the session's own clock: its plan at the opening, orders by hand at the moment of their wish. A live account's
plan waits for its owner.
"""

import logging
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Final

from brokers.charges import ChargesError
from brokers.protocol import IST, BrokerError
from market_data.storage import queries
from portfolio.accounts.charges import post_charges
from portfolio.accounts.corporate_actions import post_corporate_actions
from portfolio.accounts.readings import postings_of
from portfolio.backtest.panel import Panel, PanelSession
from portfolio.models import Order, Plan, TradedStrategy
from portfolio.orders.projection import State
from portfolio.paper.desk import SessionClock, paper_desk
from portfolio.paper.prices import OPENING, StoredBars
from portfolio.plans.approval import expire_plans
from portfolio.plans.carrying_out import carry_out_plan, plan_of
from portfolio.plans.live import place_approved
from portfolio.plans.making import plan_for
from portfolio.plans.places import PlansError
from portfolio.sending.lock import AnotherSender
from portfolio.sending.venues import venue_time
from stocks.models import Publication

LOOKED_BACK_SESSIONS: Final = 10
"""Evenings that were missed are done in their order, as far back as this."""

_BEFORE_THE_SESSION: Final = time(9)

logger = logging.getLogger(__name__)


def trade_evenings(at: datetime) -> int:
    """Do what is due for all accounts that trade a strategy, each as far as it goes; return how many plans there are.

    What was done is found done: this can be called at any time and any number of times.
    """
    expire_plans(at)
    history = queries.bar_sessions(at.astimezone(IST).date())
    active = TradedStrategy.objects.filter(is_active=True, account__is_active=True, account__is_replay=False)
    plans = 0
    for traded in active.select_related("account", "strategy"):
        try:
            plan = plan_of(traded, at.astimezone(IST).date()) if traded.account.is_live else None
            if plan is not None:
                place_approved(plan, at)
            plans += trade_evening(traded, history)
        except (PlansError, BrokerError, AnotherSender, ChargesError) as error:
            logger.warning("account %s: %s", traded.account_id, error)
    return plans


def trade_evening(traded: TradedStrategy, history: Sequence[date]) -> int:
    """Trade an account's sessions that have closed, in their order, and make their plans; return how many there are."""
    plans = 0
    for session in history[-LOOKED_BACK_SESSIONS:]:
        if session < traded.first_session:
            continue
        if not traded.account.is_live:
            play_session(traded, session)
        if _is_planned(traded, session, history):
            plans += plan_for(traded.account, session) is not None
    return plans


def play_session(traded: TradedStrategy, session: date) -> None:
    """Carry out a paper account's plan and orders of a session whose bars are stored; post its events and charges."""
    account = traded.account
    plan = plan_of(traded, session)
    is_due = plan is not None and plan.status == Plan.PlanStatus.APPROVED
    orders = Order.objects.filter(account=account, session=session, status=State.QUEUED.value)
    if is_due or orders.exists():
        _check_clock(traded, session)
        post_corporate_actions(account, session)
        symbols = {posting.symbol for posting in postings_of(account, session)} | {order.symbol for order in orders}
        symbols |= set(plan.content["target"] or ()) if plan is not None else set()
        history = queries.bar_sessions(session)
        panel = Panel(queries.prices_frame(sorted(symbols - {""}), session), history)
        at = len(history) - 1
        clock = SessionClock(datetime.combine(session, _BEFORE_THE_SESSION, IST))
        with paper_desk(account, StoredBars(panel), clock) as desk:
            desk.begin(session)
            if plan is not None and is_due:
                carry_out_plan(plan, traded, desk, PanelSession(panel, at), history, at)
            desk.send_what_was_ordered()
            desk.close_session()
    post_charges(account, session)


def _check_clock(traded: TradedStrategy, session: date) -> None:
    """Raise PlansError where the account's venue has gone past the opening: what it would fill has other prices."""
    now = venue_time(traded.account)
    if now is not None and now > datetime.combine(session, OPENING, IST) and not _has_begun(traded, session):
        raise PlansError(
            f"The simulated broker of {traded.account.name} is at {now:%Y-%m-%d %H:%M} already, after the opening of"
            f" {session}: its plan is not carried out."
        )


def _has_begun(traded: TradedStrategy, session: date) -> bool:
    """Whether orders of the session were sent already: it was interrupted, and goes on."""
    return Order.objects.filter(account=traded.account, strategy=traded.strategy, session=session).exists()


def _is_planned(traded: TradedStrategy, session: date, history: Sequence[date]) -> bool:
    """Whether an evening has a plan: its list is published, and the account traded before the opening after it."""
    later = [day for day in history if day > session]
    if later and datetime.combine(later[0], OPENING, IST) < traded.created_at:
        return False
    lists = Publication.objects.filter(strategy=traded.strategy.kind, date=session, superseded_at=None)
    return lists.exists()
