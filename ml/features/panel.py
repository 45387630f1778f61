"""A market as matrices of sessions × symbols, with window functions that depend on the window's values only.

Rolling sums by running totals carry the rounding of everything before the window, so the same day computed from a
longer or shorter history differs in its last digits. Here a window of ``n`` sessions is combined from windows of
1, 2, 4, 8, … sessions: log2(n) passes, and the result is bitwise independent of values outside the window. Windows
count sessions of the market, not rows of a share: a session without a trade is NaN.
"""

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

Matrix = npt.NDArray[np.float64]

# A last price counts for this many sessions; a return from an older one would not be of the stated horizon.
STALE_AFTER_SESSIONS = 20

# After a longer gap a share starts afresh: its first return would depend on history beyond the warm-up.
LONGEST_GAP_SESSIONS = 150


class UnknownSession(ValueError):
    """A bar's date is not among the market's sessions."""


def lagged(values: Matrix, sessions: int, fill: float = np.nan) -> Matrix:
    """Shift a matrix down: row ``t`` of the result is row ``t - sessions``."""
    result = np.full_like(values, fill)
    if sessions < len(values):
        result[sessions:] = values[: len(values) - sessions]
    return result


def _combined(values: Matrix, window: int, combine: Callable[[Matrix, Matrix], Matrix], identity: float) -> Matrix:
    """Combine the last ``window`` rows at each row, from windows whose sizes are powers of two."""
    result: Matrix | None = None
    power, size, covered = values, 1, 0
    while size <= window:
        if window & size:
            part = lagged(power, covered, identity)
            result = part if result is None else combine(result, part)
            covered += size
        if size * 2 <= window:
            power = combine(power, lagged(power, size, identity))
        size *= 2
    if result is None:
        raise ValueError(f"A window needs at least one session, not {window}.")
    return result


def window_count(values: Matrix, window: int) -> Matrix:
    """Number of finite values among the last ``window`` sessions."""
    return _combined(np.isfinite(values).astype(np.float64), window, np.add, 0.0)


def window_sum(values: Matrix, window: int, min_count: int) -> Matrix:
    """Sum over the last ``window`` sessions; NaN where fewer than ``min_count`` values are finite."""
    total = _combined(np.where(np.isfinite(values), values, 0.0), window, np.add, 0.0)
    return np.where(window_count(values, window) >= min_count, total, np.nan)


def window_mean(values: Matrix, window: int, min_count: int) -> Matrix:
    """Mean of the finite values of the last ``window`` sessions."""
    count = window_count(values, window)
    total = _combined(np.where(np.isfinite(values), values, 0.0), window, np.add, 0.0)
    return np.where(count >= min_count, total / np.maximum(count, 1.0), np.nan)


def window_variance(values: Matrix, window: int, min_count: int) -> Matrix:
    """Population variance over the last ``window`` sessions; for values near 0 (returns), or digits would cancel."""
    mean = window_mean(values, window, min_count)
    variance: Matrix = np.maximum(window_mean(values * values, window, min_count) - mean * mean, 0.0)
    return variance


def window_max(values: Matrix, window: int, min_count: int) -> Matrix:
    """Highest value of the last ``window`` sessions."""
    highest = _combined(np.where(np.isfinite(values), values, -np.inf), window, np.maximum, -np.inf)
    return np.where(window_count(values, window) >= min_count, highest, np.nan)


def window_min(values: Matrix, window: int, min_count: int) -> Matrix:
    """Lowest value of the last ``window`` sessions."""
    return -window_max(-values, window, min_count)


def forward_filled(values: Matrix, limit: int = STALE_AFTER_SESSIONS) -> Matrix:
    """Fill gaps with the last value, at most ``limit`` sessions old."""
    row = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isfinite(values), row, -1), axis=0)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where((last >= 0) & (row - last <= limit), filled, np.nan)


def day_ranks(values: Matrix) -> Matrix:
    """Rank of each value within its row (day), ties averaged, scaled to the open interval 0-1; NaN stays NaN."""
    ranks: Matrix = pd.DataFrame(values).rank(axis=1).to_numpy()
    count = np.isfinite(values).sum(axis=1, keepdims=True)
    scaled: Matrix = (ranks - 0.5) / np.maximum(count, 1)
    return scaled


def log_ratio(numerator: Matrix, denominator: Matrix) -> Matrix:
    """Natural logarithm of a ratio; NaN unless both are positive."""
    positive = (numerator > 0) & (denominator > 0)
    result = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    np.log(np.divide(numerator, denominator, out=result, where=positive), out=result, where=positive)
    return result


class Panel:
    """An adjusted frame as matrices of sessions × symbols; derived matrices are computed once, on first use.

    The frame has one row per (symbol, date) and a ``factor``; the market's sessions, ascending, midnight, must contain
    each of its dates. Point in time: row ``t`` of every matrix depends on rows up to ``t`` only.
    """

    def __init__(self, adjusted: pd.DataFrame, sessions: pd.DatetimeIndex) -> None:
        self.sessions = sessions
        codes, self.symbols = pd.factorize(adjusted["symbol"], sort=True)
        self.column = np.asarray(codes, dtype=np.intp)
        self.row = sessions.get_indexer(pd.DatetimeIndex(adjusted["date"]))
        if (self.row < 0).any():
            unknown = adjusted["date"].to_numpy()[self.row < 0][0]
            raise UnknownSession(f"{pd.Timestamp(unknown).date()} has bars but is not a session of the market.")
        self.frame = adjusted

    def spread(self, values: npt.ArrayLike) -> Matrix:
        """Place one value per row of the frame into a matrix; NaN elsewhere."""
        matrix = np.full((len(self.sessions), len(self.symbols)), np.nan)
        matrix[self.row, self.column] = values
        return matrix

    def _numbers(self, name: str) -> Matrix:
        numbers: Matrix = self.frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        return numbers

    def raw(self, name: str) -> Matrix:
        return self.spread(self._numbers(name))

    def price(self, name: str) -> Matrix:
        """A price column, adjusted; ₹ of the day of knowledge; NaN unless positive."""
        numbers = self._numbers(name)
        return self.spread(np.where(numbers > 0, numbers * self._numbers("factor"), np.nan))

    @cached_property
    def open(self) -> Matrix:
        return self.price("open")

    @cached_property
    def high(self) -> Matrix:
        return self.price("high")

    @cached_property
    def low(self) -> Matrix:
        return self.price("low")

    @cached_property
    def close(self) -> Matrix:
        return self.price("close")

    @cached_property
    def vwap(self) -> Matrix:
        """Adjusted volume-weighted average price of the day."""
        return self.price("vwap")

    @cached_property
    def last_close(self) -> Matrix:
        """Adjusted close, carried over gaps of at most ``STALE_AFTER_SESSIONS``."""
        return forward_filled(self.close)

    @cached_property
    def volume(self) -> Matrix:
        """Adjusted number of shares traded."""
        return self.spread(self._numbers("volume") / self._numbers("factor"))

    @cached_property
    def turnover(self) -> Matrix:
        """₹ lakh, as published (corporate actions do not change it)."""
        return self.raw("turnover_lakh")

    @cached_property
    def previous_close(self) -> Matrix:
        """Adjusted close of the previous session.

        After a gap it is the exchange's PREV_CLOSE, which covers trades in another series; but not across an event
        (PREV_CLOSE is not adjusted for it), and never on a first row or after a gap of more than
        ``LONGEST_GAP_SESSIONS`` (PREV_CLOSE may be years old).
        """
        before = lagged(self.close, 1)
        factor = self.raw("factor")
        same_scale = lagged(forward_filled(factor, limit=LONGEST_GAP_SESSIONS), 1) == factor
        published = np.where(same_scale, self.price("prev_close"), np.nan)
        return np.where(np.isfinite(before), before, published)

    @cached_property
    def day_return(self) -> Matrix:
        """Log return of the close over the previous close."""
        return log_ratio(self.close, self.previous_close)

    @cached_property
    def market_return(self) -> Matrix:
        """Equal-weighted mean of the day's log returns (each clipped to ±0.2), one column."""
        rows = [row[np.isfinite(row)] for row in np.clip(self.day_return, -0.2, 0.2)]
        # fsum rounds once: the mean must not depend on the order of columns, which changes with later listings.
        return np.array([[math.fsum(row) / len(row) if len(row) else np.nan] for row in rows])

    def change(self, horizon: int, skip: int = 0) -> Matrix:
        """Log return from ``horizon`` to ``skip`` sessions ago."""
        end = self.close if skip == 0 else lagged(self.last_close, skip)
        return log_ratio(end, lagged(self.last_close, horizon))
