"""Outcomes of published picks, from stored bars.

Entry is the open of the session after the pick's. All prices are adjusted for splits and bonuses, and so are target and
stop, which were published in rupees of the pick's session. What is not known yet, or was not traded, is None: nothing
is carried forward. Costs are not deducted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

HELD_SESSIONS: Final = 10
MARKS: Final = (1, 5, 10)


class Bar(NamedTuple):
    """A session's prices as published, ₹, and the factor that converts them to today's rupees."""

    open: float
    high: float
    low: float
    close: float
    factor: float


Bars = Mapping[tuple[str, date], Bar]
"""Bars by symbol and session."""


@dataclass(frozen=True)
class Outcome:
    """Outcome of one pick.

    Attributes
    ----------
    entry : float or None
        In rupees of the pick's session, comparable with its published price.
    returns_pct : tuple of float or None
        Percent from the entry to the close of each session of `MARKS` after the pick's; None where unknown.
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
        """`target`, `stop`, `both` if one session reached both (in unknown order), or an empty text."""
        if self.target_on and self.target_on == self.stop_on:
            return "both"
        reached = [(day, name) for day, name in ((self.target_on, "target"), (self.stop_on, "stop")) if day]
        return min(reached)[1] if reached else ""


def outcomes(picks: Sequence[Mapping[str, Any]], bars: Bars, sessions: Sequence[date]) -> list[Outcome]:
    """Outcomes of the picks of one list, in their order.

    Each pick has symbol, target_price and stop_loss (₹ of its session). The sessions are the list's and those after it,
    ascending; at most the first ``HELD_SESSIONS`` after it are used, and only their bars.
    """
    held = list(sessions[1 : HELD_SESSIONS + 1])
    return [_outcome(pick, bars, sessions[0], held) for pick in picks]


def _outcome(pick: Mapping[str, Any], bars: Bars, session: date, held: list[date]) -> Outcome:
    symbol = str(pick["symbol"])
    pick_bar = bars.get((symbol, session))
    entry_bar = bars.get((symbol, held[0])) if held else None
    entry = entry_bar.open * entry_bar.factor if entry_bar else None
    marked = [bars.get((symbol, held[mark - 1])) if mark <= len(held) else None for mark in MARKS]
    traded = [(day, bar) for day in held if (bar := bars.get((symbol, day)))]
    target, stop = pick.get("target_price"), pick.get("stop_loss")
    # Brings entry, target and stop from rupees of the pick's session to today's and back.
    scale = pick_bar.factor if pick_bar else None
    return Outcome(
        symbol=symbol,
        entry=entry / scale if entry is not None and scale else None,
        returns_pct=tuple(_change_pct(entry, bar.close * bar.factor if bar else None) for bar in marked),
        target_on=_first_day(traded, lambda bar: bar.high * bar.factor >= target * scale) if target and scale else None,
        stop_on=_first_day(traded, lambda bar: bar.low * bar.factor <= stop * scale) if stop and scale else None,
    )


def _first_day(bars: Sequence[tuple[date, Bar]], has_reached: Callable[[Bar], bool]) -> date | None:
    return next((day for day, bar in bars if has_reached(bar)), None)


def _change_pct(entry: float | None, price: float | None) -> float | None:
    return None if entry is None or price is None or entry <= 0 else (price / entry - 1) * 100


@dataclass(frozen=True)
class Average:
    """Mean return of a list of picks, of which `measured` have a return."""

    picks: int
    measured: int
    mean_pct: float | None
    winners: int


def average(returns_pct: Sequence[float | None]) -> Average:
    """Mean of the known returns, equally weighted, and how many are above 0."""
    measured = [value for value in returns_pct if value is not None]
    mean = sum(measured) / len(measured) if measured else None
    return Average(len(returns_pct), len(measured), mean, sum(value > 0 for value in measured))
