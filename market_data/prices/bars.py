"""What a bar frame is, and the checks every bar passes before it is stored.

A bar frame holds one row per (symbol, date), sorted by symbol and date, prices raw as the exchange published them.
Every provider returns this shape; nothing here knows where the rows came from. Bad rows are data: they are set aside
with a reason, in a rejects frame, and never repaired.
"""

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache

import numpy as np
import pandas as pd

from stocks.storage.file_contents import ISIN, SYMBOL, storable_text

FINAL, PROVISIONAL = "final", "provisional"
"""Of bars: the exchange's own; or a vendor's, which the exchange's file replaces, and on which nothing is computed."""

SERIES_ORDER = ("EQ", "BE", "BZ", "SM", "ST")
"""The exchange's series of shares; of a (symbol, date) that traded in several, the first one is kept."""

MAX_PRICE = 10_000_000.0
"""₹; the dearest share so far traded near ₹330,000, so a higher price is a misplaced column."""

MAX_QUANTITY = 10**12
"""Shares or trades of one share on one day; the most so far was 8.5 thousand million shares."""

MAX_TURNOVER_LAKH = 1e9
"""₹ lakh of one share on one day; the most so far was 3.8 million."""

PRICE_COLUMNS = ("open", "high", "low", "close", "prev_close", "last_price", "vwap")

BAR_DTYPES: dict[str, str] = {
    "symbol": "object",
    "date": "datetime64[ns]",
    "series": "object",
    **dict.fromkeys(PRICE_COLUMNS, "float64"),
    "volume": "int64",
    "turnover_lakh": "float64",
    "trades": "Int64",
    "delivered_quantity": "Int64",
    "isin": "object",
}
BAR_COLUMNS = tuple(BAR_DTYPES)
REJECT_COLUMNS = ("symbol", "date", "reason", "raw")

_TRADED = ("open", "high", "low", "close")
# Beyond its bound a figure comes from a misplaced column; counts (an integer bound) must be whole numbers.
_FIGURES: dict[str, float] = {
    **dict.fromkeys(("volume", "trades", "delivered_quantity"), MAX_QUANTITY),
    **dict.fromkeys(("prev_close", "last_price", "vwap"), MAX_PRICE),
    "turnover_lakh": MAX_TURNOVER_LAKH,
}
_ROUNDING = 1e-9
# Built once: a copy costs a tenth, and each session needs seven.
_NO_REJECTS = pd.DataFrame(columns=list(REJECT_COLUMNS), dtype="object")


def empty_rejects() -> pd.DataFrame:
    """Return a rejects frame without rows: columns symbol, date, reason, raw (the row's text)."""
    return _NO_REJECTS.copy()


def rejects_of(rows: pd.DataFrame, reason: "str | pd.Series") -> pd.DataFrame:
    """Return a rejects frame of rows with symbol and date; ``raw`` holds the values of a row as text.

    The reason is one sentence for all rows, or one per row (same index).
    """
    if rows.empty:
        return empty_rejects()
    text = rows.astype("object").where(rows.notna(), "")
    raw = [storable_text(",".join(str(value) for value in row)) for row in text.itertuples(index=False)]
    symbol = [storable_text(value) if isinstance(value, str) else value for value in rows["symbol"]]
    rejects = pd.DataFrame({"symbol": symbol, "date": rows["date"], "reason": reason, "raw": raw}, index=rows.index)
    return rejects.astype({"symbol": "object", "reason": "object", "raw": "object"}).reset_index(drop=True)


def checked_bars(frame: pd.DataFrame, *, session: date | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Separate the bars that can be trusted from those that cannot.

    Parameters
    ----------
    frame
        Columns of a bar frame, one row per published line; any order, any index. Volume may hold NaN here.
    session
        The only date allowed; None accepts every date.

    Returns
    -------
    bars : DataFrame
        Bar frame: one row per (symbol, date), sorted, RangeIndex.
    rejects : DataFrame
        symbol, date, reason, raw. ``len(bars) + len(rejects) == len(frame)``.

    Raises
    ------
    ValueError
        When a column of the bar frame is missing.

    Notes
    -----
    Point in time: each row is checked by itself and against the other rows of its day, never against another day. A
    large move is no error here; that is for the checks of data quality.
    """
    missing = [column for column in BAR_COLUMNS if column not in frame.columns]
    if missing:
        raise ValueError(f"The frame lacks the columns {', '.join(missing)} of a bar frame.")
    rows = frame[list(BAR_COLUMNS)].reset_index(drop=True)
    reason = _first_reason(rows, session)
    good, bad = rows, empty_rejects()
    if reason.notna().any():
        good, bad = rows[reason.isna()], rejects_of(rows[reason.notna()], reason.dropna())
    good, repeated = _without_doubles(good)
    good, lower = first_of_series(good)
    return as_bar_frame(good), joined_rejects(bad, repeated, lower)


def joined_rejects(*parts: pd.DataFrame) -> pd.DataFrame:
    filled = [part for part in parts if not part.empty]
    return pd.concat(filled, ignore_index=True) if filled else empty_rejects()


def as_bar_frame(rows: pd.DataFrame) -> pd.DataFrame:
    """Give rows the dtypes and the order of a bar frame; every volume must be a whole number."""
    order = np.lexsort((rows["date"].to_numpy(), pd.factorize(rows["symbol"], sort=True)[0]))
    if _has_bar_dtypes(rows) and bool(np.all(order[1:] > order[:-1])):
        # A provider's frame arrives like this, and copying its columns one by one takes ten times as long.
        bars = rows.reset_index(drop=True)
    else:
        # Without the explicit dtype pandas would infer another one for text.
        columns = {
            column: pd.Series(rows[column].iloc[order].array.astype(kind), dtype=kind)
            for column, kind in BAR_DTYPES.items()
        }
        bars = pd.DataFrame(columns)
    if bars["isin"].isna().any():
        bars["isin"] = bars["isin"].where(bars["isin"].notna(), None)
    return bars


def _has_bar_dtypes(rows: pd.DataFrame) -> bool:
    return [(column, str(dtype)) for column, dtype in rows.dtypes.items()] == list(BAR_DTYPES.items())


def first_of_series(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep, of each (symbol, date), the row in the first series of ``SERIES_ORDER``.

    Return the rows kept, and a rejects frame of the others; every series must be in ``SERIES_ORDER``.
    """
    if not rows.duplicated(["symbol", "date"]).any():
        return rows, empty_rejects()
    # Rank only the days on which a symbol traded in several series; there are few.
    rank = rows["series"].map({series: place for place, series in enumerate(SERIES_ORDER)})
    ordered = rows.assign(_rank=rank).sort_values("_rank", kind="stable")
    lower = ordered.duplicated(["symbol", "date"]).reindex(rows.index)
    rejects = rejects_of(rows[lower], "also traded in " + rows.loc[lower, "series"] + "; the first series is kept")
    return rows[~lower], rejects


def _first_reason(rows: pd.DataFrame, session: date | None) -> "pd.Series":
    """Return the first reason to reject each row, NA where there is none."""
    price = rows[list(_TRADED)].to_numpy(dtype="float64")
    top, bottom = price.max(axis=1), price.min(axis=1)
    high, low = price[:, 1], price[:, 2]
    checks: list[tuple[str, np.ndarray]] = [
        ("symbol is missing", rows["symbol"].isna().to_numpy() | rows["symbol"].eq("").to_numpy()),
        ("symbol is malformed", ~_texts_fit(rows["symbol"], _is_symbol)),
        ("date is missing", rows["date"].isna().to_numpy()),
        ("series is not a share series", ~rows["series"].isin(SERIES_ORDER).to_numpy()),
        ("price is missing", np.isnan(price).any(axis=1)),
        ("price is infinite", np.isinf(price).any(axis=1)),
        ("price is zero or negative", ~(bottom > 0)),
        ("price is absurd", ~(top <= MAX_PRICE)),
        ("high is below open, close or low", high < top - _ROUNDING),
        ("low is above open, close or high", low > bottom + _ROUNDING),
        *_figure_checks(rows),
        ("ISIN is malformed", rows["isin"].notna().to_numpy() & ~_texts_fit(rows["isin"], _is_isin)),
    ]
    if session is not None:
        wrong_day = (rows["date"] != pd.Timestamp(session)).to_numpy()
        checks.insert(3, (f"date is not {session:%Y-%m-%d}", wrong_day))
    reason = np.full(len(rows), None, dtype="object")
    for text, failed in reversed(checks):
        if failed.any():
            reason[failed] = text
    return pd.Series(reason, index=rows.index, dtype="object")


def _figure_checks(rows: pd.DataFrame) -> list[tuple[str, np.ndarray]]:
    """Checks of the figures other than the four prices; only the volume is required."""
    checks: list[tuple[str, np.ndarray]] = []
    for column, bound in _FIGURES.items():
        values = pd.to_numeric(rows[column], errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
        if column == "volume":
            checks.append(("volume is missing", ~np.isfinite(values)))
        name = column.replace("_", " ")
        checks.append((f"{name} is negative", values < 0))
        if isinstance(bound, int):
            checks.append((f"{name} is not a whole number", np.isfinite(values) & (values != np.floor(values))))
        checks.append((f"{name} is absurd", values > bound))
    return checks


def _texts_fit(texts: "pd.Series[str]", fits: Callable[[object], bool]) -> np.ndarray:
    return np.fromiter(map(fits, texts), dtype=bool, count=len(texts))


# The same few thousand symbols and ISINs come every day.
@lru_cache(maxsize=32768)
def _is_symbol(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(SYMBOL, value) is not None


@lru_cache(maxsize=32768)
def _is_isin(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(ISIN, value) is not None


def _without_doubles(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep one of equal lines and none of contradictory ones, as nothing tells which is true."""
    key = ["symbol", "date", "series"]
    if not rows.duplicated(key).any():
        return rows, empty_rejects()
    repeated = rows.duplicated(list(BAR_COLUMNS))
    rejects = [rejects_of(rows[repeated], "line is repeated")]
    rows = rows[~repeated]
    contradicting = rows.duplicated(key, keep=False)
    rejects.append(rejects_of(rows[contradicting], "lines contradict each other"))
    return rows[~contradicting], pd.concat(rejects, ignore_index=True)
