"""When and at what an order is filled: each knob by hand, and what holds for all of them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.charges import Fill, Side, note_charges
from brokers.prices import Bands, Price
from brokers.protocol import OrderState, OutcomeUnknown, Rejected, Unavailable
from brokers.simulator.behaviour import FRICTIONLESS, Behaviour
from brokers.simulator.state import Lot, State
from tests.brokers.simulated import DAY, TICK, WrittenPrices, at, fills, move, order, sbin, simulated


def behaving(**knobs: Any) -> Behaviour:
    """Nothing but the knobs of a test."""
    amounts = {name: Decimal(value) for name, value in knobs.items() if isinstance(value, str) and name != "tariff"}
    return replace(FRICTIONLESS, **knobs | amounts)


def test_a_fill_is_at_the_next_price():
    broker = simulated(sbin(("09:20", "429", 100), ("09:25", "430", 100), ("09:30", "431", 100)))
    broker.place(order())  # at the moment of the first price
    assert fills(broker) == []
    move(broker, "09:40")
    assert fills(broker) == [("09:25", 10, "430.00")]


def test_prices_that_are_none_fill_nothing_and_are_not_shown():
    broker = simulated(sbin(("09:25", "0", 9), ("09:30", "-430", 9), ("09:35", "430", -1), ("09:40", "430", 9)))
    broker.place(order(price="430"))
    move(broker, "09:35")
    assert fills(broker) == []
    assert broker.quotes(["SBIN"]).rows[0].last_price is None
    move(broker, "09:40")
    assert fills(broker) == [("09:40", 10, "430.00")]


def test_a_limit_waits_for_its_price_and_takes_a_better_one():
    broker = simulated(sbin(("09:20", "430", 9), ("09:25", "430", 100), ("09:30", "428", 100), ("09:35", "431.05", 9)))
    broker.place(order(price="429"))
    broker.place(order(price="431", quantity=5))
    move(broker, "09:40")
    assert fills(broker) == [("09:25", 5, "430.00"), ("09:30", 10, "428.00")]


@pytest.mark.parametrize(
    ("price", "filled"), [(None, [("09:35", 10, "440.00")]), ("435", [("09:40", 10, "434.00")])], ids=["SL-M", "SL"]
)
def test_a_stop_is_set_off_by_a_price_and_filled_at_the_next(price: str | None, filled: list[Any]):
    prices = (("09:25", "429", 9), ("09:30", "431", 9), ("09:35", "440", 9), ("09:40", "434", 9))
    broker = simulated(sbin(*prices))
    broker.place(order(price=price, trigger="430"))
    move(broker, "09:45")
    assert fills(broker) == filled


@pytest.mark.parametrize(("side", "worst", "beyond"), [(Side.BUY, "451.85", "451.90"), (Side.SELL, "408.75", "408.70")])
def test_the_protection_ends_at_the_next_tick(side: Side, worst: str, beyond: str):
    # 430.30 is moved to 451.815 and 408.785.
    old = Lot("INE062A01020", 10, Decimal(100), DAY, DAY)
    state = State(at("09:20"), Decimal(100_000), lots={"SBIN": [old]})
    broker = simulated(sbin(("09:20", "430.30", 9), ("09:25", beyond, 9), ("09:30", worst, 9)), state=state)
    broker.place(order(side))
    move(broker, "09:45")
    assert fills(broker) == [("09:30", 10, worst)]


def test_prices_of_one_moment_set_off_a_stop_and_do_not_fill_it():
    broker = simulated(sbin(("09:25", "430", 9), ("09:25", "431", 9), ("09:30", "432", 9)))
    broker.place(order(price="435", trigger="430"))
    move(broker, "09:45")
    assert fills(broker) == [("09:30", 10, "432.00")]


def test_a_market_order_is_protected():
    # Five percent from 430: 451.50, which the second price is above.
    prices = (("09:20", "430", 9), ("09:25", "451.55", 9), ("09:30", "451.50", 9))
    broker = simulated(sbin(*prices))
    broker.place(order())
    move(broker, "09:45")
    assert fills(broker) == [("09:30", 10, "451.50")]


@pytest.mark.parametrize(
    ("knobs", "bought", "sold"),
    [
        ({"spread": "0.002"}, "100.10", "99.90"),
        ({"spread": "0.0003"}, "100.05", "99.95"),  # to the tick, against who trades
        ({"impact": "0.01"}, "100.50", "99.50"),  # 25 of 100 shares: half of one percent
        ({"impact": "0.01", "spread": "0.002"}, "100.60", "99.40"),
    ],
)
def test_spread_and_impact(knobs: dict[str, Any], bought: str, sold: str):
    prices = (("09:20", "100", 100), ("09:25", "100", 100), ("09:30", "100", 100))
    broker = simulated(sbin(*prices), behaviour=behaving(**knobs))
    broker.place(order(quantity=25))
    move(broker, "09:26")
    broker.place(order(Side.SELL, 25))
    move(broker, "09:35")
    assert fills(broker) == [("09:25", 25, bought), ("09:30", 25, sold)]


def test_impact_leaves_what_is_beyond_the_limit():
    # 100 shares of 100 would move the price by 1 %; 0.5 % is reached with 25.
    broker = simulated(sbin(("09:25", "100", 100)), behaviour=behaving(impact="0.01"))
    broker.place(order(quantity=100, price="100.50"))
    move(broker, "09:30")
    assert fills(broker) == [("09:25", 25, "100.50")]


def test_orders_share_a_part_of_the_volume_the_earliest_first():
    broker = simulated(
        sbin(("09:25", "100", 59), ("09:30", "100", 0), ("09:35", "100", 90)), behaviour=behaving(volume_part="0.1")
    )
    broker.place(order(quantity=3, price="100"))
    broker.place(order(quantity=9, price="100"))
    move(broker, "09:40")
    assert fills(broker) == [("09:25", 3, "100.00"), ("09:25", 2, "100.00"), ("09:35", 7, "100.00")]


def test_a_fill_may_take_a_part():
    broker = simulated(
        sbin(*((f"09:{minute}", "100", 9) for minute in range(25, 59))), behaviour=behaving(partial_chance="1")
    )
    broker.place(order(quantity=40, price="100"))
    move(broker, "09:25")
    assert 1 <= fills(broker)[0][1] < 40
    move(broker, "10:00")
    assert sum(quantity for _, quantity, _ in fills(broker)) == 40
    assert broker.orders().rows[0].status == OrderState.FILLED


@pytest.mark.parametrize(("side", "edge", "inside"), [(Side.BUY, "110", "109"), (Side.SELL, "90", "91")])
def test_nobody_is_on_the_other_side_at_the_edge_of_the_band(side: Side, edge: str, inside: str):
    bands = Bands(Decimal(90), Decimal(110))
    prices = (("09:20", "100", 9), ("09:25", edge, 9), ("09:30", "111", 9), ("09:35", "89", 9), ("09:40", inside, 9))
    source, old = sbin(*prices, bands=bands), Lot("INE062A01020", 10, Decimal(100), DAY, DAY)
    state = State(at("09:20"), Decimal(100_000), lots={"SBIN": [old]})
    broker = simulated(source, behaviour=behaving(bands=True), state=state)
    broker.place(order(side, price=edge))
    move(broker, "09:45")
    assert fills(broker) == [("09:40", 10, f"{inside}.00")]


def test_a_market_order_keeps_to_the_band():
    # The protection of 5 % would go to 113.40; 1.85 % of impact is reached with 0.0185 / 0.05 squared, 13.7 of 100.
    source = sbin(("09:20", "108", 9), ("09:25", "108", 100), bands=Bands(Decimal(90), Decimal(110)))
    broker = simulated(source, behaviour=behaving(bands=True, impact="0.05"))
    broker.place(order(quantity=100))
    move(broker, "09:30")
    assert fills(broker) == [("09:25", 13, "109.95")]


def test_nobody_sells_at_the_upper_band_and_no_fill_passes_it():
    source = sbin(("09:25", "110", 100), ("09:30", "109.50", 100), bands=Bands(Decimal(90), Decimal(110)))
    broker = simulated(source, behaviour=behaving(bands=True, impact="0.01"))
    broker.place(order(quantity=100, price="110"))
    move(broker, "09:35")
    # 0.5 of 109.5 is 0.4566 %, reached with 0.4566² of 100 shares: 20.8.
    assert fills(broker) == [("09:30", 20, "110.00")]


def test_the_exchange_may_reject_what_was_taken_in():
    broker = simulated(sbin(("09:25", "430", 100)), behaviour=behaving(rejection_chance="1"))
    placed = broker.place(order(price="430"))
    [row] = broker.find_by_tag("T1").rows
    assert (row.order_id, row.status, row.filled_quantity) == (placed.order_id, OrderState.REJECTED, 0)
    assert row.message == "The exchange rejected the order, by the simulator's rejection_chance."
    assert broker.funds().used == 0


def test_an_order_is_on_its_way_for_a_while():
    source = sbin(("09:20:10", "429", 9), ("09:20:30", "430", 9), ("09:20:31", "431", 9))
    broker = simulated(source, behaviour=behaving(acceptance_seconds=30))
    broker.place(order(price="440"))
    move(broker, "09:20:29")
    assert broker.orders().rows[0].status == OrderState.IN_TRANSIT
    move(broker, "09:20:30")
    assert broker.orders().rows[0].status == OrderState.OPEN
    move(broker, "09:21")
    assert fills(broker) == [("09:20", 10, "431.00")]


def test_a_book_that_lags():
    broker = simulated(sbin(("09:25", "430", 9)), behaviour=behaving(book_lag_seconds=60))
    broker.place(order(price="430"))
    assert broker.find_by_tag("T1").rows == ()
    move(broker, "09:21")
    assert [row.status for row in broker.find_by_tag("T1").rows] == [OrderState.OPEN]
    move(broker, "09:25:59")
    assert broker.trades().rows == ()
    assert broker.orders().rows[0].filled_quantity == 0
    assert broker.funds().available == 100_000 - 4_300
    move(broker, "09:26")
    assert [trade.quantity for trade in broker.trades().rows] == [broker.orders().rows[0].filled_quantity] == [10]


def test_answers_that_come_too_late():
    broker = simulated(sbin(), behaviour=behaving(late_answer_chance="1"))
    with pytest.raises(Unavailable):
        broker.funds()
    assert broker.requests_made() == 3
    with pytest.raises(OutcomeUnknown):
        broker.place(order(price="430"))
    assert [booked.tag for booked in broker.state.orders] == ["T1"]


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"rejection_chance": "1.5"}, "rejection_chance is 1.5"),
        ({"spread": "-0.1"}, "spread is -0.1"),
        ({"spread": "1"}, "spread must be below 1"),
        ({"volume_part": "0"}, "volume_part is 0"),
        ({"book_lag_seconds": -1}, "book_lag_seconds is -1"),
        ({"market_protection": "0"}, "market_protection between 0 and 1"),
        ({"tariff": "angel"}, "no charges of 'angel'"),
    ],
)
def test_knobs_that_describe_no_venue(knobs: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        behaving(**knobs)


# --- what holds for every market and behaviour ------------------------------------------------------------------------

BANDS = Bands(Decimal(90), Decimal(110))
CHANCES = st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1)])
STARTING_SHARES = 60
BEHAVIOURS = st.builds(
    Behaviour,
    seed=st.integers(0, 9),
    spread=st.sampled_from([Decimal(0), Decimal("0.004")]),
    impact=st.sampled_from([Decimal(0), Decimal("0.05")]),
    volume_part=st.sampled_from([None, Decimal("0.3")]),
    partial_chance=CHANCES,
    bands=st.booleans(),
    rejection_chance=st.sampled_from([Decimal(0), Decimal("0.2")]),
    acceptance_seconds=st.sampled_from([0, 400]),
    settles=st.booleans(),
    tariff=st.sampled_from([None, "zerodha", "fyers"]),
)
PRICES = st.lists(st.tuples(st.integers(1600, 2400), st.integers(0, 90)), min_size=8, max_size=30)
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "sell", "wait", "change", "cancel", "tomorrow"]),
        st.integers(1, 120),
        st.sampled_from([None, 1900, 1990, 2050, 2190]),
        st.sampled_from([None, None, 1980, 2020]),
    ),
    min_size=1,
    max_size=14,
)


def market(prices: list[tuple[int, int]]) -> WrittenPrices:
    """The same prices, one each three minutes, on each day of a week."""
    days = [DAY + timedelta(days=number) for number in range(5)]
    written = [
        Price(at("09:15", day) + timedelta(minutes=3 * place), ticks * TICK, volume)
        for day in days
        for place, (ticks, volume) in enumerate(prices)
    ]
    return WrittenPrices({"SBIN": written}, bands=BANDS)


class Trader:
    """Starts with 60 shares, carries actions out, and checks after each what must hold."""

    def __init__(self, source: WrittenPrices, behaviour: Behaviour) -> None:
        old = Lot("INE062A01020", STARTING_SHARES, Decimal(100), DAY - timedelta(days=9), DAY - timedelta(days=7))
        state = State(at("09:20"), Decimal(100_000), lots={"SBIN": [old]})
        self.broker: Any = simulated(source, behaviour=behaviour, state=state)
        self.filled: dict[str, Any] = {}

    def act(self, action: str, quantity: int, limit: int | None, trigger: int | None) -> None:
        broker = self.broker
        terms = order(
            Side.SELL if action == "sell" else Side.BUY,
            quantity,
            None if limit is None else str(limit * TICK),
            None if trigger is None else str(trigger * TICK),
        )
        newest = broker.state.orders[-1].order_id if broker.state.orders else "0"
        try:
            if action in ("buy", "sell"):
                broker.place(terms)
            elif action == "change":
                broker.modify(newest, terms)
            elif action == "cancel":
                broker.cancel(newest)
        except Rejected:
            pass
        if action == "tomorrow":
            self.end_day()
        else:
            broker.clock.now += timedelta(seconds=200)
            broker.profile()
        self.check()

    def end_day(self) -> None:
        """Look at the day's fills before the book forgets them."""
        day = self.broker.clock.now.date()
        move(self.broker, "16:00", day)
        self.check()
        move(self.broker, "09:00", day + timedelta(days=1))

    def check(self) -> None:
        state, behaviour = self.broker.state, self.broker.client.venue.behaviour
        self.filled |= {fill.trade_id: fill for fill in state.executions}
        for booked in state.orders:
            assert 0 <= booked.newest.filled_quantity <= booked.newest.quantity
            mine = [fill for fill in state.executions if fill.order_id == booked.order_id]
            for fill in mine:
                assert fill.at > booked.placed_at + timedelta(seconds=behaviour.acceptance_seconds)
                version = booked.as_of(fill.at)
                assert version is not None
                limit = version.worst_price
                assert fill.price <= limit if fill.side == Side.BUY else fill.price >= limit
        for fill in self.filled.values():
            assert not behaviour.bands or BANDS.lower <= fill.price <= BANDS.upper
            assert fill.price % TICK == 0
        self.check_conservation(state)

    def check_conservation(self, state: State) -> None:
        bought = [fill for fill in self.filled.values() if fill.side == Side.BUY]
        sold = [fill for fill in self.filled.values() if fill.side == Side.SELL]
        owned = sum(lot.quantity for lots in state.lots.values() for lot in lots)
        assert owned == STARTING_SHARES + sum(fill.quantity for fill in bought) - sum(fill.quantity for fill in sold)
        value = sum(fill.quantity * fill.price for fill in bought) - sum(fill.quantity * fill.price for fill in sold)
        assert state.cash == 100_000 - value - state.charges
        if not sold:
            assert self.broker.client.venue.available() >= 0

    def check_charges(self) -> None:
        """Of each day that has ended, those of its fills as one note."""
        behaviour, charges = self.broker.client.venue.behaviour, Decimal(0)
        if behaviour.tariff is None:
            return
        for day in {fill.at.date() for fill in self.filled.values()}:
            rows = [fill for fill in self.filled.values() if fill.at.date() == day]
            note = note_charges(
                behaviour.tariff, day, [Fill(f.order_id, f.symbol, f.side, f.quantity, f.price) for f in rows]
            )
            charges += note.total + note.dp
        assert self.broker.state.charges == charges


@given(prices=PRICES, behaviour=BEHAVIOURS, actions=ACTIONS)
def test_what_always_holds(prices, behaviour: Behaviour, actions):
    trader = Trader(market(prices), behaviour)
    for action in actions:
        trader.act(*action)
    trader.end_day()
    trader.check_charges()


@given(prices=PRICES, behaviour=BEHAVIOURS, actions=ACTIONS)
def test_what_has_not_arrived_is_not_sold(prices, behaviour: Behaviour, actions):
    source = market(prices)
    trader = Trader(source, replace(behaviour, settles=True))
    for action in actions:
        trader.act(*action)
    for sale in (fill for fill in trader.filled.values() if fill.side == Side.SELL):
        earlier = [fill for fill in trader.filled.values() if fill.at < sale.at]
        arrived = STARTING_SHARES + sum(
            fill.quantity
            for fill in earlier
            if fill.side == Side.BUY and source.next_session(fill.at.date()) < sale.at.date()
        )
        gone = sum(fill.quantity for fill in earlier if fill.side == Side.SELL)
        assert sale.quantity <= arrived - gone


@given(
    prices=PRICES, behaviour=BEHAVIOURS, quantities=st.lists(st.integers(1, 300), max_size=4), later=st.integers(1, 9)
)
def test_later_prices_change_no_earlier_fill(prices, behaviour: Behaviour, quantities: list[int], later: int):
    changed = [*prices[:4], *((ticks * later, volume) for ticks, volume in prices[4:])]
    seen_until_0926 = []
    for each in (prices, changed):
        broker = simulated(market(each), now="09:14", behaviour=behaviour)
        for quantity in quantities:
            broker.place(order(quantity=quantity, price="100"))
        move(broker, "09:26")
        seen_until_0926.append((broker.state.snapshot(), broker.quotes(["SBIN"])))
    assert seen_until_0926[0] == seen_until_0926[1]
