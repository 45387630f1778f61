"""An account through random days: what is posted once comes to what plain counting says, in table and readings."""

import random
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.charges import Fill, Side, note_charges
from brokers.models import BrokerConfiguration
from brokers.protocol import OrderType
from market_data.models import CorporateAction, MarketDay
from portfolio.accounts import entries, readings
from portfolio.accounts.charges import post_charges
from portfolio.accounts.corporate_actions import post_corporate_actions
from portfolio.models import LedgerEntry, Position, TradingAccount, User
from portfolio.orders import book
from portfolio.orders.events import Event, Kind
from portfolio.orders.evidence import Draft
from tests.accounts import IST

pytestmark = pytest.mark.django_db
FIRST = date(2026, 2, 2)
DAYS = [FIRST + timedelta(days=each) for each in range(12)]
SESSIONS = [day for day in DAYS if day.weekday() < 5]
SHARES = ("AAA", "BBB")


@pytest.fixture
def account(db):
    MarketDay.objects.bulk_create(
        MarketDay(date=day, kind="normal", is_session=day.weekday() < 5, source="t")
        for day in (FIRST + timedelta(days=each) for each in range(-3, 17))
    )
    owner = User.objects.create_user("asha")
    access = BrokerConfiguration.objects.create(user=owner, broker="zerodha")
    facts = {"kind": "live", "broker": "zerodha", "charges_of": "zerodha", "configuration": access}
    return TradingAccount.objects.create(owner=owner, name="Live", **facts)


def trade(account: TradingAccount, day: date, symbol: str, side: Side, quantity: int, price: Decimal) -> Fill:
    at = datetime.combine(day, time(9, 20), IST)
    draft = Draft("1", day, symbol, side, quantity, OrderType.LIMIT, price)
    order, _ = book.order_for(account, book.Wish(draft, f"by_hand {symbol} {side}"), at)
    fill: dict[str, Any] = {"trade_id": f"{order.pk}", "quantity": quantity, "price": price, "broker_at": at}
    events = [Event(Kind.SEND, "send", "", at), Event(Kind.FILL, "fill", str(order.pk), at, **fill)]
    book.record(order, events)
    book.record(order, events[1:])
    return Fill(str(order.pk), symbol, side, quantity, price)


class Counting:
    """What the account must come to, kept by plain counting."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.held: dict[str, int] = defaultdict(int)
        self.due: dict[str, list[tuple[date, int]]] = defaultdict(list)

    def event(self, symbol: str, number: int) -> None:
        """A split or bonus of a share on a session, in the exchange's list."""
        day = SESSIONS[number]
        kind, factor, times = self.chance.choice([("split", 0.1, 10), ("split", 0.5, 2), ("bonus", 0.5, 2)])
        terms = {"known_on": day, "status": "official", "purpose": kind, "source": "t"}
        CorporateAction.objects.create(symbol=symbol, ex_date=day, kind=kind, factor=factor, **terms)
        if kind == "bonus":
            on = SESSIONS[number + 2] if number + 2 < len(SESSIONS) else date.max
            self.due[symbol].append((on, self.held[symbol]))
        else:
            self.due[symbol] = [(on, quantity * times) for on, quantity in self.due[symbol]]
        self.held[symbol] *= times

    def sellable(self, symbol: str, day: date) -> int:
        return self.held[symbol] - sum(quantity for on, quantity in self.due[symbol] if on > day)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_posted_once_is_what_plain_counting_says(account, seed):
    chance = random.Random(seed)
    counted, money = Counting(chance), Decimal(1_000_000)
    held = counted.held
    entries.deposit(account, FIRST, money, "first")
    for number, day in enumerate(SESSIONS):
        for symbol in SHARES:
            if held[symbol] and chance.random() < 0.3:
                counted.event(symbol, number)
        for _ in range(2):
            assert post_corporate_actions(account, day) == []
        fills = []
        for symbol in SHARES:
            before = readings.holdings_of(account, day).get(symbol)
            can_be_sold = before.sellable if before else 0
            assert can_be_sold == counted.sellable(symbol, day)
            price, quantity = Decimal(chance.randrange(100, 50_000)) / 100, chance.randrange(1, 40)
            side = chance.choice(list(Side))
            if side is Side.SELL and not can_be_sold:
                continue
            quantity = quantity if side is Side.BUY else can_be_sold // 2 + 1
            fills.append(trade(account, day, symbol, side, quantity, price))
            sign = 1 if side is Side.BUY else -1
            held[symbol] += sign * quantity
            money -= sign * quantity * price
        for _ in range(2):
            post_charges(account, day)
        note = note_charges("zerodha", day, fills) if fills else None
        money -= note.total + note.dp if note else 0
        assert readings.cash_of(account, day).total == money
    rows = LedgerEntry.objects.filter(account=account)
    summed = {s: sum(rows.filter(symbol=s).values_list("quantity", flat=True)) for s in SHARES}
    assert summed == {symbol: held[symbol] for symbol in SHARES}
    stored = dict(Position.objects.filter(account=account).values_list("symbol", "quantity"))
    assert {symbol: stored.get(symbol, 0) for symbol in SHARES} == summed
    assert all(isinstance(amount, Decimal) for amount in rows.values_list("amount", flat=True))
