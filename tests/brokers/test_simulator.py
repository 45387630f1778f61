"""The simulated account: the conformance of a broker, its orders, shares and money, by hand."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.charges import Fill, Product, Side, note_charges
from brokers.prices import Bands, Listing, Price
from brokers.protocol import (
    IST,
    OrderState,
    OrderType,
    Profile,
    Rejected,
    SellAuthorisation,
)
from brokers.registry import open_simulator
from brokers.simulator.behaviour import FRICTIONLESS, Behaviour
from brokers.simulator.faults import Drill, Fault
from brokers.simulator.state import State
from brokers.simulator.synthetic import SyntheticPrices
from tests.brokers.accounts import NOW, TAG
from tests.brokers.simulated import DAY, SBIN, TICK, WrittenPrices, at, bar, fills, move, order, sbin, simulated
from tests.contracts.broker_conformance import BrokerConformance

TUESDAY, WEDNESDAY = date(2026, 12, 1), date(2026, 12, 2)
MARKET = WrittenPrices(
    {
        symbol: [Price(at("09:16"), Decimal("426.9"), 1000)]
        for symbol in ("SBIN", "BAJAJ-AUTO", "GTLINFRA", *(f"S0{number:04}" for number in range(2_600)))
    },
    listings=[
        SBIN,
        Listing("BAJAJ-AUTO", "EQ", Decimal(1), "INE917I01010", "BAJAJ AUTO"),
        Listing("GTLINFRA", "BE", Decimal("0.01"), "INE221H01019", "GTL INFRA"),
        *(Listing(f"S0{number:04}", "SG", TICK, f"IN{number:010}", "a bond") for number in range(2_600)),
    ],
    bars=[
        bar(date(2026, 11, 26), "420", "426.5", "419", "425.1", 900),
        bar(date(2026, 11, 27), "425", "430", "424.5", "425.1", 1000),
    ],
)
PLACED = datetime(2026, 11, 30, 9, 18, 57, tzinfo=IST).isoformat()
FILLED = datetime(2026, 11, 30, 9, 18, 58, tzinfo=IST).isoformat()
VERSION = {
    "at": PLACED,
    "state": "open",
    "quantity": 10,
    "worst_price": "430.05",
    "price": "430.05",
    "trigger_price": None,
    "active_from": PLACED,
    "triggered": False,
    "filled_quantity": 0,
    "value": "0",
    "message": None,
}
ORDER = {
    "order_id": "1001",
    "tag": TAG,
    "symbol": "SBIN",
    "series": "EQ",
    "kind": "share",
    "side": "buy",
    "order_type": "limit",
    "product": "cnc",
    "placed_at": PLACED,
    "expires_on": "2026-11-30",
    "versions": [VERSION, VERSION | {"at": FILLED, "filled_quantity": 3, "value": "1290"}],
}
REFUSED = {"state": "rejected", "price": None, "worst_price": "450", "message": "Insufficient funds"}
EXECUTION = {
    "trade_id": "77",
    "order_id": "1001",
    "symbol": "SBIN",
    "kind": "share",
    "product": "cnc",
    "side": "buy",
    "quantity": 3,
    "price": "430",
    "at": FILLED,
}
OLD = {"isin": "INE062A01020", "quantity": 11, "price": "429", "bought_on": "2026-11-20", "sellable_from": "2026-11-24"}
SNAPSHOT = {
    "now": FILLED,
    "cash": "70000.00",
    "charges": "0",
    "numbers": 1002,
    "requests": 0,
    "lots": {
        "SBIN": [OLD, OLD | {"quantity": 3, "price": "430", "bought_on": "2026-11-30", "sellable_from": "2026-12-02"}],
        "RELIANCE": [
            OLD
            | {"isin": "INE002A01018", "quantity": 2, "price": "2206.5"}
            | {"bought_on": "2026-11-27", "sellable_from": "2026-12-01"}
        ],
    },
    "orders": [
        ORDER,
        ORDER | {"order_id": "1002", "tag": None, "order_type": "market", "versions": [VERSION | REFUSED]},
    ],
    "executions": [EXECUTION],
}


class Venue:
    """Where the account of the conformance class is: its state, and the drills of those who open it."""

    drills: tuple[Drill, ...] = ()


class TestSimulator(BrokerConformance):
    name = "simulator"
    # 7 x 430.05 with 3.56 of charges (STT 3, exchange 0.09, stamp duty 0.45, GST 0.02) and a rupee are blocked; the
    # fill of 1,290 cost 1.24 (1, 0.04, 0.19, 0.01).
    used = Decimal("3014.91")
    available = Decimal(70_000) - Decimal("1.24") - used
    exchange = "NSE"
    sold_or_pledged = 0
    position = 3
    of_other_markets = 0
    doubled = 0

    @pytest.fixture
    def venue(self) -> Venue:
        return Venue()

    def opened(self, venue: Venue, pauses: tuple[float, ...] = ()) -> Any:
        state = State.restored(json.loads(json.dumps(SNAPSHOT)))
        profile = Profile("AB1234", "Asha Rao", SellAuthorisation.STANDING)
        return closing(
            open_simulator(lambda: NOW, MARKET, state=state, drills=venue.drills, pauses=pauses, profile=profile)
        )

    def fail(self, venue: Venue, status: int) -> None:
        venue.drills = (Drill("*", Fault(str(status)), times=9, retry_after_seconds=3),)


def test_a_snapshot_gives_the_account_back():
    state = State.restored(json.loads(json.dumps(SNAPSHOT)))
    assert json.loads(json.dumps(state.snapshot())) == SNAPSHOT


@pytest.mark.parametrize("broken", [{}, SNAPSHOT | {"cash": "much"}, SNAPSHOT | {"orders": [{}]}, [], {"now": 3}])
def test_what_is_no_snapshot_is_refused(broken: Any):
    with pytest.raises(ValueError, match="no snapshot"):
        State.restored(broken)


# --- orders -----------------------------------------------------------------------------------------------------------

BANDS = Bands(Decimal(400), Decimal(450))
DEAR = Behaviour(bands=True, tariff="simulator")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (order(symbol="NOSUCH", price="430"), "no NOSUCH in series EQ"),
        (order(series="BE", price="430"), "no SBIN in series BE"),
        (order(price="430.03"), "430.03 is no multiple of SBIN's tick, 0.05"),
        (order(price="430", trigger="429.99"), "trigger price 429.99 is no multiple"),
        (order(price="450.05"), "outside today's bands, 400 to 450"),
        (order(price="430", trigger="399.95"), "trigger price 399.95 is outside"),
        (order(price="1E+30"), "none of a share"),
        (order(product=Product.INTRADAY, price="430"), "product mis is not simulated: use cnc"),
        (order(Side.SELL, price="430"), "10 SBIN cannot be sold: 0 are there and free"),
        (
            order(quantity=233, price="430"),
            "233 SBIN need up to 100309.78",
        ),  # 100,190, 100 STT, 2.98, 0.20, 15.03, 0.57, and 1
        (order(quantity=10**15, price="430"), "more than any order"),
        (order(), "no price of SBIN is known yet: use a limit order"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_vendor_would_reject_is_rejected_with_words(request_, words: str):
    broker = simulated(sbin(bands=BANDS), behaviour=DEAR)
    with pytest.raises(Rejected, match="The simulator rejects this") as error:
        broker.place(request_)
    assert words in str(error.value)
    assert broker.orders().rows == broker.trades().rows == ()
    assert broker.funds().available == 100_000


def test_the_tick_is_todays():
    source = sbin()
    broker = simulated(source)
    broker.place(order(price="430.05"))
    source.listed = [replace(SBIN, tick_size=Decimal("0.1"))]
    move(broker, "09:20", TUESDAY)
    with pytest.raises(Rejected, match="no multiple of SBIN's tick"):
        broker.place(order(price="430.05"))
    broker.place(order(price="430.10"))


def test_a_tag_of_21_characters_is_no_order():
    with pytest.raises(ValueError, match="no tag"):
        order(tag="A" * 21)


def test_open_orders_block_money_and_shares():
    broker = simulated(sbin())
    broker.place(order(quantity=200, price="430"))
    assert (broker.funds().available, broker.funds().used) == (14_000, 86_000)
    with pytest.raises(Rejected, match="40 SBIN need up to 17200 with charges, and 14000 are free"):
        broker.place(order(quantity=40, price="430"))
    # A change has what its order blocks for itself.
    broker.modify("1001", order(quantity=232, price="430"))
    assert broker.funds().available == 240


def bought(behaviour: Behaviour = FRICTIONLESS, day: date = DAY) -> Any:
    """An account that holds 10 SBIN at 430 since 09:25 of a day, with a price at 09:25 of many days after it."""
    days = [date(2026, 11, 27), DAY, TUESDAY, WEDNESDAY]
    source = WrittenPrices({"SBIN": [Price(at("09:25", when), Decimal(430), 1000) for when in days]})
    broker = simulated(source, state=State(at("09:20", day), Decimal(100_000)), behaviour=behaviour)
    broker.clock.now = at("09:20", day)
    broker.place(order(price="430"))
    move(broker, "09:30", day)
    return broker


@pytest.mark.parametrize(
    ("first", "second", "third"), [(DAY, TUESDAY, WEDNESDAY), (date(2026, 11, 27), DAY, TUESDAY)], ids=["Mon", "Fri"]
)
def test_shares_arrive_after_the_next_session(first: date, second: date, third: date):
    broker = bought(replace(FRICTIONLESS, settles=True), first)
    assert broker.holdings().rows == ()
    [position] = broker.positions().rows
    assert (position.quantity, position.average_price) == (10, 430)
    move(broker, "15:00", second)
    assert broker.positions().rows == ()
    [holding] = broker.holdings().rows
    assert (holding.quantity, holding.t1_quantity, holding.sellable_quantity) == (0, 10, 0)
    with pytest.raises(Rejected, match="0 are there and free"):
        broker.place(order(Side.SELL, price="430"))
    move(broker, "09:20", third)
    [holding] = broker.holdings().rows
    assert (holding.quantity, holding.t1_quantity, holding.sellable_quantity) == (10, 0, 10)
    broker.place(order(Side.SELL, 4, price="430"))
    assert broker.holdings().rows[0].sellable_quantity == 6
    move(broker, "09:30", third)
    [holding], [position] = broker.holdings().rows, broker.positions().rows
    assert (holding.quantity, holding.sellable_quantity, position.quantity) == (10, 6, -4)  # as the vendors report it
    move(broker, "09:30", date(2026, 12, 3))
    [holding] = broker.holdings().rows
    assert (holding.quantity, holding.sellable_quantity) == (6, 6)


def test_settlement_can_be_switched_off():
    broker = bought()
    [holding] = broker.holdings().rows
    assert (holding.quantity, holding.sellable_quantity, broker.positions().rows) == (10, 10, ())
    move(broker, "09:20", TUESDAY)
    broker.place(order(Side.SELL, price="430"))
    move(broker, "09:30", TUESDAY)
    assert broker.holdings().rows == ()
    assert broker.funds().available == 100_000


def test_the_charges_are_those_of_the_days_note():
    broker = bought(replace(FRICTIONLESS, settles=True, tariff="fyers"))
    note = note_charges("fyers", DAY, [Fill("1", "SBIN", Side.BUY, 10, Decimal(430))])
    assert broker.funds().available == 100_000 - 4_300 - note.total
    move(broker, "09:20", WEDNESDAY)
    assert (broker.state.cash, broker.state.charges) == (100_000 - 4_300 - note.total, note.total)
    broker.place(order(Side.SELL, price="430"))
    move(broker, "09:30", WEDNESDAY)
    sale = note_charges("fyers", WEDNESDAY, [Fill("1", "SBIN", Side.SELL, 10, Decimal(430))])
    assert sale.dp > 0
    assert broker.funds().available == 100_000 - note.total - sale.total - sale.dp
    move(broker, "09:20", date(2026, 12, 3))
    assert broker.state.charges == note.total + sale.total + sale.dp
    assert broker.funds().available == 100_000 - broker.state.charges


def test_an_order_ends_with_its_session_and_keeps_what_was_filled():
    source = sbin(("09:25", "430", 5), ("15:30", "429", 5))
    broker = simulated(source, behaviour=replace(FRICTIONLESS, volume_part=Decimal(1)))
    broker.place(order(quantity=20, price="430"))
    move(broker, "15:30")
    assert fills(broker) == [("09:25", 5, "430.00"), ("15:30", 5, "429.00")]
    move(broker, "15:31")
    [row] = broker.orders().rows
    assert (row.status, row.filled_quantity, row.message) == (
        OrderState.EXPIRED,
        10,
        "The session ended before the order was filled.",
    )
    assert broker.funds().used == 0
    move(broker, "09:00", TUESDAY)
    assert broker.orders().rows == broker.trades().rows == ()


@pytest.mark.parametrize(("clock", "day"), [("15:30", DAY), ("21:00", DAY), ("11:00", date(2026, 11, 29))])
def test_an_order_outside_of_a_session_waits_for_the_next(clock: str, day: date):
    sessions = [Price(at("09:15", when), Decimal(430), 1000) for when in (DAY, TUESDAY) if when > day]
    broker = simulated(WrittenPrices({"SBIN": sessions}), state=State(at(clock, day), Decimal(100_000)))
    broker.clock.now = at(clock, day)
    broker.place(order(price="430"))
    move(broker, "09:15", sessions[0].at.date())
    [row] = broker.orders().rows
    assert (row.status, broker.trades().rows[0].traded_at) == (OrderState.FILLED, sessions[0].at)


def test_a_change_and_a_cancellation():
    source = sbin(("09:25", "430", 4), ("09:30", "430", 4), ("09:35", "430", 4))
    broker = simulated(source, behaviour=replace(FRICTIONLESS, volume_part=Decimal(1)))
    broker.place(order(price="430"))
    move(broker, "09:25")
    with pytest.raises(Rejected, match="4 of order 1001 are filled: ask for more"):
        broker.modify("1001", order(quantity=4, price="430"))
    with pytest.raises(Rejected, match="limit order to buy SBIN: keep these"):
        broker.modify("1001", order(quantity=8))
    broker.modify("1001", order(quantity=8, price="429.95"))
    move(broker, "09:30")
    assert len(fills(broker)) == 1
    broker.modify("1001", order(quantity=12, price="430"))  # at the moment of a price: the next one fills
    assert len(fills(broker)) == 1
    move(broker, "09:35")
    assert fills(broker)[1:] == [("09:35", 4, "430.00")]
    broker.cancel("1001")
    [row] = broker.orders().rows
    assert (row.status, row.quantity, row.filled_quantity) == (OrderState.CANCELLED, 12, 8)
    for again in (lambda: broker.cancel("1001"), lambda: broker.modify("1001", order(price="430"))):
        with pytest.raises(Rejected, match="order 1001 is cancelled: nothing of it is open"):
            again()
    with pytest.raises(Rejected, match="today's book has no order 7"):
        broker.cancel("7")


# --- what is seen of the market ---------------------------------------------------------------------------------------


def test_quotes_and_history_show_nothing_that_comes_later():
    bars = [bar(day, "420", "420", "420", "420", 900) for day in (date(2026, 11, 27), DAY, TUESDAY)]
    source = sbin(("09:25", "430", 4), ("09:30", "440", 5), ("15:30", "450", 5), bars=bars)
    broker = simulated(source)
    [quote] = broker.quotes(["SBIN"]).rows
    assert (quote.day, quote.at, quote.last_price) == (date(2026, 11, 27), None, 420)
    move(broker, "09:30")
    [quote] = broker.quotes(["SBIN"]).rows
    assert (quote.day, quote.at, quote.last_price, quote.volume) == (DAY, at("09:30"), 440, 9)
    assert (quote.open, quote.high, quote.low, quote.previous_close) == (430, 440, 430, 420)
    assert [row.date for row in broker.history("SBIN", date(2026, 11, 1), WEDNESDAY).rows] == [date(2026, 11, 27)]
    assert max(source.asked_until) <= at("09:30")
    move(broker, "15:30")
    assert broker.history("SBIN", DAY, DAY).rows == ()
    move(broker, "15:31")
    assert [row.date for row in broker.history("SBIN", date(2026, 11, 1), WEDNESDAY).rows][-1] == DAY
    with pytest.raises(Rejected, match="no NOSUCH"):
        broker.history("NOSUCH", DAY, DAY)


def test_the_built_in_prices_lie_after_a_moment_and_up_to_another():
    moments = [price.at for price in SyntheticPrices().prices("SBIN", at("09:20"), at("09:30"))]
    assert moments == [at("09:25"), at("09:30")]


def test_a_clock_that_goes_back_changes_nothing():
    broker = simulated(sbin(("09:25", "430", 4)))
    move(broker, "09:30")
    before = broker.state.snapshot()
    move(broker, "09:10")
    assert broker.state.snapshot() == before | {"requests": 2}


def test_the_built_in_market_says_that_it_is_simulated():
    broker = open_simulator(lambda: NOW)
    rows = broker.symbol_master().rows
    assert all(row.name.endswith("(simulated)") for row in rows)
    quotes: list[Any] = [*broker.quotes([row.symbol for row in rows]).rows]
    assert len(quotes) == len(rows) == 10
    assert all(q.lower_band < q.low <= q.last_price <= q.high < q.upper_band for q in quotes)
    assert broker.profile().client_id == "SIMULATED"
    placed = broker.place(order(price="420", order_type=OrderType.LIMIT))
    assert broker.find_by_tag("T1").rows[0].order_id == placed.order_id
