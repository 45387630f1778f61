"""Technical indicators of every share, by TA-Lib, on split- and bonus-adjusted prices.

Source of the formulas: TA-Lib (Wilder's RSI and ATR, exponential averages seeded with a simple one). Values in ₹ are
returned in the rupees of their own day (adjusted value / factor of that day): a later split changes the adjusted
series and the factor alike, so a stored value never changes.

An indicator is one entry of ``REGISTRY``; the columns of the frame follow from it.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
import talib

FloatArray = npt.NDArray[np.float64]

# Exponential averages forget where they started by (25/27)^n, Wilder's by (13/14)^n. On the whole real market the worst
# difference to a computation from the first row was 2e-8 (RSI points, ₹) after 350 rows. After 450 only the rounding of
# running sums is left: 1e-11 of the price (Bollinger), 1e-12 elsewhere.
WARM_UP_ROWS = 450


@dataclass(frozen=True)
class Prices:
    """Adjusted prices of one symbol, oldest first, without NaN; all arrays have the same length."""

    high: FloatArray
    low: FloatArray
    close: FloatArray


@dataclass(frozen=True)
class Indicator:
    """One indicator: its output columns, how to compute them, and their unit.

    ``compute`` takes the prices of one symbol and returns one array of the same length per column, NaN until warm.
    ``in_rupees`` says that the values are prices and follow the day's own rupees; others are ratios or percent.
    """

    columns: tuple[str, ...]
    compute: Callable[[Prices], tuple[FloatArray, ...]]
    in_rupees: bool


REGISTRY: tuple[Indicator, ...] = (
    Indicator(("rsi_14",), lambda p: (talib.RSI(p.close, 14),), in_rupees=False),
    Indicator(("macd", "signal_line", "macd_histogram"), lambda p: talib.MACD(p.close, 12, 26, 9), in_rupees=True),
    Indicator(("sma_20",), lambda p: (talib.SMA(p.close, 20),), in_rupees=True),
    Indicator(("sma_50",), lambda p: (talib.SMA(p.close, 50),), in_rupees=True),
    Indicator(("sma_200",), lambda p: (talib.SMA(p.close, 200),), in_rupees=True),
    Indicator(("ema_12",), lambda p: (talib.EMA(p.close, 12),), in_rupees=True),
    Indicator(("ema_26",), lambda p: (talib.EMA(p.close, 26),), in_rupees=True),
    Indicator(("atr_14",), lambda p: (talib.ATR(p.high, p.low, p.close, 14),), in_rupees=True),
    Indicator(("atr_percentage",), lambda p: (talib.NATR(p.high, p.low, p.close, 14),), in_rupees=False),
    Indicator(
        ("bollinger_upper", "bollinger_middle", "bollinger_lower"),
        lambda p: talib.BBANDS(p.close, 20, 2.0, 2.0),
        in_rupees=True,
    ),
)
INDICATOR_COLUMNS: tuple[str, ...] = tuple(column for entry in REGISTRY for column in entry.columns)


def indicators(adjusted_bars: pd.DataFrame) -> pd.DataFrame:
    """Compute every registered indicator for every row of an adjusted frame, of any number of symbols.

    Returns
    -------
    DataFrame
        Indicator frame: one row per input row, sorted by symbol and date, RangeIndex; columns symbol, date and
        ``INDICATOR_COLUMNS``. Prices in ₹ of the row's own day; rsi_14 0-100; atr_percentage in percent of the
        close. NaN until warm, and on rows whose high, low or close is missing.

    Notes
    -----
    Point in time: a row uses rows of its symbol up to its own date. A gap is a gap: the rows before and after it are
    neighbours, no bar is invented. RSI of a share that never moved is 0, as TA-Lib has it.
    """
    bars = _sorted(adjusted_bars).reset_index(drop=True)
    factor = bars["factor"].to_numpy(dtype=np.float64)
    high, low, close = (bars[column].to_numpy(dtype=np.float64) * factor for column in ("high", "low", "close"))
    whole = np.flatnonzero(np.isfinite(high) & np.isfinite(low) & np.isfinite(close))
    # One contiguous block of rows without holes per symbol: a single NaN would void all later values.
    prices = Prices(high[whole], low[whole], close[whole])
    values = _by_symbol(prices, _starts(_codes(bars)[whole]))
    own_rupees = factor[whole]
    columns = {}
    for entry in REGISTRY:
        for name in entry.columns:
            column = values[name] / own_rupees if entry.in_rupees else values[name]
            columns[name] = _on_all_rows(column, whole, len(bars))
    return pd.DataFrame({"symbol": bars["symbol"], "date": bars["date"], **columns}, copy=False)


def indicators_on(adjusted_bars: pd.DataFrame, session: date | pd.Timestamp) -> pd.DataFrame:
    """Compute the indicators of one session from the last ``WARM_UP_ROWS`` rows of each symbol.

    Earlier rows than needed and rows after the session may be in the adjusted frame and are not used.

    Returns
    -------
    DataFrame
        Indicator frame with the rows of that session only, equal to those of a full computation to 1e-9.

    Notes
    -----
    Point in time: rows after ``session`` are cut off first.
    """
    day = pd.Timestamp(session)
    past = adjusted_bars[adjusted_bars["date"] <= day]
    past = _sorted(past[past[["high", "low", "close"]].notna().all(axis=1) | (past["date"] == day)])
    starts = _starts(_codes(past))
    lengths = np.diff(starts)
    from_end = np.repeat(starts[1:], lengths) - np.arange(len(past))
    traded = np.repeat((past["date"] == day).to_numpy()[starts[1:] - 1], lengths)
    values = indicators(past[traded & (from_end <= WARM_UP_ROWS)].reset_index(drop=True))
    return values[values["date"] == day].reset_index(drop=True)


def _by_symbol(prices: Prices, starts: npt.NDArray[np.intp]) -> dict[str, FloatArray]:
    values = {name: np.empty(len(prices.close)) for name in INDICATOR_COLUMNS}
    for start, end in itertools.pairwise(starts):
        block = Prices(prices.high[start:end], prices.low[start:end], prices.close[start:end])
        for entry in REGISTRY:
            for name, column in zip(entry.columns, entry.compute(block), strict=True):
                values[name][start:end] = column
    return values


def _on_all_rows(values: FloatArray, rows: npt.NDArray[np.intp], length: int) -> FloatArray:
    """Values of some rows among all, NaN elsewhere."""
    if len(rows) == length:
        return values
    column = np.full(length, np.nan)
    column[rows] = values
    return column


def _codes(bars: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Integer code of each row's symbol: comparing a million strings would take longer than the indicators."""
    return pd.factorize(bars["symbol"])[0]


def _starts(codes: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Start of each symbol's block of rows, and the end of the last one."""
    if not len(codes):
        return np.zeros(1, dtype=np.intp)
    return np.concatenate(([0], np.flatnonzero(codes[1:] != codes[:-1]) + 1, [len(codes)]))


def _sorted(bars: pd.DataFrame) -> pd.DataFrame:
    """The bars sorted by symbol and date; the same object if they already are."""
    starts, day = _starts(_codes(bars)), bars["date"].to_numpy()
    first = bars["symbol"].iloc[starts[:-1]].to_numpy(dtype=object)
    new_symbol = np.zeros(len(bars) + 1, dtype=bool)
    new_symbol[starts] = True
    in_order = bool(np.all(first[1:] > first[:-1])) and bool(np.all((day[1:] > day[:-1]) | new_symbol[1:-1]))
    return bars if in_order else bars.sort_values(["symbol", "date"], kind="stable")
