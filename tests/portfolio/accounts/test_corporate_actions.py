"""Splits and bonuses of shares held: entered once, as the exchange's list has them or as a backtest trades them."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import BrokerConfiguration
from market_data.models import CorporateAction, DailyBar, MarketDay
from portfolio.accounts import entries, readings
from portfolio.accounts.corporate_actions import credit_day, post_corporate_actions
from portfolio.accounts.entries import Draft, Kind
from portfolio.models import LedgerEntry, TradingAccount, User
from portfolio.trading.account import Account, Rules
from portfolio.trading.sizing import Sizing
from stocks.models import Stock, SymbolChange
from tests.accounts import IST, paper_account

pytestmark = pytest.mark.django_db
FIRST = date(2026, 1, 27)
SESSIONS = [FIRST + timedelta(days=days) for days in range(14) if (FIRST + timedelta(days=days)).weekday() < 5]
BOUGHT, EX, AFTER = SESSIONS[0], SESSIONS[4], SESSIONS[5]


@pytest.fixture
def owner(db):
    MarketDay.objects.bulk_create(
        MarketDay(date=FIRST + timedelta(days=days), kind="normal", is_session=days in _open_days(), source="t")
        for days in range(14)
    )
    return User.objects.create_user("asha")


def _open_days() -> set[int]:
    return {(day - FIRST).days for day in SESSIONS}


@pytest.fixture
def live(owner):
    configuration = BrokerConfiguration.objects.create(user=owner, broker="zerodha")
    return TradingAccount.objects.create(
        owner=owner, name="Live", kind="live", broker="zerodha", charges_of="zerodha", configuration=configuration
    )


def hold(account: TradingAccount, symbol: str, quantity: int, price: str = "100", day: date = BOUGHT) -> None:
    entries.enter(account, [Draft(day, Kind.FILL, f"{day} {symbol}", symbol, quantity, -quantity * Decimal(price))])


def event(symbol: str, kind: str, factor: float | None, day: date = EX, **fields: Any) -> None:
    terms = {"known_on": day, "status": "official", "purpose": f"{kind} of {symbol}", "source": "t"}
    CorporateAction.objects.create(symbol=symbol, kind=kind, factor=factor, ex_date=day, **terms | fields)


def bars(symbol: str, factor: float, days: list[date] = SESSIONS, opening: float = 50.25, ex: date = EX) -> None:
    """Bars whose adjusted close changes its factor on the ex-date."""
    stock, _ = Stock.objects.get_or_create(symbol=symbol)
    for day in days:
        close = 61.7 if day >= ex else 61.7 / factor
        adjusted = close if day >= ex else close * factor
        prices = {"open": opening, "high": 999.0, "low": 1, "close": close, "adj_close": adjusted}
        DailyBar.objects.create(symbol=stock, date=day, series="EQ", source="t", **prices)


def entered(account: TradingAccount) -> list[tuple[object, ...]]:
    rows = LedgerEntry.objects.filter(account=account).exclude(kind="fill").order_by("id")
    return [(row.kind, row.symbol, row.quantity, row.amount) for row in rows]


def test_a_live_account_follows_the_list_and_each_event_once(live):
    hold(live, "AAA", 7)
    event("AAA", "bonus", 2 / 3)
    event("AAA", "split", 0.1, purpose="Split and bonus")
    for _ in range(2):
        assert post_corporate_actions(live, EX) == []
    # By hand: 7 are 70 after the split, and 35 more by one for two.
    assert entered(live) == [("split", "AAA", 63, 0), ("bonus", "AAA", 35, 0)]
    bonus = LedgerEntry.objects.get(kind="bonus")
    assert (bonus.ratio_new, bonus.ratio_old, bonus.credited_on) == (Decimal(1), Decimal(2), SESSIONS[6])
    held = readings.holdings_of(live, AFTER)["AAA"]
    assert (held.quantity, held.bonus_due, held.sellable) == (105, 35, 70)
    assert readings.holdings_of(live, SESSIONS[6])["AAA"].sellable == 105


def test_the_fraction_of_a_live_consolidation_is_paid_by_the_company_later(live):
    hold(live, "AAA", 25)
    event("AAA", "consolidation", 10.0)
    post_corporate_actions(live, EX)
    assert entered(live) == [("split", "AAA", -23, 0)]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"kind": "split", "factor": 0.1, "status": "inferred"}, "it is inferred"),
        ({"kind": "split", "factor": 0.1, "evidence": {"agrees": False}}, "the price denies it"),
        ({"kind": "unread", "factor": None}, "its ratio is not known"),
        ({"kind": "rights", "factor": None}, "its ratio is not known"),
        ({"kind": "demerger", "factor": 0.8}, "its ratio is not known"),
        ({"kind": "dividend", "factor": None}, "paid to the bank account"),
    ],
)
def test_what_is_not_certain_is_left_and_said(live, fields, sentence):
    hold(live, "AAA", 10)
    event("AAA", **fields)
    [left] = post_corporate_actions(live, EX)
    assert (left.symbol, left.ex_date) == ("AAA", EX)
    assert sentence in left.sentence
    assert entered(live) == []


def test_shares_bought_on_the_ex_date_or_sold_before_it_have_no_part(live):
    hold(live, "AAA", 10, day=EX)
    hold(live, "BBB", 10)
    entries.enter(live, [Draft(SESSIONS[2], Kind.FILL, "sold", "BBB", -10, Decimal(900))])
    event("AAA", "split", 0.5)
    event("BBB", "split", 0.5)
    assert post_corporate_actions(live, AFTER) == []
    assert entered(live) == []


def test_an_event_that_is_known_late_is_entered_at_its_ex_date(live):
    hold(live, "AAA", 10)
    event("AAA", "split", 0.5, known_on=SESSIONS[7])
    assert post_corporate_actions(live, EX) == []
    assert entered(live) == []
    post_corporate_actions(live, SESSIONS[7])
    assert LedgerEntry.objects.get(kind="split").day == EX


def test_an_event_after_a_rename_has_the_symbol_of_its_day(live):
    hold(live, "OLD", 10)
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="NEW", date=SESSIONS[2], proof="exchange")
    event("NEW", "split", 0.5)
    post_corporate_actions(live, EX)
    assert entered(live) == [("split", "NEW", 10, 0)]
    assert readings.holdings_of(live, EX)["NEW"].quantity == 20


@pytest.mark.parametrize(
    ("kind", "factor", "days"),
    [
        ("split", 0.1, SESSIONS),
        ("split", 0.2, [*SESSIONS[:3], *SESSIONS[6:]]),  # not traded on its ex-date
        ("bonus", 2 / 3, SESSIONS),
        ("bonus", 3 / 7, SESSIONS),
        ("consolidation", 10.0, SESSIONS),
        ("demerger", 0.8734, SESSIONS),
        ("nothing", 0.613, SESSIONS),
    ],
)
@pytest.mark.parametrize("quantity", [1, 7, 1333])
def test_a_paper_account_has_what_a_backtest_has_to_the_paisa(owner, kind, factor, days, quantity):
    account = paper_account(owner)
    hold(account, "AAA", quantity)
    bars("AAA", factor, days)
    if kind != "nothing":
        event("AAA", kind, factor, status="inferred" if quantity == 7 else "official")
    money = Decimal(-100 * quantity)
    expected = Account(Rules(Sizing(whole=True, reserve=True), "zerodha", impact=False, settles=True), money)
    expected.holdings = {"AAA": Decimal(quantity)}
    before = DailyBar.objects.get(date=SESSIONS[2])
    new, old = Decimal(1), Decimal(repr(before.adj_close)) / Decimal(repr(before.close))
    expected.apply_factor("AAA", new, old, Decimal("50.25"))
    for day in SESSIONS:
        post_corporate_actions(account, day)
    last = SESSIONS[-1]
    assert {symbol: held.quantity for symbol, held in readings.holdings_of(account, last).items()} == {
        symbol: int(held) for symbol, held in expected.holdings.items()
    }
    assert readings.cash_of(account, last).total == expected.cash


def test_bonus_shares_can_be_sold_two_sessions_after_or_after_two_weeks_before_october_2024(owner):
    assert credit_day(EX) == SESSIONS[6]
    days = [date(2024, 9, 2) + timedelta(days=each) for each in range(20)]
    MarketDay.objects.bulk_create(
        MarketDay(date=day, kind="normal", is_session=day.weekday() < 5, source="t") for day in days
    )
    assert credit_day(date(2024, 9, 2)) == date(2024, 9, 16)
    assert datetime(2024, 9, 16, tzinfo=IST).weekday() == 0
