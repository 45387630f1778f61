"""A list's past places as a backtest reads them; pure."""

from collections.abc import Collection, Sequence
from datetime import date

import pandas as pd

from portfolio.backtest.parameters import BacktestError
from portfolio.backtest.simulation import Lists


def lists_by_session(places: pd.DataFrame, sessions: Collection[date], strategy: str, keep: int) -> Lists:
    """Symbol and place of the first `keep` places of each session, best first.

    Parameters
    ----------
    places
        session, symbol, place (`ml.pick_history.queries.places`); rows of other days than the sessions are left out.

    Raises
    ------
    BacktestError
        A session has a place or a symbol twice.
    """
    for column in ("place", "symbol"):
        doubled = places[places.duplicated(["session", column])]
        if len(doubled):
            day, value = doubled.iloc[0]["session"].date(), doubled.iloc[0][column]
            raise BacktestError(
                f"The list {strategy} of {day} has the {column} {value} twice; compute it again:"
                f" pick_history --strategy {strategy} --from {day} --to {day} --afresh."
            )
    known = places[places["session"].isin(pd.to_datetime(list(sessions)))].sort_values(["session", "place"])
    first = known[known.groupby("session").cumcount() < keep]
    return {
        pd.Timestamp(str(day)).date(): list(zip(rows["symbol"].astype(str), rows["place"].astype(int), strict=True))
        for day, rows in first.groupby("session")
    }


def wanted_symbols(lists: Lists, sessions: Sequence[date], every: int) -> list[str]:
    """The symbols that a decision may choose: those listed on the first session and every `every`-th after it."""
    return sorted({symbol for day in sessions[::every] for symbol, _ in lists.get(day, ())})
