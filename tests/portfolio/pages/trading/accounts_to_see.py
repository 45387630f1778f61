"""A person's accounts to look at: one on paper with orders in every state, and one at a broker."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from brokers.charges import Side
from brokers.models import BrokerConfiguration
from brokers.protocol import OrderType
from portfolio.accounts.entries import deposit
from portfolio.models import Difference, Order, Plan, Strategy, TradingAccount, User
from portfolio.orders import book
from portfolio.orders.desk import refuse
from portfolio.orders.events import BookStatus, Event, Kind
from portfolio.orders.evidence import Draft
from portfolio.orders.risk import Refusal
from portfolio.plans.estimate import OVERNIGHT, digest_of
from tests.accounts import IST, paper_account

A_PICK = {
    "date": "2026-04-29",
    "strategy": "momentum",
    "rank": 3,
    "selection_score": 0.71,
    "ml_probability": 0.54,
    "predicted_return": 1.9,
    "target_price": 1510.0,
    "stop_loss": 1340.0,
    "recommendation": "BUY",
    "reason": "Momentum: place 3 of 41 that passed.",
}


def store_accounts(person: User, configuration: BrokerConfiguration, day: date) -> dict[str, int]:
    """Keys by what is behind them, for addresses."""
    account = paper_account(person, "Momentum on paper")
    live = TradingAccount.objects.create(
        owner=person, name="Fyers", kind="live", broker="fyers", configuration=configuration, charges_of="fyers"
    )
    deposit(account, day - timedelta(days=3), Decimal(1_000_000), "opened 1", "The starting deposit.")
    at = datetime.combine(day, time(9, 16), IST)
    orders = [
        _order(account, at, "RELIANCE", 120, "1412.35", filled=120, pick=A_PICK),
        _order(account, at, "TCS", 40, "3305.00", filled=40),
        _order(account, at, "M&M", 60, "2810.10", filled=25),
        _order(account, at, "SUNPHARMA", 80, "1780.00", filled=80),
    ]
    _order(account, at + timedelta(hours=1), "SUNPHARMA", 30, "1799.95", filled=30, side=Side.SELL)
    refused = _order(account, at, "HDFCBANK", 5_000, "1650.00", sends=False)
    refuse(refused, [Refusal("funds", "It costs ₹82,54,125.00, and ₹3,10,212.35 are free: order less.")], at)
    unknown = _order(account, at, "INFY", 15, "1490.00", answers=False)
    facts: dict[str, Any] = {"account": account, "since": at, "checked_at": at + timedelta(minutes=9)}
    ours, theirs = {"quantity": 60}, {"quantity": 55}
    Difference.objects.create(
        kind="quantity_differs", subject="TATASTEEL", ours=ours, theirs=theirs, action="It waits for you.", **facts
    )
    Difference.objects.create(
        kind="foreign_order", subject="9001", ours={}, theirs={"symbol": "TCS"}, action="Recorded.", **facts
    )
    plan = a_plan(live, day)
    return {"account": account.pk, "live": live.pk, "filled": orders[0].pk, "unknown": unknown.pk, "plan": plan.pk}


def a_plan(account: TradingAccount, day: date, status: str = "waiting") -> Plan:
    """One that buys and sells, for the day after."""
    tickets = [
        ("SUNPHARMA", "sell", 50, "1671.68", "1670.10", "no longer wanted"),
        ("RELIANCE", "buy", 35, "566.79", "567.21", "new"),
        ("TCS", "buy", 110, "200.01", "200.18", "below its slot"),
    ]
    content = {
        "list": "momentum", "source": "1", "terms": {"holdings": 20}, "decides": True, "why_no_decision": "",
        "cash": "539863.75", "target": ["RELIANCE", "TCS"], "waiting": ["SUNPHARMA"],
        "tickets": [
            {"symbol": symbol, "side": side, "quantity": quantity, "close": close, "price": price, "why": why,
             "value": f"{Decimal(price) * quantity:.2f}",
             "impact": f"{abs(Decimal(price) - Decimal(close)) * quantity:.2f}"}
            for symbol, side, quantity, close, price, why in tickets
        ],
        "charges": {"brokerage": "0.00", "stt": "125.00", "exchange": "3.72", "total": "144.11", "dp": "15.34"},
        "impact": "112.40",
        "left_out": [{"symbol": "M&M", "reason": "It has no bar of this session."}],
        "overnight": OVERNIGHT,
    }  # fmt: skip
    return Plan.objects.create(
        account=account, strategy=Strategy.objects.get(owner=None, name="momentum"), session=day, status=status,
        trades_on=day + timedelta(days=1), content=content, digest=digest_of(content),
    )  # fmt: skip


def _order(
    account: TradingAccount,
    at: datetime,
    symbol: str,
    quantity: int,
    price: str,
    *,
    filled: int = 0,
    side: Side = Side.BUY,
    sends: bool = True,
    answers: bool = True,
    pick: dict[str, Any] | None = None,
) -> Order:
    draft = Draft(str(account.pk), at.date(), symbol, side, quantity, OrderType.LIMIT, Decimal(price))
    strategy = Strategy.objects.get(owner=None, name="momentum") if pick else None
    purpose = "plan" if pick else f"by_hand {symbol}{side}"
    order, _ = book.order_for(account, book.Wish(draft, purpose, strategy, account.owner, pick=pick), at)
    if not sends:
        return order
    events = [Event(Kind.QUEUE, "queue", "", at), Event(Kind.SEND, "send", "", at + timedelta(seconds=1))]
    later = at + timedelta(seconds=2)
    if not answers:
        return book.record(order, [*events, Event(Kind.NO_ANSWER, "no_answer", "", later)])
    events.append(Event(Kind.ANSWER, "answer", "", later, broker_order_id=f"26043000{order.pk}"))
    events.append(Event(Kind.SEEN, "seen", "", later, broker_at=later, status=BookStatus.OPEN, filled_quantity=0))
    if filled:
        paid = Decimal(price) - Decimal("0.85")
        events.append(
            Event(
                *(Kind.FILL, "fill", "", at + timedelta(seconds=9)),
                trade_id=f"T{order.pk}", quantity=filled, price=paid, broker_at=at + timedelta(seconds=8),
            )
        )  # fmt: skip
    return book.record(order, events)
