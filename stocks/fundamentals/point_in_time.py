"""Point-in-time look-ups by (symbol, date), vectorised: the newest row known on a day; pure.

The functions take plain arrays, so that one session and a panel of 1.5 million rows run through the same code. Days are
whole days since 1970-01-01 (int64); NaT is ``NEVER``.
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
    """Values with the day of each fact (``NEVER``: none) and the number of its source (0: none)."""

    values: Floats
    on: Days
    source: npt.NDArray[np.int8]


def days(dates: pd.Series) -> Days:
    """Day numbers of a datetime column; ``NEVER`` for NaT."""
    numbers = dates.to_numpy().astype("datetime64[D]").astype(np.int64)
    return np.where(dates.isna().to_numpy(), NEVER, numbers)


def dates_of(numbers: Days) -> npt.NDArray[np.datetime64]:
    """Dates of day numbers; NaT for ``NEVER``."""
    dates = numbers.astype("datetime64[D]").astype("datetime64[ns]")
    dates[numbers == NEVER] = np.datetime64("NaT")
    return dates


def latest_known(keys: pd.DataFrame, table: pd.DataFrame, known: str) -> Rows:
    """Positions in the table of each key's newest row: of its symbol, and known on its date; −1 where nothing was.

    Keys have the columns symbol and date, in any order; the table has symbol and `known` (first day of use), and is
    sorted by both.
    """
    if table.empty:
        return np.full(len(keys), -1)
    codes, symbols = pd.factorize(table["symbol"], sort=False)
    order = codes * _STRIDE + days(table[known])
    of_key = pd.Index(symbols).get_indexer(pd.Index(keys["symbol"]))
    position = np.searchsorted(order, of_key * _STRIDE + days(keys["date"]), side="right") - 1
    # The row found may belong to the symbol before.
    is_known = (of_key >= 0) & (position >= 0)
    is_known[is_known] = codes[position[is_known]] == of_key[is_known]
    return np.where(is_known, position, -1)


def values_at(values: npt.NDArray[np.float64], rows: Rows) -> Floats:
    """Values at positions; NaN at −1."""
    if not len(values):
        return np.full(len(rows), np.nan)
    return np.where(rows >= 0, values[rows], np.nan)


def days_at(numbers: Days, rows: Rows) -> Days:
    """Day numbers at positions; ``NEVER`` at −1."""
    if not len(numbers):
        return np.full(len(rows), NEVER)
    return np.where(rows >= 0, numbers[rows], NEVER)


def newest(*candidates: Dated) -> Dated:
    """The fact with the newest day of several about one thing; on a tie the first argument's; NaN never wins."""
    values, on, source = candidates[0].values.copy(), candidates[0].on.copy(), candidates[0].source.copy()
    nothing = np.isnan(values)
    on[nothing], source[nothing] = NEVER, 0
    for candidate in candidates[1:]:
        better = ~np.isnan(candidate.values) & (candidate.on > on)
        values[better], on[better] = candidate.values[better], candidate.on[better]
        source[better] = candidate.source[better]
    return Dated(values, on, source)


def share_factors(symbols: pd.Series, since: Days, until: Days, events: pd.DataFrame) -> Floats:
    """Product of the price factors of splits, bonuses and consolidations between two days, per row.

    Parameters
    ----------
    symbols, since, until
        One entry a row: an event counts if ``since < ex_date <= until`` and it was known by ``until``.
    events
        Event frame, one event a symbol, ex-date and kind: the caller drops an inferred one beside an official one. A
        split and a bonus of one day both count, equal factors or not.

    Returns
    -------
    array of float64
        A split of 1 into 10 gives 0.1: multiply old per-share figures by it, divide old share counts.
    """
    product = np.ones(len(symbols))
    acting = events.loc[
        events["kind"].isin(SHARE_COUNT_KINDS) & events["factor"].gt(0) & events["status"].ne("rejected"),
        ["symbol", "ex_date", "kind", "known_on", "factor"],
    ].drop_duplicates(["symbol", "ex_date", "kind", "factor"])
    affected = np.flatnonzero(symbols.isin(acting["symbol"]).to_numpy() & (since != NEVER))
    if not len(affected):
        return product
    acting = acting.assign(ex=days(acting["ex_date"]), known=days(acting["known_on"]))
    rows = pd.DataFrame(
        {"row": affected, "symbol": symbols.to_numpy()[affected], "since": since[affected], "until": until[affected]}
    )
    pairs = rows.merge(acting[["symbol", "ex", "known", "factor"]], on="symbol")
    pairs = pairs[(pairs["ex"] > pairs["since"]) & (pairs["ex"] <= pairs["until"]) & (pairs["known"] <= pairs["until"])]
    np.multiply.at(product, pairs["row"].to_numpy(), pairs["factor"].to_numpy())
    return product
