"""The plan of an evening: what it says, that it is one, and what it leaves out."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from brokers.charges import Fill, Side, note_charges
from market_data.models import DailyBar, MarketDay
from portfolio.models import Plan, TradedStrategy, User
from portfolio.plans.estimate import OVERNIGHT, digest_of
from portfolio.plans.making import plan_for
from portfolio.plans.places import PlansError
from tests.accounts import paper_account
from tests.portfolio.backtest.markets import Prices
from tests.portfolio.paper.markets import trading_market
from tests.portfolio.paper.test_replay import ROTATING, walk
from tests.portfolio.plans.desks import publish, trading

pytestmark = pytest.mark.django_db


@pytest.fixture
def days():
    return trading_market(ROTATING)


def traded_from(days: list[date], **terms: Any) -> TradedStrategy:
    return trading(paper_account(User.objects.create_user("asha")), days[4], **terms)


def made(traded: TradedStrategy, session: date) -> Plan:
    plan = plan_for(traded.account, session)
    assert plan is not None
    return plan


def test_a_plan_in_rupees_and_shares(days):
    traded = traded_from(days)
    publish(days[4], "AB")
    plan = made(traded, days[4])
    content = plan.content
    [first, second] = content["tickets"]
    # Half of the ₹100,000 is ₹50,000 for A, which closed at 103.02: 485 shares. What is left pays for fewer of B, with
    # 0.5 % and ₹5 kept back for the charges of each, than the 990 of its half.
    assert (first["symbol"], first["quantity"], first["close"]) == ("A", 485, "103.02")
    assert (second["symbol"], second["quantity"], second["close"]) == ("B", 978, "50.49")
    reserved = Decimal("1.005")
    free = 100_000 - (485 * Decimal(first["price"]) * reserved + 5)
    cost = 978 * Decimal(second["price"]) * reserved + 5
    assert cost <= free < cost + Decimal(second["price"]) * reserved
    assert content["target"] == ["A", "B"]
    fills = [
        Fill(each["symbol"], each["symbol"], Side.BUY, each["quantity"], Decimal(each["price"]))
        for each in content["tickets"]
    ]
    note = note_charges("zerodha", days[5], fills)
    assert (content["charges"]["total"], content["charges"]["stt"]) == (f"{note.total:.2f}", f"{note.stt:.2f}")
    moved = sum((Decimal(each["price"]) - Decimal(each["close"])) * each["quantity"] for each in content["tickets"])
    assert content["impact"] == f"{moved:.2f}"
    assert content["overnight"] == OVERNIGHT
    assert (plan.trades_on, plan.status, plan.digest) == (days[5], "approved", digest_of(content))


def test_the_same_evening_has_one_plan_whatever_comes_after_it(days):
    traded = traded_from(days)
    publish(days[4], "AB")
    plan = made(traded, days[4])
    assert made(traded, days[4]).pk == plan.pk
    Plan.objects.all().delete()
    DailyBar.objects.filter(date__gt=days[4]).update(open=1, high=2, low=1, close=1, adj_close=1)
    assert made(traded, days[4]).content == plan.content


def test_a_list_that_is_published_again_withdraws_the_plan(days):
    traded = traded_from(days)
    publish(days[4], "AB")
    first = made(traded, days[4])
    again = publish(days[4], "CB")
    second = made(traded, days[4])
    first.refresh_from_db()
    assert (first.status, first.reason) == ("withdrawn", f"Its list was published again: publication {again.pk}.")
    assert second.content["target"] == ["C", "B"]
    Plan.objects.filter(pk=second.pk).update(status="carried_out")
    publish(days[4], "AB")
    assert made(traded, days[4]).pk == second.pk


def test_evenings_on_which_nothing_is_decided_have_no_plan(days):
    traded = traded_from(days)
    publish(days[5], "AB")
    assert plan_for(traded.account, days[5]) is None


def test_a_list_with_a_doubled_place_or_share_decides_nothing(days):
    traded = traded_from(days)
    publish(days[4], "AB", picks=[{"symbol": "A", "place": 1}, {"symbol": "B", "place": 1}])
    content = made(traded, days[4]).content
    sentence = f"The list model of {days[4]} has the place 1 twice: publish it again."
    assert (content["tickets"], content["target"], content["why_no_decision"]) == ([], None, sentence)
    publish(days[4], "AB", picks=[{"symbol": "A", "place": 1}, {"symbol": "A", "place": 2}])
    assert "has the share A twice" in made(traded, days[4]).content["why_no_decision"]


def test_what_is_left_out_has_its_reason():
    young = [None, None, None, *walk(100, 1, 1, 1, 1, 1)]
    gap: list[Any] = walk(60, 1, 1, 1, 1)
    gap[4] = None
    market: Prices = {"DEAR": walk(90_000, 1, 1, 1, 1), "YOUNG": young[:8], "GAP": gap, "A": walk(100, 1, 1, 1, 1)}
    days = trading_market(market)
    traded = traded_from(days, holdings=4, keep=4)
    publish(days[4], ["DEAR", "YOUNG", "GAP", "A"])
    content = made(traded, days[4]).content
    reasons = {each["symbol"]: each["reason"] for each in content["left_out"]}
    assert [ticket["symbol"] for ticket in content["tickets"]] == ["A"]
    assert reasons["GAP"] == "It has no bar of this session."
    assert "volatility is not known" in reasons["YOUNG"]
    assert "buys no share at its close of ₹" in reasons["DEAR"]


def test_a_capital_too_small_for_one_share_plans_nothing_and_says_so(days):
    traded = traded_from(days, capital="90")
    publish(days[4], "AB")
    content = made(traded, days[4]).content
    assert content["tickets"] == []
    assert [each["symbol"] for each in content["left_out"]] == ["A", "B"]
    assert "buys no share at its close of ₹103.02" in content["left_out"][0]["reason"]


@pytest.mark.parametrize(
    ("breaks", "sentence"),
    [
        (lambda days: MarketDay.objects.filter(date__gt=days[4]).delete(), "No session after .* is known"),
        (lambda days: DailyBar.objects.filter(date=days[4]).update(status="provisional"), "No final bars of .* are"),
        (lambda days: TradedStrategy.objects.update(first_session=days[6]), "is traded from .* on"),
        (lambda days: TradedStrategy.objects.update(is_active=False), "trades no strategy"),
    ],
    ids=["beyond the calendar", "no bars", "before it begins", "no strategy"],
)
def test_what_keeps_a_plan_from_being_made_is_a_sentence(days, breaks, sentence):
    traded = traded_from(days)
    publish(days[4], "AB")
    breaks(days)
    with pytest.raises(PlansError, match=sentence):
        plan_for(traded.account, days[4])
