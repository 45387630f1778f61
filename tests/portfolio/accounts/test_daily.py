"""What falls due is posted by itself, for each account as far as it goes, at any time and any number of times."""

from datetime import date, datetime

import pytest

from brokers.charges import Side
from brokers.models import BrokerConfiguration
from market_data.models import CorporateAction, DailyBar
from portfolio.accounts.daily import post_due
from portfolio.models import LedgerEntry, Plan, Strategy, TradingAccount, User
from stocks.models import Stock
from tests.accounts import DAY, IST, paper_account
from tests.orders import FRIDAY, SESSIONS, a_bar, a_market, hold
from tests.portfolio.accounts.test_charges import filled

pytestmark = pytest.mark.django_db


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST)


@pytest.fixture
def accounts(db) -> dict[str, TradingAccount]:
    a_market()
    owner = User.objects.create_user("asha")
    access = BrokerConfiguration.objects.create(user=owner, broker="fyers")
    facts = {"kind": "live", "broker": "fyers", "charges_of": "fyers", "configuration": access}
    live = TradingAccount.objects.create(owner=owner, name="Live", **facts)
    return {"paper": paper_account(owner), "live": live}


def kinds(account: TradingAccount) -> set[str]:
    rows = LedgerEntry.objects.filter(account=account).exclude(kind__in=("fill", "opening"))
    return set(rows.values_list("kind", flat=True))


def test_charges_come_after_the_day_and_an_account_that_cannot_be_charged_holds_up_no_other(accounts):
    for account in accounts.values():
        filled(account, "AAA", Side.BUY, (10, "100"))
    TradingAccount.objects.filter(pk=accounts["paper"].pk).update(charges_of="nobody")
    post_due(at(DAY, 16, 9))
    assert not LedgerEntry.objects.exclude(kind="fill").exists()
    for _ in range(2):
        post_due(at(DAY, 16, 10))
    assert kinds(accounts["paper"]) == set()
    assert kinds(accounts["live"]) == {"charge"}
    assert LedgerEntry.objects.filter(account=accounts["live"], reference=f"{DAY}:brokerage").count() == 1


def test_a_live_account_splits_in_the_morning_and_paper_with_the_bars_once_its_session_is_played(accounts):
    for account in accounts.values():
        hold(account, "AAA", 10)
    terms = {"known_on": DAY, "status": "official", "purpose": "split", "source": "t"}
    CorporateAction.objects.create(symbol="AAA", ex_date=DAY, kind="split", factor=0.5, **terms)
    post_due(at(DAY, 8))
    assert (kinds(accounts["live"]), kinds(accounts["paper"])) == ({"split"}, set())
    a_bar(Stock.objects.get(symbol="AAA"), DAY, 51.0)
    DailyBar.objects.filter(date=FRIDAY).update(adj_close=50.0)
    DailyBar.objects.filter(date=DAY).update(adj_close=51.0)
    strategy = Strategy.objects.create(owner=accounts["paper"].owner, name="Mine", kind="growth")
    terms = {"session": FRIDAY, "trades_on": DAY, "content": {}, "digest": "0", "status": "approved"}
    plan = Plan.objects.create(account=accounts["paper"], strategy=strategy, **terms)
    post_due(at(DAY, 22))
    assert kinds(accounts["paper"]) == set()
    Plan.objects.filter(pk=plan.pk).update(status="carried_out")
    for _ in range(2):
        post_due(at(SESSIONS[3], 8))
    assert kinds(accounts["paper"]) == {"split"}
    assert LedgerEntry.objects.filter(kind="split").count() == 2
