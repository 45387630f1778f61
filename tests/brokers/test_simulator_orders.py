"""Many orders by seed, twice: the same fills to the paisa, and the charges of `brokers/charges.py`."""

import os
import random
import subprocess
import sys
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from hashlib import sha256

import pytest

from brokers.charges import Fill, Side, note_charges
from brokers.protocol import BrokerError, OrderRequest, OrderType
from brokers.registry import open_simulator
from brokers.simulator.behaviour import Behaviour
from brokers.simulator.state import State
from brokers.simulator.synthetic import SyntheticPrices
from tests.architecture.sources import ROOT
from tests.brokers.simulated import Clock, at

ORDERS_A_DAY = 50
MARKET = SyntheticPrices()
BEHAVIOUR = Behaviour(
    partial_chance=Decimal("0.2"),
    rejection_chance=Decimal("0.02"),
    late_answer_chance=Decimal("0.02"),
    acceptance_seconds=2,
    book_lag_seconds=30,
)


def fills_and_charges(seed: int, orders: int, *, restoring: bool = False) -> tuple[str, int, Decimal, Decimal]:
    """Hash and number of the fills, the account's charges, and those of each day's fills as one note."""
    chance = random.Random(seed)
    clock = Clock(at("09:16", date(2026, 6, 1)))
    state = State(clock.now, Decimal(500_000_000))
    lines, noted = [], Decimal(0)
    for first in range(0, orders, ORDERS_A_DAY):
        if restoring:
            state = State.restored(state.snapshot())
        broker = open_simulator(clock, MARKET, state=state, behaviour=Behaviour(**vars(BEHAVIOUR) | {"seed": seed}))
        for number in range(first, min(orders, first + ORDERS_A_DAY)):
            with suppress(BrokerError):
                broker.place(random_order(chance, number, broker.state))
            clock.now += timedelta(seconds=chance.randint(1, 800))
        clock.now = at("15:31", clock.now.date())
        with suppress(BrokerError):
            broker.profile()
        fills = state.executions
        lines += [f"{fill.at} {fill.order_id} {fill.side} {fill.symbol} {fill.quantity} {fill.price}" for fill in fills]
        if fills:
            day = clock.now.date()
            note = note_charges(
                "simulator", day, [Fill(f.order_id, f.symbol, f.side, f.quantity, f.price) for f in fills]
            )
            noted += note.total + note.dp
        clock.now = at("09:16", MARKET.next_session(clock.now.date()))
    with suppress(BrokerError):
        broker.profile()
    return sha256("\n".join(lines).encode()).hexdigest(), len(lines), state.charges, noted


def random_order(chance: random.Random, number: int, state: State) -> OrderRequest:
    """A purchase, or a sale of what is there."""
    sellable = [symbol for symbol in state.lots if state.sellable(symbol) > 0]
    side = Side.SELL if sellable and chance.random() < 0.5 else Side.BUY
    symbol = chance.choice(sellable if side == Side.SELL else [row.symbol for row in MARKET.listings(state.now.date())])
    quantity = chance.randint(1, 400) if side == Side.BUY else chance.randint(1, state.sellable(symbol))
    close = MARKET.history(symbol, state.now.date() - timedelta(days=4), state.now.date() - timedelta(days=1))[-1].close
    limit = close + Decimal("0.05") * chance.randint(-200, 200) if chance.random() < 0.6 else None
    return OrderRequest(symbol, side, quantity, OrderType.LIMIT if limit else OrderType.MARKET, f"N{number}", limit)


def test_the_same_orders_give_the_same_fills_and_their_charges():
    digest, count, charged, noted = fills_and_charges(1, 200)
    assert count > 100
    assert charged == noted > 0
    assert fills_and_charges(1, 200, restoring=True) == (digest, count, charged, noted)


def test_chance_goes_by_the_seed():
    draws = [Behaviour(seed=seed).draw("partial", "1001") for seed in range(100)]
    assert draws == [Behaviour(seed=seed).draw("partial", "1001") for seed in range(100)]
    assert len(set(draws)) == 100
    assert all(0 <= draw < 1 for draw in draws)
    assert Decimal("0.3") < sum(draws) / 100 < Decimal("0.7")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_ten_thousand_orders_in_two_processes():
    script = "from tests.brokers.test_simulator_orders import fills_and_charges; print(*fills_and_charges(7, 10_000))"
    results = []
    for hash_seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        results.append(done.stdout.split())
    assert results[0] == results[1]
    _, count, charged, noted = results[0]
    print(f"{count} fills of 10,000 orders, {charged} of charges")  # noqa: T201  # for docs/measured.md
    assert charged == noted
    assert int(count) > 10_000
