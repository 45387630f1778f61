"""The simulation and a plain second one agree to the paisa on markets with all that goes wrong on real ones."""

import random
from collections import Counter
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from portfolio.backtest.panel import Panel
from portfolio.backtest.parameters import Parameters
from portfolio.backtest.simulation import Simulation, simulate
from tests.portfolio.backtest.markets import Day, bars_frame, one_price, orders, panel, simulated, weekdays
from tests.portfolio.backtest.plain_simulation import PlainAccount, PlainBar

Lists = dict[date, list[tuple[str, int]]]

FACTORS = (0.5, 0.2, 1 / 3, 2 / 5, 2.0, 10.0, 0.37422440537745605)
# Band edges, and both sides of the move from which a share is locked.
LOCKED_STEPS = (0.95, 1.05, 0.9805, 1.0195, 0.981, 1.019, 1.0)
# Settlement differs before and since 2024-10-07.
STARTS = (date(2024, 9, 9), date(2024, 9, 26), date(2025, 3, 3))
RUPEES = Decimal("0.000001")


def random_bars(rng: random.Random, sessions: int) -> list[Day | None]:
    """A share that is listed late, ends early, has gaps, locked days and factors; each as chance has it."""
    first, last = rng.choice((0, 0, sessions // 3)), rng.choice((sessions, sessions, rng.randrange(sessions)))
    gaps, lakh = rng.choice((0, 0.05, 0.3)), rng.choice((0.5, 20, 900, 40_000))
    steps = {rng.randrange(sessions): rng.choice(FACTORS) for _ in range(rng.choice((0, 0, 1, 2)))}
    price, factor, bars = rng.choice((3.0, 40.0, 250.0, 9000.0)), 1.0, list[Day | None]()
    for number in range(sessions):
        price, factor = price * steps.get(number, 1.0), factor * steps.get(number, 1.0)
        if not first <= number <= last or rng.random() < gaps:
            bars.append(None)
        elif rng.random() < 0.15:
            price = round(price * rng.choice(LOCKED_STEPS), 2)
            bars.append(one_price(price)._replace(factor=1 / factor, lakh=lakh))
        else:
            opening = round(price * rng.gauss(1, 0.01), 2)
            price = round(opening * rng.gauss(1, 0.02), 2)
            bars.append(Day(opening, price, factor=1 / factor, lakh=round(lakh * rng.uniform(0.7, 1.3), 2)))
    return bars


def random_lists(rng: random.Random, frame: pd.DataFrame) -> Lists:
    """Of nine sessions in ten, some of the shares that have traded, in any order."""
    first = frame.groupby("symbol")["date"].min()
    lists: Lists = {}
    for day in sorted(frame["date"].unique()):
        listed = [str(symbol) for symbol in first.index[first <= day] if rng.random() < 0.85]
        rng.shuffle(listed)
        if listed and rng.random() < 0.9:
            lists[pd.Timestamp(day).date()] = [(symbol, place) for place, symbol in enumerate(listed, start=1)]
    return lists


def random_terms(rng: random.Random, first: date, last: date) -> Parameters:
    holdings, fractional = rng.randint(1, 5), rng.random() < 0.25
    return Parameters(
        "model",
        first,
        last,
        Decimal(rng.choice((10_000, 200_000, 1_000_000))),
        holdings=holdings,
        keep=holdings + rng.randint(0, 4),
        every=rng.choice((1, 1, 2, 5)),
        reweigh=rng.choice(("none", "equal")),
        settlement=rng.choice(("real", "real", "ideal")),
        broker=rng.choice(("zerodha", "fyers")),
        charges=not fractional and rng.random() < 0.8,
        fractional=fractional,
        impact=rng.random() < 0.5,
    )


def both(seed: int) -> tuple[Simulation, PlainAccount]:
    rng = random.Random(seed)
    start, count = rng.choice(STARTS), rng.randint(12, 45)
    frame = bars_frame({f"S{number}": random_bars(rng, count) for number in range(rng.randint(2, 8))}, start)
    days = weekdays(count, start)
    terms = random_terms(rng, days[rng.choice((0, 3, count // 2))], days[-1])
    lists = random_lists(rng, frame)
    plain = PlainAccount(plain_bars(frame), days, lists, terms)
    plain.run()
    return simulate(Panel(frame, days), lists, terms, lambda done, total: None), plain


def plain_bars(frame: pd.DataFrame) -> dict[str, dict[date, PlainBar]]:
    bars: dict[str, dict[date, PlainBar]] = {}
    for row in frame.to_dict("records"):
        opening, high, low, close, adj_close, lakh = (
            Decimal(repr(row[name])) for name in ("open", "high", "low", "close", "adj_close", "turnover_lakh")
        )
        bar = PlainBar(opening, high, low, close, adj_close, lakh * 100_000)
        bars.setdefault(row["symbol"], {})[row["date"].date()] = bar
    return bars


def assert_same(result: Simulation, plain: PlainAccount) -> None:
    within = RUPEES if plain.terms.fractional else Decimal(0)
    orders = [(each.session, each.symbol, each.side, each.price) for each in result.trades]
    assert orders == [(each.session, each.symbol, each.side, each.price) for each in plain.trades]
    for trade, other in zip(result.trades, plain.trades, strict=True):
        assert abs(trade.quantity - other.quantity) <= within, (trade, other)
    for day, value, other_value in zip(result.sessions, result.equity, plain.equity, strict=True):
        assert abs(value - other_value) <= within, day
    assert abs(result.usable_cash - plain.usable) <= within


def test_two_simulations_agree_on_random_markets() -> None:
    traded: Counter[str] = Counter()
    for seed in range(20):
        result, plain = both(seed)
        assert_same(result, plain)
        traded.update(trade.side for trade in plain.trades)
    assert min(traded["buy"], traded["sell"]) > 50


@pytest.mark.long
def test_two_simulations_agree_on_many_random_markets() -> None:
    for seed in range(1000, 1500):
        assert_same(*both(seed))


def test_what_a_division_leaves_over_is_not_bought() -> None:
    """A purchase of less than any coin would delay the whole proceeds of the next sale."""
    prices = {symbol: [7.0, 7.0, 7.7, 8.1] for symbol in "ABC"}
    frame, days = bars_frame(prices), weekdays(4)
    frame["open"] = np.where(frame["symbol"] == "B", frame["open"] * 3, frame["open"])
    terms = Parameters(
        "model", days[0], days[-1], Decimal(10_000), 3, 3, 1, "equal", charges=False, fractional=True, impact=False
    )
    lists = {day: [("A", 1), ("B", 2), ("C", 3)] for day in days}
    result = simulate(Panel(frame, days), lists, terms, lambda done, total: None)
    assert all(trade.value > Decimal("0.01") for trade in result.trades)


def test_charges_beyond_the_usable_cash_are_taken_from_what_is_not_usable_yet() -> None:
    """The share was bought on the session before it is sold, so the session's whole proceeds wait."""
    prices = dict.fromkeys("AB", [100.0] * 3)
    result = simulated(prices, capital="1015", d0="A", d1="B", settlement="real", charges=True)
    assert orders(result) == ["1 buy 10 A @ 100.0", "2 sell 10 A @ 100.0"]
    assert result.usable_cash == 0
    assert result.cash[-1] == 1015 - result.charges["total"] - result.charges["dp"]


def test_the_median_of_two_middle_turnovers_is_exact() -> None:
    """The mean of both doubles is 11.059999999999999 lakh, of which 5 % buy 631 shares at ₹87.50 instead of 632."""
    market = panel({"A": [Day(87.5, lakh=10.0), Day(87.5, lakh=12.12), Day(87.5)]})
    assert market.median_turnover("A", 2) == 1_106_000
