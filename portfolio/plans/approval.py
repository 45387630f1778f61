"""The owner's approval of a live account's plan: of exactly that plan, before the market opens, once."""

from datetime import datetime, time
from typing import Final

from django.db import transaction

from brokers.protocol import IST
from portfolio.live.permissions import why_not_live
from portfolio.models import Plan, User
from portfolio.orders.book import lock_account
from portfolio.plans.estimate import digest_of
from portfolio.plans.places import PlansError

APPROVED_UNTIL: Final = time(9)
"""Of the session that trades (IST)."""

_ENDED: Final = {
    Plan.PlanStatus.APPROVED: "is approved already",
    Plan.PlanStatus.CARRIED_OUT: "is carried out already",
    Plan.PlanStatus.EXPIRED: "has expired",
    Plan.PlanStatus.WITHDRAWN: "is withdrawn",
}


def approve(plan: Plan, by: User, digest: str, at: datetime) -> Plan:
    """Let a live account's plan be carried out; `digest` is of the plan that was read.

    Raises
    ------
    PlansError
        Paper needs no approval; another than the owner asks; the plan does not wait, or is another than was read; it is
        too late; the account may not trade the strategy live.
    """
    with transaction.atomic():
        lock_account(plan.account_id)
        current = Plan.objects.select_related("account__owner", "strategy").get(pk=plan.pk)
        if sentence := _why_not(current, by, digest, at):
            raise PlansError(sentence)
        current.status, current.approved_by, current.approved_at = Plan.PlanStatus.APPROVED, by, at
        current.save(update_fields=["status", "approved_by", "approved_at"])
        return current


def closes_at(plan: Plan) -> datetime:
    """Until when a plan can be approved."""
    return datetime.combine(plan.trades_on, APPROVED_UNTIL, IST)


def expire_plans(at: datetime) -> int:
    """End the plans that nobody approved in time, and those approved whose session is over; return how many."""
    ended = 0
    for plan in Plan.objects.filter(status__in=(Plan.PlanStatus.WAITING, Plan.PlanStatus.APPROVED)):
        if plan.account.is_live:
            ended += _expire(plan, at)
    return ended


def _expire(plan: Plan, at: datetime) -> bool:
    is_late = plan.status == Plan.PlanStatus.WAITING and at >= closes_at(plan)
    is_past = at.astimezone(IST).date() > plan.trades_on
    if not (is_late or is_past):
        return False
    reason = (
        "Its session is over." if is_past else f"It was not approved by {APPROVED_UNTIL:%H:%M} of {plan.trades_on}."
    )
    # Only from the state that was read: an approval of the same moment holds.
    rows = Plan.objects.filter(pk=plan.pk, status=plan.status)
    return bool(rows.update(status=Plan.PlanStatus.EXPIRED, reason=reason))


def _why_not(plan: Plan, by: User, digest: str, at: datetime) -> str:
    """Why a plan cannot be approved, as a sentence with its remedy; empty where it can."""
    account, name = plan.account, f"The plan of {plan.session} for {plan.account.name}"
    if not account.is_live:
        return f"{name} needs no approval: paper carries its plans out by itself."
    if account.owner_id != by.pk or not by.is_active:
        return f"{name} is not yours to approve: only {account.owner} may."
    if plan.status in _ENDED:
        return f"{name} {_ENDED[Plan.PlanStatus(plan.status)]}: there is nothing to approve."
    if digest != plan.digest or digest_of(plan.content) != plan.digest:
        return f"{name} is another than the one you read: read it again, and approve what it says now."
    if at >= closes_at(plan):
        return f"{name} could be approved until {closes_at(plan):%d %B %Y, %H:%M} IST: wait for the next one."
    if why := why_not_live(account, plan.strategy, at):
        return f"{name} cannot be approved: {why}."
    return ""
