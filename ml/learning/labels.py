"""Labels: what the models learn to predict, and the last session they may train on before a tested one.

A pick of session ``t`` is bought at the open of ``t+1`` and sold at the open of ``t+11``: ten sessions held, counted on
the market's calendar. A share that does not trade on its exit is sold at its next traded open, whenever that is; until
then its outcome is not known. All prices are adjusted. Across a demerger, rights issue or capital reduction the price
change is not the holder's return (he received something the price does not show), so such a label is NaN. A crash that
no event explains is an outcome like any other: removing it afterwards would teach the model that it cannot happen.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.features.panel import Matrix, Panel

ENTRY_DELAY = 1
HOLDING_SESSIONS = 10
EXIT_DELAY = ENTRY_DELAY + HOLDING_SESSIONS
SHORT_HOLDING_SESSIONS = 5
# Sold later than this many sessions after the exit that was due, a share counts as a late exit.
LATE_EXIT_SESSIONS = 5
# A drawdown and a run-up need bars of at least half of the sessions held.
DAYS_NEEDED = HOLDING_SESSIONS // 2

# The purge is the length of a label. The embargo covers exits up to 5 sessions late; later ones are known by their
# ``exit_position`` alone.
PURGE_SESSIONS = EXIT_DELAY
EMBARGO_SESSIONS = LATE_EXIT_SESSIONS

OUTCOMES = ("forward_return", "forward_return_5", "drawdown", "run_up", "entry_step", "exit_position", "late_exit")


def last_training_position(first_tested: int) -> int:
    """Position of the last session that a model may train on when it is tested from ``first_tested`` on.

    The 11 sessions whose holding period reaches ``first_tested`` are purged, 5 more are embargoed. Of what is left,
    only outcomes whose ``exit_position`` is not after the fit may be used.
    """
    return first_tested - PURGE_SESSIONS - EMBARGO_SESSIONS - 1


def labels(adjusted: pd.DataFrame, sessions: pd.DatetimeIndex, blocked_events: pd.DataFrame) -> pd.DataFrame:
    """Outcome of buying each share at the open after each of its bars.

    Parameters
    ----------
    adjusted
        Adjusted frame; a label is final once ``exit_position`` is known.
    sessions
        The market's sessions, ascending; must contain every date of the frame.
    blocked_events
        Columns symbol and ex_date: events that a return may not cross (``prices.events.blocked_events``).

    Returns
    -------
    DataFrame
        One row per row of ``adjusted``, same order and index: symbol, date and ``OUTCOMES``, all plain.
        forward_return, forward_return_5: open of the exit (t+11, t+6; if untraded then, the next traded open) over the
        open of t+1, minus 1;
        drawdown (never above 0), run_up (never below 0): least low and highest high of t+1 … t+10 over the open of
        t+1, minus 1;
        entry_step: open of t+1 over the close of t, minus 1;
        exit_position: position of the exit of forward_return among the sessions, as a float;
        late_exit: whether that is more than 5 sessions after t+11.
        NaN: untraded on t+1; not traded again by the frame's end; fewer than 5 days traded (drawdown, run_up); a
        blocked event with t+1 < ex-date ≤ exit (≤ t+10 for drawdown and run_up; on t+1 for entry_step, and there
        alone); sessions that have not happened yet.

    Notes
    -----
    Looks ahead by definition: never a feature. A fit of a session may use rows up to ``last_training_position`` whose
    ``exit_position`` is not after that session.
    """
    panel = Panel(adjusted, sessions)
    trades = _Trades.of(panel, event_counts(panel, blocked_events))
    entry, at_entry = _ahead(panel.open, ENTRY_DELAY), _ahead(trades.events_so_far, ENTRY_DELAY)
    exit_row = trades.next_trade(EXIT_DELAY)
    is_sold = np.isfinite(entry) & (exit_row < len(sessions))
    lowest, days = _extreme(panel.low, np.fmin)
    highest, _ = _extreme(panel.high, np.fmax)
    known = (_ahead(trades.events_so_far, HOLDING_SESSIONS) == at_entry) & (days >= DAYS_NEEDED)
    matrices = {
        "forward_return": trades.holding_return(EXIT_DELAY),
        "forward_return_5": trades.holding_return(ENTRY_DELAY + SHORT_HOLDING_SESSIONS),
        "drawdown": np.where(known, np.minimum(lowest / entry - 1, 0.0), np.nan),
        "run_up": np.where(known, np.maximum(highest / entry - 1, 0.0), np.nan),
        "entry_step": np.where(at_entry == trades.events_so_far, entry / panel.close - 1, np.nan),
        "exit_position": np.where(is_sold, exit_row, np.nan),
        "late_exit": is_sold & (exit_row > np.arange(len(sessions))[:, None] + EXIT_DELAY + LATE_EXIT_SESSIONS),
    }
    result = adjusted[["symbol", "date"]].copy()
    for name in OUTCOMES:
        result[name] = matrices[name][panel.row, panel.column]
    return result


def unknown_outcomes(bars: pd.Index) -> pd.DataFrame:
    """``OUTCOMES`` of bars after which nothing has happened yet, by the index of the bars."""
    return pd.DataFrame({name: False if name == "late_exit" else np.nan for name in OUTCOMES}, index=bars)


def late_entry_returns(outcomes: pd.DataFrame, sessions: pd.DatetimeIndex) -> pd.Series:
    """What each trade returns when it is entered a session late: from the open of t+2 to that of t+12.

    Parameters
    ----------
    outcomes
        As of ``labels``; the result has its index. It is no entry of ``OUTCOMES``, because it is known later than
        ``exit_position`` says: reports alone may use it.

    Returns
    -------
    Series
        The forward_return of the share's bar of t+1; NaN where it has none.
    """
    position = pd.Series(sessions.get_indexer(pd.DatetimeIndex(outcomes["date"])), index=outcomes.index)
    returns = pd.Series(outcomes["forward_return"].to_numpy(), index=[outcomes["symbol"], position])
    late = returns.reindex(pd.MultiIndex.from_arrays([outcomes["symbol"], position + 1]))
    return pd.Series(late.to_numpy(dtype=np.float64), index=outcomes.index, name="late_entry_return")


def exit_counts(outcomes: pd.DataFrame, position: npt.NDArray[np.int64], last: int) -> dict[str, int]:
    """Count the purchases whose exit was due by a session, and those that could not be sold in time.

    Parameters
    ----------
    outcomes
        entry_step, exit_position and late_exit, one row a bar.
    position
        Position of the session of each row.
    last
        Position of the last session of which trades are known.

    Returns
    -------
    dict
        due: bought, with an exit due by ``last``; late: of these, sold more than 5 sessions after that; unsold: of
        these, not traded again by ``last``, and left out of every figure because their outcome is not known.
    """
    due = outcomes["entry_step"].notna().to_numpy() & (position + EXIT_DELAY <= last)
    sold = outcomes["exit_position"].to_numpy(dtype=np.float64) <= last
    late = outcomes["late_exit"].to_numpy(dtype=bool)
    return {"due": int(due.sum()), "late": int((due & sold & late).sum()), "unsold": int((due & ~sold).sum())}


@dataclass(frozen=True)
class _Trades:
    """Opens of a market, and the number of blocked events up to each session."""

    opens: Matrix
    events_so_far: Matrix
    next_row: npt.NDArray[np.intp]

    @classmethod
    def of(cls, panel: Panel, events_so_far: Matrix) -> "_Trades":
        end = len(panel.sessions)
        row = np.where(np.isfinite(panel.open), np.arange(end)[:, None], end)
        return cls(panel.open, events_so_far, np.minimum.accumulate(row[::-1], axis=0)[::-1])

    def next_trade(self, delay: int) -> npt.NDArray[np.intp]:
        """Row of the first open from ``delay`` sessions after each one on; the number of sessions where none."""
        result = np.full_like(self.next_row, len(self.next_row))
        if delay < len(result):
            result[: len(result) - delay] = self.next_row[delay:]
        return result

    def holding_return(self, delay: int) -> Matrix:
        """Return from the open of t+1 to the first open from t+delay on; NaN across a blocked event."""
        row = self.next_trade(delay)
        never = np.full((1, row.shape[1]), np.nan)
        price, events = (
            np.take_along_axis(np.vstack([values, never]), row, axis=0) for values in (self.opens, self.events_so_far)
        )
        entry, at_entry = _ahead(self.opens, ENTRY_DELAY), _ahead(self.events_so_far, ENTRY_DELAY)
        return np.where(events == at_entry, price / entry - 1, np.nan)


def _ahead(values: Matrix, sessions: int) -> Matrix:
    """Shift a matrix up: row ``t`` of the result is row ``t + sessions``; NaN where that is in the future."""
    result = np.full_like(values, np.nan)
    if sessions < len(values):
        result[: len(values) - sessions] = values[sessions:]
    return result


def event_counts(panel: Panel, events: pd.DataFrame) -> Matrix:
    """Number of blocked events of each share up to and including each session."""
    on_session = np.zeros((len(panel.sessions), len(panel.symbols)))
    column = pd.Index(panel.symbols).get_indexer(pd.Index(events["symbol"]))
    row: npt.NDArray[np.intp] = panel.sessions.searchsorted(pd.DatetimeIndex(events["ex_date"]))
    inside = (column >= 0) & (row < len(panel.sessions))
    np.add.at(on_session, (row[inside], column[inside]), 1.0)
    return np.cumsum(on_session, axis=0)


def _extreme(values: Matrix, combine: Callable[[Matrix, Matrix], Matrix]) -> tuple[Matrix, Matrix]:
    """Extreme value of the sessions held, and the number of them on which the share traded."""
    extreme = np.full_like(values, np.nan)
    days = np.zeros_like(values)
    for delay in range(ENTRY_DELAY, HOLDING_SESSIONS + 1):
        value = _ahead(values, delay)
        extreme = combine(extreme, value)
        days += np.isfinite(value)
    return extreme, days
