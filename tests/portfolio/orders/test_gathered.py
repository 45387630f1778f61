"""Each check acts at the desk by rows of the tables: the order that passes is refused once a row says otherwise."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.charges import Product, Side
from brokers.protocol import OrderType
from market_data.models import DailyBar, Finding, Quote, TradingLimits
from portfolio.accounts.readings import AccountReading
from portfolio.models import KillSwitch, Order, TradingAccount, User
from portfolio.orders import book, desk
from portfolio.orders.events import Event, Kind
from portfolio.orders.gathered import evidence_for
from portfolio.orders.limits import set_limits
from portfolio.orders.risk import CHECKS
from stocks.models import Stock, SymbolChange
from tests.accounts import DAY, IST, paper_account
from tests.orders import AT, FRIDAY, a_bar, a_market, a_wish, deposit, hold

pytestmark = pytest.mark.django_db
SELL: dict[str, Any] = {"side": Side.SELL}
MARKET: dict[str, Any] = {"order_type": OrderType.MARKET, "price": None, "market_protection": Decimal(1)}


@pytest.fixture
def account(db):
    """₹100,000 and 100 of AAA, each bought at 90 and worth 100; BBB, of another sector, at 50."""
    a_market(AAA=100.0, BBB=50.0)
    Stock.objects.filter(symbol="BBB").update(sector="Banks")
    account = paper_account(User.objects.create_user("asha"))
    deposit(account)
    hold(account, "AAA", 100)
    return account


def codes(account: TradingAccount, at: datetime = AT, **fields: Any) -> list[str]:
    """What refuses an order to buy ten AAA at ₹100, limit, unless fields of its draft say otherwise."""
    number = Order.objects.count()
    order = desk.place(account, a_wish(purpose=f"by_hand test {number}", **fields), at)
    return [each.code for each in desk.refusals_of(order)]


def stock(**changed: Any) -> Callable[[TradingAccount], object]:
    return lambda account: Stock.objects.filter(symbol="AAA").update(**changed)


def limits_of_day(day: date = DAY, **changed: Any) -> Callable[[TradingAccount], object]:
    return lambda account: TradingLimits.objects.create(symbol="AAA", date=day, source="t", **changed)


def limit(**values: Any) -> Callable[[TradingAccount], object]:
    return lambda account: set_limits(account, values)


def a_finding(account: TradingAccount) -> None:
    Finding.objects.create(
        run_id="r",
        session=FRIDAY,
        check_name="duplicate_rows",
        severity="error",
        blocks=True,
        symbol="AAA",
        message="!",
    )


def an_alarm(account: TradingAccount) -> None:
    order, _ = book.order_for(account, a_wish("BBB", purpose="earlier"), AT)
    fill = {"trade_id": "T1", "quantity": 1, "price": Decimal(50), "broker_at": AT}
    book.record(order, [Event(Kind.FILL, "fill", "", AT, **fill)])  # type: ignore[arg-type]


def ten_orders_within_a_second(account: TradingAccount) -> None:
    for number in range(10):
        order, _ = book.order_for(account, a_wish(f"S{number}", purpose="earlier"), AT)
        book.record(order, [Event(Kind.SEND, "send", "", AT - timedelta(milliseconds=100 * number))])


def bought_on_friday(account: TradingAccount) -> None:
    """Of series BE, delivered in the course of today."""
    account.ledger.create(
        day=FRIDAY, kind="fill", symbol="BBB", quantity=20, amount=-1000, reference=f"NSE:{FRIDAY}:T9"
    )
    Stock.objects.filter(symbol="BBB").update(series="BE")


def a_bonus_not_credited(account: TradingAccount) -> None:
    account.ledger.create(
        *(), day=FRIDAY, kind="bonus", symbol="AAA", quantity=100, reference="bonus", ratio_new=1, ratio_old=1,
        credited_on=DAY + timedelta(days=2),
    )  # fmt: skip


CASES: list[tuple[str, Callable[[TradingAccount], object] | None, dict[str, Any]]] = [
    ("session_closed", None, {"at": datetime(2026, 1, 31, 10, tzinfo=IST)}),
    ("session_closed", None, {"at": datetime(2030, 1, 31, 10, tzinfo=IST)}),
    ("session_closed", None, {"session": date(2026, 2, 3)}),
    ("phase", None, {"at": datetime(2026, 2, 2, 8, 59, tzinfo=IST)}),
    ("phase", None, {"at": datetime(2026, 2, 2, 9, 8, tzinfo=IST)}),
    ("phase", None, {"at": datetime(2026, 2, 2, 16, 0, tzinfo=IST)}),
    ("not_tradable", None, {"symbol": "ZZZ"}),
    ("not_tradable", stock(kind="fund"), {}),
    ("not_tradable", stock(kind="unknown"), {}),
    ("not_tradable", stock(series="GB"), {}),
    ("not_tradable", limits_of_day(trade_status="0"), {}),
    ("not_tradable", a_finding, {}),
    ("trade_to_trade", stock(series="BE"), {"product": Product.INTRADAY}),
    ("band", limits_of_day(lower_band=90.0, upper_band=99.95), {}),
    ("band", limits_of_day(lower_band=100.05, upper_band=110.0), {}),
    ("lot", stock(series="SM"), {}),
    ("lot", limits_of_day(FRIDAY, freeze_quantity=10), {}),
    ("tick", None, {"price": Decimal("100.005")}),
    ("order_value", limit(order_value="999.99"), {}),
    ("position_share", limit(position_share="0.0999"), {}),
    ("sector_share", limit(sector_share="0.0999"), {}),
    ("orders_a_day", limit(orders_a_day=1), {"before": "BBB"}),
    ("daily_loss", limit(daily_loss=500), {"loss": True}),
    ("drawdown", limit(drawdown="0.004"), {"loss": True}),
    ("stale_data", lambda account: DailyBar.objects.filter(symbol__symbol="AAA").update(date=date(2026, 1, 29)), {}),
    ("funds", None, {"quantity": 996}),
    ("not_delivered", None, SELL | {"quantity": 101}),
    ("not_delivered", bought_on_friday, SELL | {"symbol": "BBB", "price": Decimal(50), "quantity": 1}),
    ("not_delivered", a_bonus_not_credited, SELL | {"quantity": 101}),
    ("duplicate", None, {"before": "AAA"}),
    ("account_blocked", an_alarm, {}),
    ("account_blocked", lambda account: TradingAccount.objects.update(is_active=False), {}),
    ("kill_switch", lambda account: KillSwitch.objects.create(is_on=True, operator="asha", reason="odd"), {}),
    ("rate", ten_orders_within_a_second, {}),
    ("market_protection", None, MARKET | {"market_protection": Decimal(0)}),
    ("market_protection", None, MARKET | {"market_protection": None}),
]
AND_SO = {
    "session_closed": {"stale_data", "not_tradable"},  # beyond the calendar no session's data and findings are known
    "not_tradable": {"stale_data"},  # no list knows the symbol, and no bar
    "market_protection": {"funds"},  # without one nobody knows what it costs
}
"""What else is not known in some case of a code."""

LIMITS = {"order_value", "position_share", "sector_share", "orders_a_day", "daily_loss", "drawdown"}


def prepared(account: TradingAccount, rows: Any, fields: dict[str, Any]) -> dict[str, Any]:
    """Write a case's rows, and return the fields of the draft alone."""
    fields = dict(fields)
    if symbol := fields.pop("before", None):
        assert codes(account, symbol=symbol, price=Decimal(50 if symbol == "BBB" else 100)) == []
    if rows is not None:
        rows(account)
    if fields.pop("loss", False):  # 100 AAA fell from 100 to 95: ₹500 of ₹110,000
        Quote.objects.create(symbol=Stock.objects.get(symbol="AAA"), at=AT, last_price=95.0, source="t")
    return fields


@pytest.mark.parametrize(("code", "rows", "fields"), CASES)
def test_a_row_is_all_it_takes_to_refuse_an_order(account, code, rows, fields):
    fields = prepared(account, rows, fields)
    refused = set(codes(account, **fields))
    assert code in refused
    assert refused - {code} <= AND_SO.get(code, set())


@pytest.mark.parametrize(("code", "rows", "fields"), [case for case in CASES if case[0] in LIMITS])
def test_no_limit_stops_a_sale_that_closes_a_holding(account, code, rows, fields):
    fields = prepared(account, rows, fields)
    assert codes(account, **SELL | {"quantity": 100}) == []


@pytest.mark.parametrize("rows", [a_finding, stock(kind="unknown")])
def test_no_quarantine_stops_a_sale(account, rows):
    rows(account)
    assert codes(account, **SELL | {"quantity": 100}) == []


@pytest.mark.parametrize(
    ("limits", "fields"),
    [
        ({"order_value": 1000}, {}),
        # 100 held and 10 to buy, at 100, of ₹110,000: 10 %.
        ({"position_share": "0.1", "sector_share": "0.1"}, {}),
        ({"position_share": "0.1", "sector_share": "0.1"}, {"quantity": 200, "symbol": "BBB", "price": Decimal(50)}),
        ({"orders_a_day": 1}, {}),
        ({"daily_loss": 501}, {}),
        ({"drawdown": "0.005"}, {}),
    ],
)
def test_up_to_its_line_a_limit_lets_an_order_pass(account, limits, fields):
    if "daily_loss" in limits or "drawdown" in limits:
        prepared(account, None, {"loss": True})
    set_limits(account, limits)
    assert codes(account, **fields) == []


def test_a_share_that_trades_under_another_name_says_so(account):
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="AAA", date=FRIDAY, proof="exchange")
    order = desk.place(account, a_wish("OLD"), AT)
    assert desk.refusals_of(order)[0].sentence == "OLD trades as AAA; order that."


def test_a_change_of_an_order_does_not_meet_itself(account):
    """Its own order is no duplicate, counts in no limit, and blocks neither money nor shares."""
    set_limits(account, {"orders_a_day": 1})
    order = desk.place(account, a_wish(quantity=900), AT)
    book.record(order, [Event(Kind.SEND, "send", "", AT), Event(Kind.ANSWER, "a", "", AT, broker_order_id="7")])
    assert desk.ask_modify(order, 990, Decimal(100), "asha", AT + timedelta(seconds=2)).pending == "modify"


def test_a_withdrawal_is_neither_a_loss_nor_a_fall(account):
    set_limits(account, {"daily_loss": 1, "drawdown": "0.0001"})
    account.ledger.create(day=DAY, kind="withdrawal", amount=-50_000, reference="w")
    assert codes(account) == []


def test_shares_of_no_known_price_leave_profit_and_peak_unknown(account):
    """As the account's own profit is: ten shares that came for nothing would be a gain of ₹1,000."""
    hold(account, "AAA", 10, reference="from elsewhere", day=DAY)
    account.ledger.create(day=DAY, kind="transfer", symbol="AAA", quantity=10, reference="t", price=None)
    assert AccountReading(account, DAY).profit().after_charges is None
    set_limits(account, {"daily_loss": 1, "drawdown": "0.5"})
    standing = evidence_for(account, a_wish().draft, AT).standing
    assert (standing.profit_today, standing.peak) == (None, None)
    assert codes(account) == ["daily_loss", "drawdown"]


def test_the_highest_value_is_that_of_a_close(account):
    """AAA closed at 130 the day before it closed at 100: 113,000 against 110,000 now is a fall of 2.65 %."""
    a_bar(Stock.objects.get(symbol="AAA"), date(2026, 1, 29), 130.0)
    evidence = evidence_for(account, a_wish().draft, AT)
    assert evidence.standing.peak is None  # no limit asks for it
    set_limits(account, {"drawdown": "0.5"})
    evidence = evidence_for(account, a_wish().draft, AT)
    # Of Thursday: 100 × 130 = 13,000 in shares; the deposit of Friday counts as if it had been there: 113,000.
    assert (evidence.standing.peak, evidence.standing.equity) == (Decimal(113_000), Decimal(110_000))


def test_fills_of_today_and_their_charges_count_at_once(account):
    """10 of BBB bought at 50: brokerage 0, stamp duty 0.08, exchange 0.02, STT 1 (0.50 rounded up) …"""
    before = evidence_for(account, a_wish("BBB", price=Decimal(50)).draft, AT).standing.cash
    order = desk.place(account, a_wish("BBB", price=Decimal(50)), AT)
    terms: dict[str, Any] = {"quantity": 10, "price": Decimal(50), "broker_at": AT}
    book.record(order, [Event(Kind.SEND, "send", "", AT), Event(Kind.FILL, "fill", "", AT, trade_id="T1", **terms)])
    after = evidence_for(account, a_wish("BBB", price=Decimal(50)).draft, AT).standing.cash
    assert before is not None
    assert after is not None
    assert Decimal(500) < before - after < Decimal(502)
    sale = evidence_for(account, replace(a_wish("BBB").draft, side=Side.SELL), AT).standing.holding
    assert sale is not None
    assert (sale.delivered, sale.arriving) == (0, 10)


def test_every_check_of_a_paper_account_has_its_rows_here():
    of_live_accounts = {"not_authorised_to_sell", "static_ip"}  # tests/portfolio/live
    elsewhere = {"unknown_open"}  # test_desk
    assert {code for code, _, _ in CASES} == set(CHECKS) - of_live_accounts - elsewhere
