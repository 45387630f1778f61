"""Charges: worked examples from the published rates, each line and rounding, and properties of every note."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.charges import (
    BROKERS,
    FIRST_DAY,
    ChargesError,
    Fill,
    Kind,
    Product,
    Side,
    note_charges,
    order_charges,
)

DAY = date(2026, 4, 30)
LINES = ("brokerage", "stt", "exchange", "ipft", "sebi", "stamp_duty", "gst", "dp")


def fill(side="buy", quantity=100, price="200", product="cnc", kind="share", order="1", symbol="ACME"):
    return Fill(order, symbol, Side(side), quantity, Decimal(price), Product(product), Kind(kind))


def lines(charges):
    return {name: str(getattr(charges, name)) for name in LINES} | {"total": str(charges.total)}


@pytest.mark.parametrize(
    ("broker", "day", "order", "expected"),
    [
        # 20,000: STT 0.1 % = 20; exchange 0.594; IPFT and SEBI 0.02 each; stamp 3; GST 18 % of 0.634 = 0.11412.
        ("zerodha", DAY, fill(), ("0", "20", "0.59", "0.02", "0.02", "3.00", "0.11", "0", "23.74")),
        # The sale: no stamp duty; DP 13 + 18 % = 15.34.
        ("zerodha", DAY, fill("sell"), ("0", "20", "0.59", "0.02", "0.02", "0.00", "0.11", "15.34", "20.74")),
        # Fyers: min(20, 0.3 % of 20,000 = 60) = 20; GST 18 % of 20.594 = 3.70692; DP 12.50 + 18 % = 14.75.
        ("fyers", DAY, fill("sell"), ("20.00", "20", "0.59", "0.02", "0.02", "0.00", "3.71", "14.75", "44.34")),
        # Before October 2024: delivery free, exchange 0.00322 % = 0.644, GST of the exchange alone 0.11592.
        (
            "fyers",
            date(2024, 9, 30),
            fill("sell"),
            ("0", "20", "0.64", "0.02", "0.02", "0.00", "0.12", "14.75", "20.80"),
        ),
        (
            "fyers",
            date(2024, 10, 1),
            fill("sell"),
            ("20.00", "20", "0.59", "0.02", "0.02", "0.00", "3.71", "4.13", "44.34"),
        ),
        # Intraday: brokerage 0.03 % of 20,000 = 6; STT 0.025 % of the sale = 5; stamp 0.003 % of the purchase = 0.60.
        (
            "zerodha",
            DAY,
            fill("sell", product="mis"),
            ("6.00", "5", "0.59", "0.02", "0.02", "0.00", "1.19", "0", "12.82"),
        ),
        ("zerodha", DAY, fill(product="mis"), ("6.00", "0", "0.59", "0.02", "0.02", "0.60", "1.19", "0", "8.42")),
        # 12,500 at 0.1 % is 12.50: half a rupee goes up.
        ("zerodha", DAY, fill(price="125"), ("0", "13", "0.37", "0.01", "0.01", "1.88", "0.07", "0", "15.34")),
        # Funds: 0.001 % of the sale of an equity fund = 0.20, nothing of a gold fund.
        (
            "zerodha",
            DAY,
            fill("sell", kind="equity_fund", quantity=10_000),
            ("0", "20", "59.40", "2.00", "2.00", "0.00", "11.41", "15.34", "94.81"),
        ),
        (
            "zerodha",
            DAY,
            fill("sell", kind="other_fund"),
            ("0", "0", "0.59", "0.02", "0.02", "0.00", "0.11", "15.34", "0.74"),
        ),
        # 2023-03-31: exchange 0.00345 % = 0.69, IPFT ₹0.01 a crore; DP 13.50 + 18 % = 15.93; simulator as Zerodha.
        (
            "simulator",
            date(2023, 3, 31),
            fill("sell"),
            ("0", "20", "0.69", "0.00", "0.02", "0.00", "0.13", "15.93", "20.84"),
        ),
    ],
)
def test_each_line_of_an_order(broker, day, order, expected):
    computed = lines(order_charges(broker, day, order))
    wanted = dict(zip((*LINES, "total"), expected, strict=True))
    assert {name: Decimal(value) for name, value in computed.items()} == {
        name: Decimal(value) for name, value in wanted.items()
    }


def test_a_round_trip_costs_what_the_price_lists_say():
    """₹20,000 in delivery: about 0.30 % at Zerodha and 0.53 % at Fyers; 0.2225 % without brokerage and DP."""
    costs = {}
    for broker in ("zerodha", "fyers"):
        sides = [order_charges(broker, DAY, fill(side)) for side in ("buy", "sell")]
        costs[broker] = sum(charges.total + charges.dp for charges in sides) / 20_000
    assert float(costs["zerodha"]) == pytest.approx(0.0030, abs=5e-5)
    assert float(costs["fyers"]) == pytest.approx(0.0053, abs=5e-4)
    big = [order_charges("zerodha", DAY, fill(side, quantity=1_000_000)) for side in ("buy", "sell")]
    assert float(sum(charges.total for charges in big) / 200_000_000) == pytest.approx(0.002225, abs=2e-6)


def test_what_is_bought_and_sold_on_one_day_is_intraday_for_the_taxes():
    """Bought 100 at 200 and 50 at 210, sold 120 at 220: 120 matched, 30 delivered.

    STT: 0.025 % of 120 and 0.1 % of 30 at the average of all trades, 56,900 / 270; stamp duty on the average purchase,
    30,500 / 150: 0.003 % of 120 and 0.015 % of 30.
    """
    trades = [
        fill(order="1"),
        fill(quantity=50, price="210", order="2"),
        fill("sell", quantity=120, price="220", order="3", product="mis"),
    ]
    note = note_charges("zerodha", DAY, trades)
    assert note.turnover == 56_900
    assert note.stt == 13  # 12.6444…
    assert note.stamp_duty == Decimal("1.65")  # 1.647
    assert note.brokerage == Decimal("7.92")  # 0.03 % of the intraday order
    assert note.dp == 0


def test_brokerage_is_rounded_per_order_and_its_fills_count_together():
    parts = [fill(quantity=1, price="100", product="mis", order="1") for _ in range(3)]
    assert note_charges("zerodha", DAY, parts).brokerage == Decimal("0.09")
    apart = [replace(part, order=str(number), price=Decimal(117)) for number, part in enumerate(parts)]
    assert note_charges("zerodha", DAY, apart).brokerage == Decimal("0.12")  # 0.0351 is 0.04, three times


def test_a_dp_charge_per_sell_order():
    sales = [fill("sell", order=str(number)) for number in range(3)]
    assert note_charges("fyers", date(2025, 1, 1), sales).dp == 3 * Decimal("4.13")
    assert note_charges("fyers", DAY, sales).dp == Decimal("14.75")
    assert note_charges("zerodha", DAY, [*sales, fill(quantity=300, order="9")]).dp == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"broker": "robinhood"}, "no charges of 'robinhood'; choose one of zerodha, fyers, simulator"),
        ({"day": date(2020, 12, 31)}, "2020-12-31 lies before 2021-01-01"),
        ({"quantity": 0}, "quantity 0"),
        ({"quantity": -5}, "quantity -5"),
        ({"price": "0"}, "price 0"),
        ({"price": "-1"}, "price -1"),
        ({"price": "NaN"}, "price NaN"),
        ({"price": "Infinity"}, "price Infinity"),
    ],
)
@pytest.mark.parametrize("product", ["cnc", "mis"])
def test_bad_input_names_its_value(change, sentence, product):
    given_order = {"broker": "zerodha", "day": DAY} | change
    broker, day = given_order.pop("broker"), given_order.pop("day")
    with pytest.raises(ChargesError, match=sentence):
        order_charges(broker, day, fill(product=product, **given_order))


def test_a_note_contradicting_itself_is_refused():
    with pytest.raises(ChargesError, match="ACME is both share and other_fund"):
        note_charges("zerodha", DAY, [fill(), fill(kind="other_fund")])
    with pytest.raises(ChargesError, match="Order 1 is both cnc and mis"):
        note_charges("zerodha", DAY, [fill(), fill(product="mis", symbol="B")])
    with pytest.raises(ChargesError, match="nothing to charge"):
        note_charges("zerodha", DAY, [])


DAYS = st.dates(FIRST_DAY, FIRST_DAY + timedelta(days=3000))
PRICES = st.decimals(Decimal("0.05"), Decimal(100_000), places=2)
FILLS = st.builds(
    fill,
    side=st.sampled_from([*Side]),
    quantity=st.integers(1, 100_000),
    price=PRICES,
    symbol=st.sampled_from("AB"),
    order=st.just("1"),
)


@given(st.sampled_from(BROKERS), DAYS, st.lists(FILLS, min_size=1, max_size=6))
def test_the_total_is_the_sum_of_lines_that_are_never_negative(broker, day, trades):
    trades = [replace(trade, order=str(number)) for number, trade in enumerate(trades)]
    note = note_charges(broker, day, trades)
    rounded = [getattr(note, name) for name in LINES[:-1]]
    assert note.total == sum(rounded)
    assert all(amount >= 0 and amount == amount.quantize(Decimal("0.01")) for amount in (*rounded, note.dp))
    assert note == note_charges(broker, day, trades[::-1])


@given(st.sampled_from(BROKERS), DAYS, FILLS, st.integers(1, 100_000), st.sampled_from([*Product]))
def test_more_shares_never_cost_less(broker, day, order, more, product):
    order = replace(order, product=product)
    larger = replace(order, quantity=order.quantity + more)
    assert order_charges(broker, day, larger).total >= order_charges(broker, day, order).total
