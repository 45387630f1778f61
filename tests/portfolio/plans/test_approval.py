"""A live account's plan waits for its owner, who approves exactly it, once, in time."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest

from brokers.charges import Side
from brokers.protocol import IST, OrderType
from market_data.models import TradingLimits
from portfolio.live.permissions import Confirmation, grant
from portfolio.models import LivePermission, Order, Plan, User
from portfolio.orders.book import Wish, order_for, record
from portfolio.orders.events import Event
from portfolio.orders.events import Kind as EventKind
from portfolio.orders.evidence import Draft
from portfolio.plans.approval import approve, closes_at, expire_plans
from portfolio.plans.estimate import digest_of
from portfolio.plans.live import place_approved
from portfolio.plans.making import plan_for
from portfolio.plans.places import PlansError
from tests.accounts import live_account, may_trade_live, paper_account
from tests.portfolio.paper.markets import trading_market
from tests.portfolio.paper.test_replay import ROTATING
from tests.portfolio.plans.desks import publish, trading

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def plan(settings):
    may_trade_live(settings)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    days = trading_market(ROTATING)
    asha = User.objects.create_user("asha", password=PASSWORD)
    account = live_account(asha)
    traded = trading(account, days[4])
    publish(days[4], "AB")
    at = datetime.combine(days[4], datetime.min.time(), IST)
    grant(
        account,
        traded.strategy,
        by=asha,
        confirmation=Confirmation(account.name, PASSWORD),
        until=at + timedelta(days=5),
        at=at,
    )
    made = plan_for(account, days[4])
    assert made is not None
    assert made.status == "waiting"
    return made


def owner_of(plan: Plan) -> User:
    assert plan.account.owner is not None
    return plan.account.owner


def before_nine(plan: Plan) -> datetime:
    return closes_at(plan) - timedelta(seconds=1)


def test_its_owner_approves_it(plan):
    approved = approve(plan, owner_of(plan), plan.digest, before_nine(plan))
    assert (approved.status, approved.approved_by, approved.approved_at) == (
        "approved",
        plan.account.owner,
        before_nine(plan),
    )


def changed(plan: Plan) -> dict[str, Any]:
    Plan.objects.filter(pk=plan.pk).update(content=plan.content | {"tickets": []})
    return {}


def approved(plan: Plan) -> dict[str, Any]:
    approve(plan, owner_of(plan), plan.digest, before_nine(plan))
    return {}


def without_permission(_: Plan) -> dict[str, Any]:
    LivePermission.objects.all().update(ended_at=datetime.now(IST), ended_by="asha")
    return {}


def withdrawn(plan: Plan) -> dict[str, Any]:
    publish(plan.session, "CB")
    plan_for(plan.account, plan.session)
    return {}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (approved, "is approved already"),
        (lambda plan: {"at": closes_at(plan)}, "could be approved until 13 January 2025, 09:00 IST"),
        (changed, "is another than the one you read"),
        (lambda plan: {"digest": "0" * 64}, "is another than the one you read"),
        (lambda plan: {"by": User.objects.create_superuser("root")}, "not yours to approve: only asha may"),
        (without_permission, "live trading is off for model"),
        (withdrawn, "is withdrawn"),
    ],
    ids=["twice", "late", "changed", "another", "not the owner", "without permission", "withdrawn"],
)
def test_what_is_no_approval_changes_nothing(plan, given, sentence):
    terms: dict[str, Any] = {"by": plan.account.owner, "digest": plan.digest, "at": before_nine(plan)} | given(plan)
    stored = list(Plan.objects.values())
    with pytest.raises(PlansError, match=sentence):
        approve(plan, **terms)
    assert list(Plan.objects.values()) == stored


def test_paper_needs_none(plan):
    account = paper_account(owner_of(plan))
    trading(account, plan.session)
    of_paper = plan_for(account, plan.session)
    assert of_paper is not None
    with pytest.raises(PlansError, match="needs no approval"):
        approve(of_paper, owner_of(of_paper), of_paper.digest, before_nine(of_paper))


def test_what_nobody_approved_expires_at_nine(plan):
    assert expire_plans(before_nine(plan)) == 0
    assert expire_plans(closes_at(plan)) == 1
    plan.refresh_from_db()
    assert (plan.status, plan.reason) == ("expired", f"It was not approved by 09:00 of {plan.trades_on}.")


def test_what_was_changed_after_its_approval_is_not_carried_out(plan):
    plan = approve(plan, owner_of(plan), plan.digest, before_nine(plan))
    more = [ticket | {"quantity": ticket["quantity"] * 2} for ticket in plan.content["tickets"]]
    Plan.objects.filter(pk=plan.pk).update(content=plan.content | {"tickets": more})
    plan.refresh_from_db()
    assert place_approved(plan, datetime.combine(plan.trades_on, time(9, 15), IST)) is False
    assert not Order.objects.exists()


def test_what_is_approved_is_placed_from_the_opening_on_and_no_more(plan):
    TradingLimits.objects.bulk_create(
        TradingLimits(symbol=symbol, date=plan.trades_on, lower_band=1.0, upper_band=110.0, source="t")
        for symbol in "AB"
    )
    opening = datetime.combine(plan.trades_on, time(9, 15), IST)
    assert place_approved(plan, opening) is False  # it waits for its owner
    plan = approve(plan, owner_of(plan), plan.digest, before_nine(plan))
    for moment in (before_nine(plan), opening - timedelta(seconds=1), opening + timedelta(days=1)):
        assert place_approved(plan, moment) is False
    assert not Order.objects.exists()
    assert place_approved(plan, opening) is True
    placed = Order.objects.order_by("pk").values_list("symbol", "side", "quantity", "order_type")
    wanted = [(each["symbol"], each["side"], each["quantity"], "market") for each in plan.content["tickets"]]
    assert list(placed) == wanted
    Plan.objects.update(status="approved")
    plan.refresh_from_db()
    assert place_approved(plan, opening + timedelta(minutes=5)) is True
    assert Order.objects.count() == len(wanted)


def test_purchases_wait_for_the_sales_that_pay_for_them(plan):
    sale = {"symbol": "C", "side": "sell", "quantity": 5, "why": "no longer wanted"}
    content = plan.content | {"tickets": [*plan.content["tickets"], sale]}
    Plan.objects.update(content=content, digest=digest_of(content), status="approved")
    plan.refresh_from_db()
    opening = datetime.combine(plan.trades_on, time(9, 15), IST)
    draft = Draft(f"{plan.account_id}", plan.trades_on, "C", Side.SELL, 5, OrderType.MARKET)
    order, _ = order_for(plan.account, Wish(draft, "plan", plan.strategy), opening)
    record(order, [Event(EventKind.QUEUE, "queue", f"{order.pk}", opening)])
    assert place_approved(plan, opening) is False
    assert Order.objects.count() == 1
    record(order, [Event(EventKind.REFUSE, "refuse", f"{order.pk}", opening, checks=("phase",))])
    assert place_approved(plan, opening) is True
    assert Order.objects.count() == 3


def test_a_permission_that_ended_since_places_nothing(plan):
    plan = approve(plan, owner_of(plan), plan.digest, before_nine(plan))
    without_permission(plan)
    assert place_approved(plan, datetime.combine(plan.trades_on, time(9, 15), IST)) is False
    assert not Order.objects.exists()
