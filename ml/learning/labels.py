"""Labels: what the models learn to predict, and the last session they may train on before a tested one.

A pick of session ``t`` is bought at the open of ``t+1`` and sold at the open of ``t+11``: ten sessions held, counted on
the market's calendar. All prices are adjusted. Across a demerger, rights issue or capital reduction the price change is
not the holder's return (he received something the price does not show), so such a label is NaN. A crash that no event
explains is an outcome like any other: removing it afterwards would teach the model that it cannot happen.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.features.panel import Matrix, Panel

ENTRY_DELAY = 1
HOLDING_SESSIONS = 10
EXIT_DELAY = ENTRY_DELAY + HOLDING_SESSIONS
# A share that does not trade on its exit day is sold at its next traded open, at most this many sessions later.
LATE_EXIT_SESSIONS = 5
# A drawdown needs the lows of at least half of the sessions held.
DRAWDOWN_DAYS_NEEDED = HOLDING_SESSIONS // 2

# The purge is the length of a label; the embargo covers a late exit.
PURGE_SESSIONS = EXIT_DELAY
EMBARGO_SESSIONS = LATE_EXIT_SESSIONS


def last_training_position(first_tested: int) -> int:
    """Position of the last session that a model may train on when it is tested from ``first_tested`` on.

    The 11 sessions whose holding period reaches ``first_tested`` are purged, 5 more are embargoed.
    """
    return first_tested - PURGE_SESSIONS - EMBARGO_SESSIONS - 1


def labels(adjusted: pd.DataFrame, sessions: pd.DatetimeIndex, blocked_events: pd.DataFrame) -> pd.DataFrame:
    """Outcome of buying each share at the open after each of its bars.

    Parameters
    ----------
    adjusted
        Adjusted frame; a label is final once the frame reaches 16 sessions past the label's session.
    sessions
        The market's sessions, ascending; must contain every date of the frame.
    blocked_events
        Columns symbol and ex_date: events that a return may not cross (``prices.events.blocked_events``).

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
    Looks ahead by definition: never a feature. ``last_training_position`` limits which rows a model may train on.
    """
    panel = Panel(adjusted, sessions)
    entry = _ahead(panel.open, ENTRY_DELAY)
    events_so_far = _event_count(panel, blocked_events)
    at_entry = _ahead(events_so_far, ENTRY_DELAY)
    exit_price, at_exit = _exit(panel.open, events_so_far)
    forward_return = np.where(at_exit == at_entry, exit_price / entry - 1, np.nan)
    lowest, days = _lowest(panel.low)
    unblocked = _ahead(events_so_far, HOLDING_SESSIONS) == at_entry
    drawdown = np.where(unblocked & (days >= DRAWDOWN_DAYS_NEEDED), np.minimum(lowest / entry - 1, 0.0), np.nan)
    result = adjusted[["symbol", "date"]].copy()
    result["forward_return"] = forward_return[panel.row, panel.column]
    result["drawdown"] = drawdown[panel.row, panel.column]
    return result


def _ahead(values: Matrix, sessions: int) -> Matrix:
    """Shift a matrix up: row ``t`` of the result is row ``t + sessions``; NaN where that is in the future."""
    result = np.full_like(values, np.nan)
    if sessions < len(values):
        result[: len(values) - sessions] = values[sessions:]
    return result


def _event_count(panel: Panel, events: pd.DataFrame) -> Matrix:
    """Number of blocked events of each share up to and including each session."""
    on_session = np.zeros((len(panel.sessions), len(panel.symbols)))
    column = pd.Index(panel.symbols).get_indexer(pd.Index(events["symbol"]))
    row: npt.NDArray[np.intp] = panel.sessions.searchsorted(pd.DatetimeIndex(events["ex_date"]))
    inside = (column >= 0) & (row < len(panel.sessions))
    np.add.at(on_session, (row[inside], column[inside]), 1.0)
    return np.cumsum(on_session, axis=0)


def _exit(opens: Matrix, events_so_far: Matrix) -> tuple[Matrix, Matrix]:
    """Exit price, and the number of blocked events up to the exit."""
    price, events = _ahead(opens, EXIT_DELAY), _ahead(events_so_far, EXIT_DELAY)
    for late in range(1, LATE_EXIT_SESSIONS + 1):
        untraded = ~np.isfinite(price)
        price = np.where(untraded, _ahead(opens, EXIT_DELAY + late), price)
        events = np.where(untraded, _ahead(events_so_far, EXIT_DELAY + late), events)
    return price, events


def _lowest(lows: Matrix) -> tuple[Matrix, Matrix]:
    """Lowest low of the sessions held, and the number of them on which the share traded."""
    lowest = np.full_like(lows, np.nan)
    days = np.zeros_like(lows)
    for delay in range(ENTRY_DELAY, HOLDING_SESSIONS + 1):
        low = _ahead(lows, delay)
        lowest = np.fmin(lowest, low)
        days += np.isfinite(low)
    return lowest, days
