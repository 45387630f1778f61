"""Small markets of a few sessions, written out bar by bar."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from portfolio.backtest.panel import Panel
from portfolio.backtest.parameters import Parameters
from portfolio.backtest.simulation import Simulation, simulate

START = date(2025, 1, 6)


class Day(NamedTuple):
    """A bar that moves during the day unless high and low are both its open; `factor` is adjusted over own close."""

    open: float
    close: float | None = None
    high: float | None = None
    low: float | None = None
    factor: float = 1.0
    lakh: float = 5000.0


Prices = Mapping[str, Sequence[float | Day | None]]


def one_price(price: float) -> Day:
    return Day(price, price, price, price)


def weekdays(count: int, start: date = START) -> list[date]:
    return [day.date() for day in pd.bdate_range(start, periods=count)]


def bars_frame(prices: Prices, start: date = START) -> pd.DataFrame:
    """One bar a symbol and session; a number is a bar that opens and closes there, None is none."""
    rows = []
    for symbol, series in prices.items():
        for session, item in zip(weekdays(len(series), start), series, strict=True):
            if item is None:
                continue
            day = item if isinstance(item, Day) else Day(float(item))
            close = day.close or day.open
            high, low = day.high or max(day.open, close) + 1, day.low or min(day.open, close) / 2
            rows.append((symbol, session, day.open, high, low, close, close * day.factor, day.lakh))
    columns = ["symbol", "date", "open", "high", "low", "close", "adj_close", "turnover_lakh"]
    return pd.DataFrame(rows, columns=columns).astype({"date": "datetime64[ns]"})


def panel(prices: Prices, start: date = START) -> Panel:
    return Panel(bars_frame(prices, start), weekdays(len(next(iter(prices.values()))), start))


def lists(days: Sequence[date], **places: str) -> dict[date, list[tuple[str, int]]]:
    """Lists by the session's number: ``d0="A B"`` has A at place 1 and B at place 2 on the first session."""
    return {
        days[int(name[1:])]: [(symbol, place) for place, symbol in enumerate(text.split(), start=1)]
        for name, text in places.items()
    }


def terms(market: Panel, capital: str = "1000", **changed: Any) -> Parameters:
    """One holding of whole shares, a decision a session, no charges, no impact, proceeds usable at once."""
    plain: dict[str, Any] = {
        "holdings": 1,
        "keep": 1,
        "every": 1,
        "settlement": "ideal",
        "charges": False,
        "impact": False,
        "first": market.sessions[0],
        "last": market.sessions[-1],
    }
    return Parameters("model", capital=Decimal(capital), **{**plain, **changed})


def simulated(prices: Prices, start: date = START, capital: str = "1000", **given: Any) -> Simulation:
    """Trade a small market: arguments d0, d1 … are lists, the others terms."""
    market = panel(prices, start)
    places = {name: given.pop(name) for name in list(given) if name[0] == "d" and name[1:].isdigit()}
    sectors = given.pop("sectors", None)
    chosen = terms(market, capital, **given)
    return simulate(market, lists(market.sessions, **places), chosen, lambda done, total: None, sectors)


def orders(result: Simulation) -> list[str]:
    """The trades as ``session number, side, quantity symbol @ price``."""
    number = {day: index for index, day in enumerate(result.sessions)}
    return [
        f"{number[trade.session]} {trade.side} {trade.quantity.normalize():f} {trade.symbol} @ {trade.price}"
        for trade in result.trades
    ]


def random_market(
    seed: int, symbols: int, sessions: int, gaps: float = 0.0, start: date = START
) -> tuple[pd.DataFrame, list[date], dict[date, list[tuple[str, int]]]]:
    """Bars of a random walk, their sessions, and a list of all symbols in random order for each session."""
    random = np.random.default_rng(seed)
    days = weekdays(sessions, start)
    names = [f"S{number:03}" for number in range(symbols)]
    steps = random.normal(0.0005, 0.02, size=(sessions, symbols))
    close = np.round(100 * np.exp(np.cumsum(steps, axis=0)), 2)
    opening = np.round(close * np.exp(random.normal(0, 0.01, size=close.shape)), 2)
    frame = pd.DataFrame(
        {
            "symbol": np.tile(names, sessions),
            "date": np.repeat(pd.DatetimeIndex(pd.to_datetime(days)), symbols),
            "open": opening.ravel(),
            "high": np.maximum(opening, close).ravel() + 1,
            "low": np.minimum(opening, close).ravel() - 1,
            "close": close.ravel(),
            "adj_close": close.ravel(),
            "turnover_lakh": random.uniform(500, 3000, size=close.size),
        }
    )
    frame = frame.loc[random.uniform(size=len(frame)) >= gaps].reset_index(drop=True)
    return frame, days, random_lists(seed, days, symbols)


def random_lists(seed: int, days: Sequence[date], symbols: int) -> dict[date, list[tuple[str, int]]]:
    """All symbols of a random market in random order, anew on each session."""
    random = np.random.default_rng(seed)
    return {day: [(f"S{n:03}", place) for place, n in enumerate(random.permutation(symbols), 1)] for day in days}
