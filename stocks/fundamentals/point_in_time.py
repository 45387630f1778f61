"""Which dated row was the newest one known on a day: look-ups by (symbol, date), vectorised.

All functions are pure and take plain arrays, so that one session and a panel of 1.5 million rows run through the same
code. Days are whole days since 1970-01-01 (int64), NaT is ``NEVER``.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]

NEVER = -(10**5)
# Larger than any day number, so that (symbol, day) packs into one sortable integer.
_STRIDE = 10**6
SHARE_COUNT_KINDS = ("split", "bonus", "consolidation")


class Dated(NamedTuple):
    """Values with the day of their fact (``NEVER`` where there is none) and the number of their source (0: none)."""

    values: Floats
    on: Days
    source: npt.NDArray[np.int8]


def days(dates: pd.Series) -> Days:
    """Day numbers of a datetime column; NaT gives ``NEVER``."""
    numbers = dates.to_numpy().astype("datetime64[D]").astype(np.int64)
    return np.where(dates.isna().to_numpy(), NEVER, numbers)


def dates_of(numbers: Days) -> npt.NDArray[np.datetime64]:
    """Dates of day numbers; ``NEVER`` gives NaT."""
    dates = numbers.astype("datetime64[D]").astype("datetime64[ns]")
    dates[numbers == NEVER] = np.datetime64("NaT")
    return dates


def latest_known(keys: pd.DataFrame, table: pd.DataFrame, known: str) -> Rows:
    """Position in the table of the newest row of the key's symbol that was known on the key's date.

    Parameters
    ----------
    keys
        Columns symbol, date; any order.
    table
        Columns symbol and `known` (first day of use), sorted by both.
    known
        Name of that column.

    Returns
    -------
    array of int64
        One position a key, −1 where nothing was known.
    """
    if table.empty:
        return np.full(len(keys), -1)
    codes, symbols = pd.factorize(table["symbol"], sort=False)
    order = codes * _STRIDE + days(table[known])
    of_key = pd.Index(symbols).get_indexer(pd.Index(keys["symbol"]))
    found = np.searchsorted(order, of_key * _STRIDE + days(keys["date"]), side="right") - 1
    right = (of_key >= 0) & (found >= 0)
    right[right] = codes[found[right]] == of_key[right]
    return np.where(right, found, -1)


def taken(values: npt.NDArray[np.float64], rows: Rows) -> Floats:
    """Values at positions; NaN at −1."""
    if not len(values):
        return np.full(len(rows), np.nan)
    return np.where(rows >= 0, values[rows], np.nan)


def days_taken(numbers: Days, rows: Rows) -> Days:
    """Day numbers at positions; ``NEVER`` at −1."""
    if not len(numbers):
        return np.full(len(rows), NEVER)
    return np.where(rows >= 0, numbers[rows], NEVER)


def newest(*candidates: Dated) -> Dated:
    """Of several facts about one thing the one with the newest day; on a tie the one named first; NaN never wins."""
    values, on, source = candidates[0].values.copy(), candidates[0].on.copy(), candidates[0].source.copy()
    nothing = np.isnan(values)
    on[nothing], source[nothing] = NEVER, 0
    for candidate in candidates[1:]:
        better = ~np.isnan(candidate.values) & (candidate.on > on)
        values[better], on[better], source[better] = (
            candidate.values[better],
            candidate.on[better],
            candidate.source[better],
        )
    return Dated(values, on, source)


def share_factors(symbols: pd.Series, since: Days, until: Days, events: pd.DataFrame) -> Floats:
    """Product of the price factors of splits, bonuses and consolidations between two days, row by row.

    Parameters
    ----------
    symbols, since, until
        One row each: an event counts if ``since < ex_date <= until`` and it was known by ``until``.
    events
        Event frame; one event a symbol and ex-date (an inferred one beside an official one dropped by the caller).

    Returns
    -------
    array of float64
        Plain; a split of 10 into 1 gives 0.1: old per-share figures are multiplied by it, old share counts divided.
    """
    product = np.ones(len(symbols))
    acting = events.loc[
        events["kind"].isin(SHARE_COUNT_KINDS) & events["factor"].gt(0) & events["status"].ne("rejected"),
        ["symbol", "ex_date", "known_on", "factor"],
    ].drop_duplicates(["symbol", "ex_date", "factor"])
    concerned = np.flatnonzero(symbols.isin(acting["symbol"]).to_numpy() & (since != NEVER))
    if not len(concerned):
        return product
    acting = acting.assign(ex=days(acting["ex_date"]), known=days(acting["known_on"]))
    rows = pd.DataFrame(
        {
            "row": concerned,
            "symbol": symbols.to_numpy()[concerned],
            "since": since[concerned],
            "until": until[concerned],
        }
    )
    pairs = rows.merge(acting[["symbol", "ex", "known", "factor"]], on="symbol")
    pairs = pairs.loc[
        (pairs["ex"] > pairs["since"]) & (pairs["ex"] <= pairs["until"]) & (pairs["known"] <= pairs["until"])
    ]
    np.multiply.at(product, pairs["row"].to_numpy(), pairs["factor"].to_numpy())
    return product
