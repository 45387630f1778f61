"""The evenings of a paper account that trades a list: what comes of them is what a backtest computes."""

import io
import json
from datetime import datetime, time
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from brokers.charges import Side
from brokers.protocol import IST, OrderType
from market_data.models import DailyBar
from portfolio.accounts.readings import cash_of
from portfolio.backtest.content import backtest
from portfolio.models import Order, Plan, Trade, User
from portfolio.orders import desk
from portfolio.orders.book import Wish
from portfolio.orders.evidence import Draft
from portfolio.paper.evening import trade_evenings
from tests.accounts import paper_account
from tests.portfolio.paper.markets import trading_market
from tests.portfolio.paper.test_replay import LISTS, ROTATING, rotate, terms
from tests.portfolio.plans.desks import publish, trading

pytestmark = pytest.mark.django_db


def at_night(day):
    return datetime.combine(day, time(23), IST)


def test_evenings_come_to_what_a_backtest_computes():
    days = trading_market(ROTATING)
    rotate(days)
    for number, day in enumerate(days[4:]):
        publish(day, LISTS[number // 2 % len(LISTS)].split())
    traded = trading(paper_account(User.objects.create_user("asha")), days[4])
    trade_evenings(at_night(days[6]))  # three evenings that were missed
    trade_evenings(at_night(days[6]))
    for day in days[7:]:
        trade_evenings(at_night(day))
    computed = backtest(terms(days), lambda done, total: None)
    fills = Trade.objects.filter(account=traded.account).select_related("order").order_by("traded_at", "pk")
    assert [
        (f"{fill.date}", fill.order.symbol, fill.order.side, fill.quantity, f"{fill.price:.2f}") for fill in fills
    ] == [tuple(trade.values()) for trade in computed["trades"]]
    assert f"{cash_of(traded.account, days[-1]).total:.2f}" == computed["cash"]
    assert Plan.objects.filter(status="carried_out").count() == 4


def test_a_session_without_its_bars_waits_and_orders_by_hand_get_the_close():
    days = trading_market(ROTATING)
    publish(days[4], "AB")
    account = paper_account(User.objects.create_user("asha"))
    traded = trading(account, days[4], holdings=3, keep=3, every=4)
    trade_evenings(at_night(days[4]))
    DailyBar.objects.filter(date=days[5]).update(status="provisional")
    assert trade_evenings(at_night(days[5])) == 1
    assert not Order.objects.exists()
    noon = datetime.combine(days[5], time(12), IST)
    draft = Draft(f"{account.pk}", days[5], "C", Side.BUY, 1, OrderType.LIMIT, Decimal("250.00"))
    desk.place(account, Wish(draft, "by_hand 1", wished_by=account.owner), noon)
    DailyBar.objects.filter(date=days[5]).update(status="final")
    trade_evenings(at_night(days[5]))
    close = DailyBar.objects.get(symbol__symbol="C", date=days[5]).close
    by_hand = Trade.objects.get(order__symbol="C")
    assert by_hand.traded_at.astimezone(IST).time() == time(15, 29)
    assert Decimal(str(close)) < by_hand.price < Decimal(str(close)) * Decimal("1.01")
    assert {fill.traded_at.astimezone(IST).time().minute for fill in Trade.objects.exclude(pk=by_hand.pk)} == {15}
    assert traded.account.orders.filter(status="filled").count() == 3


def test_plans_are_printed():
    days = trading_market(ROTATING)
    publish(days[4], "AB")
    account = paper_account(User.objects.create_user("asha"))
    trading(account, days[4])
    trade_evenings(at_night(days[4]))
    out = io.StringIO()
    call_command("plans", "--account", account.name, "--date", f"{days[4]}", "--json", stdout=out)
    [plan] = json.loads(out.getvalue())["plans"]
    assert (plan["status"], plan["trades_on"], plan["target"]) == ("approved", f"{days[5]}", ["A", "B"])
    assert isinstance(plan["tickets"][0]["quantity"], int)
    assert isinstance(plan["tickets"][0]["value"], str)
    text = io.StringIO()
    call_command("plans", stdout=text)
    assert "Nothing stands at the broker overnight" in text.getvalue()
    paper_account(User.objects.create_user("biraj"), account.name)
    with pytest.raises(CommandError, match="names 2 accounts; give the number of one"):
        call_command("plans", "--account", account.name)
    for arguments in (
        ["--account", "nobody"],
        ["--date", "tomorrow"],
        ["approve", "99", "--user", "asha", "--digest", "0"],
    ):
        with pytest.raises(CommandError):
            call_command("plans", *arguments)
