"""Orders of a live account's plan, once its owner has approved it."""

import logging
from datetime import datetime, time
from decimal import Decimal
from typing import Any, Final

from brokers.charges import Side
from brokers.protocol import IST, OrderType
from portfolio.live.permissions import why_not_live
from portfolio.models import Order, Plan
from portfolio.orders import desk
from portfolio.orders.book import Wish
from portfolio.orders.evidence import BROKERS_OWN, Draft
from portfolio.orders.projection import UNFINISHED, State
from portfolio.plans.estimate import digest_of
from stocks.models import Stock

PURPOSE: Final = "plan"
_FROM, _UNTIL = time(9, 15), time(15)

logger = logging.getLogger(__name__)


def place_approved(plan: Plan, at: datetime) -> bool:
    """Place an approved plan's sales from the opening on and, when none of them is open any more, its purchases.

    As many shares as the plan says, never more: what the money does not pay for, the desk refuses. The account's sender
    sends them. Called again, it goes on where it was; True once all is placed.
    """
    local, account = at.astimezone(IST), plan.account
    if plan.status != Plan.PlanStatus.APPROVED or not account.is_live:
        return False
    if local.date() != plan.trades_on or not _FROM <= local.time() < _UNTIL:
        return False
    if digest_of(plan.content) != plan.digest:
        logger.error("plan %s is not carried out: it is another than the one that was approved", plan.pk)
        return False
    if why := why_not_live(account, plan.strategy, at):
        logger.warning("plan %s is not carried out: %s", plan.pk, why)
        return False
    sales = [_placed(plan, ticket, at) for ticket in plan.content["tickets"] if ticket["side"] == Side.SELL.value]
    if any(State(order.status) in UNFINISHED for order in sales):
        return False
    for ticket in plan.content["tickets"]:
        if ticket["side"] == Side.BUY.value:
            _placed(plan, ticket, at)
    Plan.objects.filter(pk=plan.pk, status=Plan.PlanStatus.APPROVED).update(status=Plan.PlanStatus.CARRIED_OUT)
    return True


def _placed(plan: Plan, ticket: dict[str, Any], at: datetime) -> Order:
    """The one order of a ticket, placed now or before."""
    draft = Draft(
        account=str(plan.account_id),
        session=plan.trades_on,
        symbol=ticket["symbol"],
        side=Side(ticket["side"]),
        quantity=ticket["quantity"],
        order_type=OrderType.MARKET,
        market_protection=Decimal(BROKERS_OWN),
    )
    series = Stock.objects.filter(symbol=ticket["symbol"]).values_list("series", flat=True).first() or "EQ"
    return desk.place(plan.account, Wish(draft, PURPOSE, plan.strategy, plan.approved_by, series), at)
