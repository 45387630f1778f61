"""A simulated account of 500 shares, three years and a decision a session, against a limit of processor time."""

import statistics
import time
from decimal import Decimal

from portfolio.backtest.panel import Panel
from portfolio.backtest.parameters import MOST_PLACES, Parameters
from portfolio.backtest.simulation import simulate
from tests.benchmarks.market import Market
from tests.benchmarks.measuring import Figure, in_seconds
from tests.benchmarks.place import Place
from tests.portfolio.backtest.markets import random_market

SHARES, SESSIONS = 500, 750
LIMIT_SECONDS = 20.0


def figures(place: Place, _: Market, rounds: int) -> list[Figure]:
    """Every rule at work: charges, impact, real settlement, all holdings brought to their slot on each session."""
    frame, days, lists = random_market(1, SHARES, SESSIONS, gaps=0.02)
    terms = Parameters(
        "model",
        days[0],
        days[-1],
        Decimal(50_000_000),
        holdings=MOST_PLACES,
        keep=MOST_PLACES,
        every=1,
        reweigh="equal",
    )
    times, orders = [], 0
    for number in range(rounds):
        place.say(f"simulation {number + 1} of {rounds}")
        begun = time.process_time()
        orders = len(simulate(Panel(frame, days), lists, terms, lambda done, total: None).trades)
        times.append(time.process_time() - begun)
    return [
        Figure(
            f"backtest, {SHARES} shares × {SESSIONS} sessions / {LIMIT_SECONDS:.0f} s",
            tuple(seconds / LIMIT_SECONDS for seconds in times),
            in_seconds(statistics.median(times)),
            f"{LIMIT_SECONDS:.0f} s",
            target=1.0,
            at_least=False,
            note=f"processor time of one core; a decision a session for {MOST_PLACES} holdings, {orders:,} orders.",
        )
    ]
