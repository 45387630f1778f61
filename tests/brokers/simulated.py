"""A market with the prices that a test writes down, and simulated accounts in it."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from brokers.charges import Side
from brokers.prices import Bands, Listing, Price
from brokers.protocol import IST, DailyBar, OrderRequest, OrderType
from brokers.registry import open_simulator
from brokers.simulator.behaviour import FRICTIONLESS
from brokers.simulator.broker import SimulatorBroker
from brokers.simulator.state import State

DAY = date(2026, 11, 30)  # a Monday
TICK = Decimal("0.05")
SBIN = Listing("SBIN", "EQ", TICK, "INE062A01020", "STATE BANK OF INDIA")


def at(clock: str, day: date = DAY) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), IST)


class WrittenPrices:
    """Prices by symbol; weekdays are sessions."""

    def __init__(
        self,
        prices: dict[str, list[Price]],
        listings: Sequence[Listing] = (SBIN,),
        bands: Bands | None = None,
        bars: Sequence[DailyBar] = (),
    ) -> None:
        self.written, self.listed, self.edges, self.bars = prices, listings, bands, bars
        self.asked_until: list[datetime] = []

    def listings(self, day: date) -> Sequence[Listing]:
        return self.listed

    def prices(self, symbol: str, after: datetime, until: datetime) -> Sequence[Price]:
        self.asked_until.append(until)
        return [price for price in self.written.get(symbol, ()) if after < price.at <= until]

    def bands(self, symbol: str, day: date) -> Bands | None:
        return self.edges

    def history(self, symbol: str, first: date, last: date) -> Sequence[DailyBar]:
        return [bar for bar in self.bars if first <= bar.date <= last]

    def next_session(self, day: date) -> date:
        return day + timedelta(days={4: 3, 5: 2}.get(day.weekday(), 1))


def bar(day: date, first: str, high: str, low: str, close: str, volume: int) -> DailyBar:
    return DailyBar(day, Decimal(first), Decimal(high), Decimal(low), Decimal(close), volume)


class Clock:
    """What a test sets."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def sbin(*prices: tuple[str, str, int], **source: Any) -> WrittenPrices:
    """Prices of SBIN on the day: time, ₹, shares."""
    return WrittenPrices(
        {"SBIN": [Price(at(clock), Decimal(price), volume) for clock, price, volume in prices]}, **source
    )


def simulated(prices: WrittenPrices, now: str = "09:20", cash: str = "100000", **arguments: Any) -> Any:
    """An account that moves when its test moves `broker.clock`; without frictions unless they are given."""
    clock = Clock(at(now))
    state = arguments.pop("state", None) or State(clock.now, Decimal(cash))
    broker: Any = open_simulator(
        clock, prices, state=state, behaviour=arguments.pop("behaviour", FRICTIONLESS), **arguments
    )
    broker.clock = clock
    return broker


def move(broker: Any, clock: str, day: date = DAY) -> None:
    """Move the account to a time."""
    broker.clock.now = at(clock, day)
    broker.profile()


def order(
    side: Side = Side.BUY,
    quantity: int = 10,
    price: str | None = None,
    trigger: str | None = None,
    tag: str = "T1",
    **terms: Any,
) -> OrderRequest:
    """An order of SBIN: a market order without a price, a stop order with a trigger."""
    if trigger is None:
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
    else:
        kind = OrderType.STOP_MARKET if price is None else OrderType.STOP
    terms = {"symbol": "SBIN", "order_type": kind} | terms
    return OrderRequest(
        side=side,
        quantity=quantity,
        tag=tag,
        price=None if price is None else Decimal(price),
        trigger_price=None if trigger is None else Decimal(trigger),
        **terms,
    )


def fills(broker: SimulatorBroker) -> list[tuple[str, int, str]]:
    """Time, shares and ₹ of the day's fills."""
    return [(f"{fill.at:%H:%M}", fill.quantity, f"{fill.price:f}") for fill in broker.state.executions]
