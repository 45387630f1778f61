"""What the models learn to foretell, and which sessions may teach them about a later one.

A pick of session ``t`` is bought at the open of ``t+1`` and sold at the open of ``t+11``: ten sessions held, counted on
the market's calendar. All prices are adjusted; a return across a demerger, rights issue or capital reduction is no
return (the holder received something the price does not show), so such a label is NaN. A crash that no event explains
is an outcome like any other and stays: taking it out afterwards would teach the model that it cannot happen.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.panel import Matrix, Panel

ENTRY_DELAY = 1
HOLDING_SESSIONS = 10
EXIT_DELAY = ENTRY_DELAY + HOLDING_SESSIONS
# A share without a trade on its exit day is sold at its next traded open, at most so many sessions later.
LATE_EXIT_SESSIONS = 5
# A drawdown is read from the lows of the days traded; of fewer than half of them it is not known.
DRAWDOWN_DAYS_NEEDED = HOLDING_SESSIONS // 2

# Training ends before a tested session by the label's own length, and by as much again as a late exit may take.
PURGE_SESSIONS = EXIT_DELAY
EMBARGO_SESSIONS = LATE_EXIT_SESSIONS

LABEL_COLUMNS = ("symbol", "date", "forward_return", "drawdown")


def last_training_position(first_tested: int) -> int:
    """Position of the last session whose label may teach a model that is tested from a session on.

    Parameters
    ----------
    first_tested
        Position of the first tested session on the market's calendar.

    Returns
    -------
    int
        Purged are the sessions whose ten held sessions reach ``first_tested`` (the 11 before it), embargoed 5 more.
    """
    return first_tested - PURGE_SESSIONS - EMBARGO_SESSIONS - 1


def labels(adjusted: pd.DataFrame, sessions: pd.DatetimeIndex, blocked_events: pd.DataFrame) -> pd.DataFrame:
    """Outcome of buying each share at the open after each of its bars.

    Parameters
    ----------
    adjusted
        Adjusted frame; for the truth of a label it must reach 16 sessions past the label's own session.
    sessions
        The market's sessions, ascending; hold every date of the frame.
    blocked_events
        Columns symbol and ex_date: events that a return may not cross (``corporate_actions.blocked_events``).

    Returns
    -------
    DataFrame
        One row per row of ``adjusted``, same order and index: symbol, date,
        forward_return (plain; open of t+11 over open of t+1, minus 1; if untraded on t+11 the next traded open within
        5 sessions) and drawdown (plain, never above 0; least low of t+1 … t+10 over the open of t+1, minus 1).
        NaN: untraded on t+1, no exit, fewer than 5 days traded (drawdown), a blocked event with t+1 < ex-date ≤ exit
        (or ≤ t+10 for the drawdown), or sessions that have not happened yet.

    Notes
    -----
    Looks ahead by definition: never a feature. A row may teach from ``last_training_position`` on.
    """
    panel = Panel(adjusted, sessions)
    entry = _ahead(panel.open, ENTRY_DELAY)
    events_so_far = _event_count(panel, blocked_events)
    at_entry = _ahead(events_so_far, ENTRY_DELAY)
    out, events_at_exit = _exit(panel.open, events_so_far)
    forward_return = np.where(events_at_exit == at_entry, out / entry - 1, np.nan)
    lowest, days = _lowest(panel.low)
    unblocked = _ahead(events_so_far, HOLDING_SESSIONS) == at_entry
    drawdown = np.where(unblocked & (days >= DRAWDOWN_DAYS_NEEDED), np.minimum(lowest / entry - 1, 0.0), np.nan)
    result = adjusted[["symbol", "date"]].copy()
    result["forward_return"] = forward_return[panel.row, panel.column]
    result["drawdown"] = drawdown[panel.row, panel.column]
    return result


def _ahead(values: Matrix, sessions: int) -> Matrix:
    """Row ``t`` holds what row ``t + sessions`` holds; NaN where that has not happened."""
    result = np.full_like(values, np.nan)
    if sessions < len(values):
        result[: len(values) - sessions] = values[sessions:]
    return result


def _event_count(panel: Panel, events: pd.DataFrame) -> Matrix:
    """Blocked events of each share up to each session, the ex-date's own session included."""
    happened = np.zeros((len(panel.sessions), len(panel.symbols)))
    column = pd.Index(panel.symbols).get_indexer(pd.Index(events["symbol"]))
    row: npt.NDArray[np.intp] = panel.sessions.searchsorted(pd.DatetimeIndex(events["ex_date"]))
    inside = (column >= 0) & (row < len(panel.sessions))
    np.add.at(happened, (row[inside], column[inside]), 1.0)
    return np.cumsum(happened, axis=0)


def _exit(opens: Matrix, events_so_far: Matrix) -> tuple[Matrix, Matrix]:
    """Price of the exit, and how many blocked events had happened by then."""
    price, events = _ahead(opens, EXIT_DELAY), _ahead(events_so_far, EXIT_DELAY)
    for late in range(1, LATE_EXIT_SESSIONS + 1):
        untraded = ~np.isfinite(price)
        price = np.where(untraded, _ahead(opens, EXIT_DELAY + late), price)
        events = np.where(untraded, _ahead(events_so_far, EXIT_DELAY + late), events)
    return price, events


def _lowest(lows: Matrix) -> tuple[Matrix, Matrix]:
    """Least low of the sessions held, and on how many of them the share traded."""
    lowest = np.full_like(lows, np.nan)
    days = np.zeros_like(lows)
    for delay in range(ENTRY_DELAY, HOLDING_SESSIONS + 1):
        low = _ahead(lows, delay)
        lowest = np.fmin(lowest, low)
        days += np.isfinite(low)
    return lowest, days
