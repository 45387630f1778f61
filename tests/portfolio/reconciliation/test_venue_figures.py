"""Shares and cash as each broker counts them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.charges import Side
from brokers.protocol import Funds, Holding, Position
from brokers.simulator.behaviour import FRICTIONLESS
from brokers.simulator.state import Lot, State
from portfolio.reconciliation.venue_figures import cash_there, shares_owned
from tests.brokers.simulated import DAY, at, move, order, sbin, simulated


def held(quantity: int, t1: int, symbol: str = "SBIN", exchange: str = "NSE") -> Holding:
    return Holding("INE062A01020", symbol, exchange, quantity, t1, 0, Decimal(400))


def net(quantity: int, product: str = "cnc", symbol: str = "SBIN", exchange: str = "NSE") -> Position:
    return Position(symbol, exchange, product, quantity, Decimal(400))


@pytest.mark.parametrize(
    ("broker", "holdings", "positions", "owned"),
    [
        # 10 settled, 5 arrive tomorrow, 4 bought and 6 sold today
        ("zerodha", [held(10, 5)], [net(-2)], {"SBIN": 13}),
        ("fyers", [held(15, 5)], [net(-2)], {"SBIN": 13}),
        ("simulator", [held(10, 5)], [net(-2)], {"SBIN": 13}),
        # bought yesterday alone: Fyers' row of type T1 counts it in both fields
        ("zerodha", [held(0, 5)], [], {"SBIN": 5}),
        ("fyers", [held(5, 5)], [], {"SBIN": 5}),
        # all sold today; bought today alone; intraday is no holding
        ("zerodha", [held(10, 0)], [net(-10)], {}),
        ("zerodha", [], [net(4)], {"SBIN": 4}),
        ("zerodha", [], [net(4, "mis")], {}),
        # reported by the other exchange, under its name
        ("fyers", [held(10, 0, "SBIN-A", "BSE")], [net(-3, symbol="SBIN-A", exchange="BSE")], {"SBIN": 7}),
    ],
)
def test_shares_owned(broker, holdings, positions, owned):
    assert shares_owned(broker, holdings, positions, {"INE062A01020": "SBIN"}) == owned


def test_cash_is_what_is_free_and_what_is_used():
    assert cash_there(Funds(Decimal("58.15"), Decimal("0.30"))) == Decimal("58.45")
    assert cash_there(Funds(Decimal("58.15"), None)) is None


@pytest.mark.parametrize(("bought", "sold", "owned"), [(0, 10, {}), (0, 4, {"SBIN": 6}), (5, 10, {"SBIN": 5})])
def test_shares_that_were_sold_today_at_the_simulator_are_owned_no_more(bought, sold, owned):
    lots = {"SBIN": [Lot("INE062A01020", 10, Decimal(90), DAY - timedelta(days=9), DAY - timedelta(days=8))]}
    state = State(at("09:20"), Decimal(10000), lots=lots)
    broker = simulated(sbin(("09:30", "100", 1000)), state=state, behaviour=replace(FRICTIONLESS, settles=True))
    broker.place(order(Side.SELL, sold, "100"))
    if bought:
        broker.place(order(Side.BUY, bought, "100", tag="T2"))
    move(broker, "10:00")
    rows = broker.holdings().rows, broker.positions().rows
    assert shares_owned("simulator", *rows, {"INE062A01020": "SBIN"}) == owned
    assert [row.isin for row in rows[0]] == ["INE062A01020"]
