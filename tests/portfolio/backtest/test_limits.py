"""Limits of an account in a backtest: each purchase by its arithmetic, and no sale ever stopped."""

from typing import Any

import pytest

from portfolio.backtest.parameters import BacktestError, parameters
from portfolio.backtest.simulation import Simulation
from portfolio.orders.limit_values import limits_from
from tests.portfolio.backtest.markets import Day, Prices, orders, simulated

FLAT: Prices = {symbol: [10.0] * 4 for symbol in "ABCD"}
TWO: dict[str, Any] = {"holdings": 2, "keep": 2}


def refused(result: Simulation) -> list[tuple[int, str, tuple[str, ...]]]:
    number = {day: index for index, day in enumerate(result.sessions)}
    return [(number[row.session], row.symbol, row.checks) for row in result.refused]


def within(prices: Prices, limits: dict[str, Any], **given: Any) -> Simulation:
    return simulated(prices, limits=limits_from(limits), **given)


@pytest.mark.parametrize(
    ("limits", "given", "expected"),
    [
        # 100 shares at 10 come to 1000.
        ({"order_value": "1000"}, {"d0": "A"}, []),
        ({"order_value": "999.9999"}, {"d0": "A"}, [(1, "A", ("order_value",))]),
        # Of 1000 each of two holdings gets 500, a half.
        ({"position_share": "0.5"}, {"d0": "A B"} | TWO, []),
        (
            {"position_share": "0.4999"},
            {"d0": "A B"} | TWO,
            [(1, "A", ("position_share",)), (1, "B", ("position_share",))],
        ),
        # A and B, both of Power, would be all of it; with C of Banks it is a half.
        ({"sector_share": "0.6"}, {"d0": "A B"} | TWO, [(1, "B", ("sector_share",))]),
        ({"sector_share": "0.6"}, {"d0": "A C"} | TWO, []),
        # Without a sector nobody can tell.
        ({"sector_share": "0.6"}, {"d0": "A D"} | TWO, [(1, "D", ("sector_share",))]),
        ({"orders_a_day": 1}, {"d0": "A B"} | TWO, [(1, "B", ("orders_a_day",))]),
        ({"orders_a_day": 2}, {"d0": "A B"} | TWO, []),
        # Two sales are two orders of their session.
        (
            {"orders_a_day": 2},
            {"d0": "A B", "d1": "C D"} | TWO,
            [(2, "C", ("orders_a_day",)), (2, "D", ("orders_a_day",))],
        ),
    ],
)
def test_purchases_within_and_above_a_limit(limits, given, expected):
    result = within(FLAT, limits, sectors={"A": "Power", "B": "power", "C": "Banks"}, **given)
    assert refused(result) == expected


def test_a_loss_of_the_day_stops_purchases_and_no_sale():
    # 100 A, bought at 10, open at 9 the session after: 100 of 1000 are lost when B would be bought.
    prices: Prices = {"A": [10, 10, Day(9, 9), 9], "B": [9.0] * 4}
    lost = within(prices, {"daily_loss": "100"}, d0="A", d1="B")
    assert (orders(lost), refused(lost)) == (["1 buy 100 A @ 10.0", "2 sell 100 A @ 9.0"], [(2, "B", ("daily_loss",))])
    assert refused(within(prices, {"daily_loss": "100.0001"}, d0="A", d1="B")) == []


def test_a_loss_of_yesterday_is_none_of_today():
    prices: Prices = {"A": [10, 10, Day(9, 9), 9, 9], "B": [9.0] * 5}
    assert refused(within(prices, {"daily_loss": "100"}, d0="A", d2="B")) == []


def test_charges_count_as_a_loss_of_the_day():
    # Without a move of any price only the charges of the sale, some ₹15, are lost.
    prices: Prices = {"A": [100.0] * 4, "B": [100.0] * 4}
    result = within(prices, {"daily_loss": "10"}, capital="100000", charges=True, settlement="real", d0="A", d1="B")
    assert refused(result) == [(2, "B", ("daily_loss",))]


def test_a_fall_from_the_highest_close_stops_purchases_until_it_is_made_good():
    # 1000 → 1500 at the close of session 1; at the opening of session 2 1200, 20 % below it.
    prices: Prices = {"A": [10, Day(10, 15), Day(12, 12), 12], "B": [10.0] * 4}
    fallen = within(prices, {"drawdown": "0.2"}, d0="A", d1="B")
    assert (orders(fallen)[1:], refused(fallen)) == (["2 sell 100 A @ 12.0"], [(2, "B", ("drawdown",))])
    assert refused(within(prices, {"drawdown": "0.2001"}, d0="A", d1="B")) == []


def test_a_share_without_a_bar_counts_at_its_last_close():
    # A closes at 4 and has no bar when B is to be bought: at 4 it counts, and nothing is lost that day.
    prices: Prices = {"A": [10, Day(10, 4), None, 4], "B": [10.0] * 4}
    result = within(prices, {"daily_loss": "1"}, d0="A", d1="A B", **TWO)
    assert refused(result) == []


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"order_value": "0"}, "order_value 0 is no number of at most 4 decimals above 0"),
        ({"order_value": "NaN"}, "order_value NaN is no number"),
        ({"position_share": "1.01"}, "up to 1; correct it"),
        ({"orders_a_day": "1.5"}, "orders_a_day 1.5 is no whole number"),
        ({"drawdown": "a lot"}, "'a lot' is no number"),
        ({"most": "1"}, "'most' is no limit of an account"),
    ],
)
def test_a_limit_that_is_none_is_refused_with_a_sentence(limits, words):
    span = {"strategy": "model", "first": "2025-01-06", "last": "2025-03-31", "capital": "1000"}
    with pytest.raises(BacktestError, match=words):
        parameters(span | {"limits": limits})


def test_terms_name_the_limits_that_are_set_alone():
    span = {"strategy": "model", "first": "2025-01-06", "last": "2025-03-31", "capital": "1000"}
    assert "limits" not in parameters(span | {"limits": {"drawdown": None}}).as_json()
    stored = parameters(span | {"limits": {"drawdown": "0.20", "orders_a_day": "5"}})
    assert stored.as_json()["limits"] == {"orders_a_day": 5, "drawdown": "0.20"}
    again = stored.as_json() | {"charges": True}
    assert parameters(again) == stored
