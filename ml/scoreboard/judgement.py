"""What came of one pick, from bars: the trade of the labels, the level reached first, and the universe beside it.

A pick of session ``t`` is bought at the open of ``t+1`` and sold at the open of ``t+11``, counted on the market's
calendar; a share that does not trade then is sold at the next open at which it does. Prices are adjusted, so that a
split between them is no loss. What a demerger or the like lies within is not measured: the price change is not the
holder's return.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from ml.features.panel import Panel
from ml.learning.labels import ENTRY_DELAY, EXIT_DELAY, HOLDING_SESSIONS, event_counts
from ml.scoreboard.results import Level, Result

UNSOLD_AFTER_SESSIONS: Final = 40
"""A share without a trade for so many sessions after its exit is judged as unsold: still within the time that
published lists are kept. If it trades again, that is a correction."""

_ABOVE_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Judgement:
    """What came of one pick.

    Prices are in rupees of the pick's session, like the published ones; the return is absolute, in percent, before
    charges. ``first_touched`` is None where the pick has no level, or its levels cannot be compared with the prices.
    """

    result: Result
    entry_date: date
    entry_price: float | None = None
    exit_date: date | None = None
    exit_price: float | None = None
    return_pct: float | None = None
    first_touched: Level | None = None
    touched_on: date | None = None


@dataclass(frozen=True)
class UniverseReturn:
    """Mean return of the universe's shares in percent, None without any, and their number."""

    mean_pct: float | None
    shares: int


class Bars:
    """Adjusted bars as matrices, with what a return may not cross; see `Panel` for the frame and the sessions."""

    def __init__(self, adjusted: pd.DataFrame, sessions: pd.DatetimeIndex, blocked_events: pd.DataFrame) -> None:
        self._panel = Panel(adjusted, sessions)
        self._days: list[date] = [session.date() for session in sessions]
        self._rows = {day: row for row, day in enumerate(self._days)}
        self._columns = {str(symbol): column for column, symbol in enumerate(self._panel.symbols)}
        self._factor = self._panel.raw("factor")
        self._events = event_counts(self._panel, blocked_events)
        self._is_loaded = np.atleast_1d(np.isfinite(self._panel.open).any(axis=1))

    def is_over(self, session: date) -> bool:
        """Whether the bars of all sessions from the entry to the exit of a session's picks are there."""
        row = self._rows.get(session, -1)
        end = row + EXIT_DELAY + 1
        return row >= 0 and end <= len(self._is_loaded) and bool(self._is_loaded[row + ENTRY_DELAY : end].all())

    def judgement(self, session: date, symbol: str, target: float | None, stop: float | None) -> Judgement | None:
        """What came of a pick with its published levels (₹ of its session), or None: not known yet."""
        if not self.is_over(session):
            return None
        row, column = self._rows[session], self._columns.get(symbol)
        entry_date = self._days[row + ENTRY_DELAY]
        entry = np.nan if column is None else self._panel.open[row + ENTRY_DELAY, column]
        if column is None or not np.isfinite(entry):
            return Judgement(Result.NOT_BOUGHT, entry_date)
        scale = self._factor[row, column]
        touched = self._first_touched(row, column, target, stop)
        facts: dict[str, Any] = {"entry_date": entry_date, "entry_price": _number(entry / scale), **touched}
        opens = self._panel.open[row + EXIT_DELAY :, column]
        traded = np.flatnonzero(np.isfinite(opens))
        if not len(traded):
            return Judgement(Result.UNSOLD, **facts) if len(opens) > UNSOLD_AFTER_SESSIONS else None
        exit_row = row + EXIT_DELAY + int(traded[0])
        facts["exit_date"] = self._days[exit_row]
        if self._events[exit_row, column] != self._events[row + ENTRY_DELAY, column]:
            return Judgement(Result.UNMEASURED, **facts)
        exit_price = opens[traded[0]]
        facts |= {"exit_price": _number(exit_price / scale), "return_pct": float((exit_price / entry - 1) * 100)}
        return Judgement(Result.SOLD, **facts)

    def _first_touched(self, row: int, column: int, target: float | None, stop: float | None) -> dict[str, Any]:
        """The level reached first on ``t+1`` … ``t+10``; the stop, where one session reached both."""
        scale = self._factor[row, column]
        last = row + HOLDING_SESSIONS
        is_comparable = np.isfinite(scale) and self._events[last, column] == self._events[row, column]
        if not is_comparable or (target is None and stop is None):
            return {}
        held = slice(row + ENTRY_DELAY, last + 1)
        # Both sides went through the same factors: what is equal may differ in the last digits.
        high = self._panel.high[held, column] * (1 + _ABOVE_ROUNDING)
        low = self._panel.low[held, column] * (1 - _ABOVE_ROUNDING)
        up = np.inf if target is None else target * scale
        down = -np.inf if stop is None else stop * scale
        with_stop, with_target = np.flatnonzero(low <= down), np.flatnonzero(high >= up)
        first_stop = int(with_stop[0]) if len(with_stop) else HOLDING_SESSIONS
        first_target = int(with_target[0]) if len(with_target) else HOLDING_SESSIONS
        if first_stop == first_target == HOLDING_SESSIONS:
            return {"first_touched": Level.NONE}
        level = Level.STOP if first_stop <= first_target else Level.TARGET
        day = self._days[row + ENTRY_DELAY + min(first_stop, first_target)]
        return {"first_touched": level, "touched_on": day}

    def universe_return(self, session: date, symbols: set[str]) -> UniverseReturn | None:
        """Mean return of the day's shares in the same trade, equally weighted; None: not known yet.

        A share that does not trade at the exit counts with its last close before, so that the mean is final at once;
        one that did not trade at the entry, or crosses a blocked event, is left out.
        """
        if not self.is_over(session):
            return None
        row = self._rows[session]
        columns = np.array(sorted(self._columns[symbol] for symbol in symbols & self._columns.keys()), dtype=np.intp)
        held = slice(row + ENTRY_DELAY, row + EXIT_DELAY)
        last = pd.DataFrame(self._panel.close[held][:, columns]).ffill().to_numpy()[-1:].reshape(-1)
        exit_price = self._panel.open[row + EXIT_DELAY, columns]
        exit_price = np.where(np.isfinite(exit_price), exit_price, last)
        crossed = self._events[row + EXIT_DELAY, columns] != self._events[row + ENTRY_DELAY, columns]
        returns = (exit_price / self._panel.open[row + ENTRY_DELAY, columns] - 1) * 100
        known = returns[np.isfinite(returns) & ~crossed]
        return UniverseReturn(float(known.mean()) if len(known) else None, len(known))


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
