"""What became of a published list, from stored bars; pure.

Entry is the open of the session after the pick's. All prices are adjusted for splits and bonuses, so are target and
stop, which were published in the rupees of the pick's session. What is not known yet, or was not traded, is None:
nothing is carried forward. Costs are not taken off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pandas as pd

HELD_SESSIONS: Final = 10
MARKS: Final = (1, 5, 10)


@dataclass(frozen=True)
class Outcome:
    """What became of one pick.

    Attributes
    ----------
    entry : float or None
        ₹ of the pick's own session (so that it compares with the published price).
    returns_pct : tuple of float or None
        Percent from the entry to the close of the sessions in `MARKS` after the pick's; None where not known.
    target_on, stop_on : date or None
        First session within `HELD_SESSIONS` whose high or low reached the level.
    """

    symbol: str
    entry: float | None
    returns_pct: tuple[float | None, ...]
    target_on: date | None
    stop_on: date | None

    @property
    def first_reached(self) -> str:
        """Return `target`, `stop`, `both` where one session reached both (the order is not known), or nothing."""
        if self.target_on and self.target_on == self.stop_on:
            return "both"
        reached = [(day, name) for day, name in ((self.target_on, "target"), (self.stop_on, "stop")) if day]
        return min(reached)[1] if reached else ""


def outcomes(picks: Sequence[Mapping[str, Any]], bars: pd.DataFrame, sessions: Sequence[date]) -> list[Outcome]:
    """Follow the picks of one list.

    Parameters
    ----------
    picks
        Each with symbol, target_price and stop_loss (₹ of the pick's session).
    bars
        symbol, date, open, high, low, close (₹ as published), factor (to today's rupees); of the sessions below.
    sessions
        The pick's session and those after it, ascending; at most the first ``HELD_SESSIONS`` after it are used.

    Returns
    -------
    list of Outcome
        In the order of `picks`.
    """
    held = list(sessions[1 : HELD_SESSIONS + 1])
    by_symbol = {str(symbol): group.set_index("date") for symbol, group in bars.groupby("symbol")}
    nothing = bars.head(0).set_index("date")
    return [_outcome(pick, by_symbol.get(pick["symbol"], nothing), sessions[0], held) for pick in picks]


def _outcome(pick: Mapping[str, Any], bars: pd.DataFrame, session: date, held: list[date]) -> Outcome:
    scale = _value(bars, session, "factor")
    entry = _adjusted(bars, held[0], "open") if held else None
    returns = [
        _change(entry, _adjusted(bars, held[mark - 1], "close")) if mark <= len(held) else None for mark in MARKS
    ]
    return Outcome(
        symbol=pick["symbol"],
        entry=entry / scale if entry is not None and scale else None,
        returns_pct=tuple(returns),
        target_on=_reached(bars, held, "high", pick.get("target_price"), scale),
        stop_on=_reached(bars, held, "low", pick.get("stop_loss"), scale),
    )


def _reached(
    bars: pd.DataFrame, held: list[date], column: str, level: float | None, scale: float | None
) -> date | None:
    if level is None or scale is None:
        return None
    for day in held:
        price = _adjusted(bars, day, column)
        if price is not None and (price >= level * scale if column == "high" else price <= level * scale):
            return day
    return None


def _value(bars: pd.DataFrame, day: date, column: str) -> float | None:
    moment = pd.Timestamp(day)
    if moment not in bars.index:
        return None
    value: Any = bars.at[moment, column]
    return None if pd.isna(value) else float(value)


def _adjusted(bars: pd.DataFrame, day: date, column: str) -> float | None:
    value, factor = _value(bars, day, column), _value(bars, day, "factor")
    return None if value is None or factor is None else value * factor


def _change(entry: float | None, price: float | None) -> float | None:
    return None if entry is None or price is None or entry <= 0 else (price / entry - 1) * 100


@dataclass(frozen=True)
class Average:
    """Returns of a list taken together; `known` of `asked` picks have one."""

    asked: int
    known: int
    mean_pct: float | None
    winners: int


def average(returns_pct: Sequence[float | None]) -> Average:
    """Return the mean of the known returns, each pick counting the same, and how many are above 0."""
    known = [value for value in returns_pct if value is not None]
    mean = sum(known) / len(known) if known else None
    return Average(len(returns_pct), len(known), mean, sum(value > 0 for value in known))
