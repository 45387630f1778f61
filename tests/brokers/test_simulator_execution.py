"""A simulated venue whose owner says what an order gets."""

from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.charges import Side
from brokers.prices import Price
from brokers.protocol import Funds, Rejected
from brokers.simulator.behaviour import FRICTIONLESS
from tests.brokers.simulated import fills, move, order, sbin, simulated


def dearer_by_the_share(symbol: str, side: Side, quantity: int, price: Price) -> Decimal | None:
    """A paisa more, or less, for each share; nobody sells SBIN at 102."""
    if side == Side.BUY and price.price == 102:
        return None
    return price.price + Decimal(quantity if side == Side.BUY else -quantity) / 100


def test_an_execution_says_what_a_quantity_gets_and_when_nobody_is_there():
    broker = simulated(
        sbin(("09:15", "100", 0), ("09:21", "102", 0), ("09:22", "101", 0)),
        behaviour=replace(FRICTIONLESS, execution=dearer_by_the_share),
    )
    broker.place(order(quantity=10))
    move(broker, "09:30")
    assert fills(broker) == [("09:22", 10, "101.1")]


def test_an_execution_fills_what_a_limit_allows():
    broker = simulated(sbin(("09:21", "100", 0)), behaviour=replace(FRICTIONLESS, execution=dearer_by_the_share))
    broker.place(order(quantity=10, price="100.05"))
    move(broker, "09:30")
    assert fills(broker) == [("09:21", 5, "100.05")]


def test_with_an_execution_an_order_without_a_limit_blocks_what_it_would_cost_now():
    # 10 shares at 100.10 are 1001; with its protection of 5 % such an order would need 1050.
    broker = simulated(
        sbin(("09:15", "100", 0)), cash="1001", behaviour=replace(FRICTIONLESS, execution=dearer_by_the_share)
    )
    broker.place(order(quantity=10))
    assert broker.funds() == Funds(Decimal(0), Decimal(1001))
    with pytest.raises(Rejected, match="are free"):
        broker.place(order(quantity=1, tag="T2"))
