"""Bars by symbol and session, as exact prices on demand, with what was known before each session; pure.

Matrices hold the stored doubles; a price becomes the decimal number that its shortest text is. Volatility and median
turnover are statistics and stay doubles until an order meets them.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.costs import impact_pct
from portfolio.trading.account import Quote
from portfolio.trading.bars import FACTOR_TOLERANCE, Bar, exact
from portfolio.trading.impact import Liquidity

WINDOW_SESSIONS: Final = 20
_PRICES: Final = ("open", "high", "low", "close", "adj_close")
_LAKH: Final = Decimal(100_000)

Floats = npt.NDArray[np.float64]


class Panel:
    """Bars of some symbols on all sessions of a history.

    Parameters
    ----------
    bars
        symbol, date (midnight), open, high, low, close, adj_close (₹), turnover_lakh: final bars. A bar without a
        positive price counts as none.
    sessions
        The sessions of the market, ascending; bars of other days are left out.

    Notes
    -----
    Point in time: what is known of a session uses nothing after its close, and `liquidity` nothing of the session.
    Only the ratio of two sessions' factors is used, which later events leave as it is.
    """

    def __init__(self, bars: pd.DataFrame, sessions: Sequence[date]) -> None:
        self.sessions = list(sessions)
        prices = bars[list(_PRICES)].to_numpy(dtype=np.float64)
        index = pd.DatetimeIndex(pd.to_datetime(self.sessions)).get_indexer(pd.DatetimeIndex(bars["date"]))
        known = (index >= 0) & (prices > 0).all(axis=1)
        codes, symbols = pd.factorize(bars["symbol"][known])
        self._column = {str(symbol): column for column, symbol in enumerate(symbols)}
        self._shape = len(self.sessions), len(symbols)
        at = index[known], codes
        matrices = {name: self._matrix(at, prices[known, place]) for place, name in enumerate(_PRICES)}
        self._open, self._high, self._low = matrices["open"], matrices["high"], matrices["low"]
        self._close, self._adjusted = matrices["close"], matrices["adj_close"]
        self._turnover_lakh = self._matrix(at, bars["turnover_lakh"].to_numpy(dtype=np.float64)[known])

    def _matrix(self, at: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]], values: Floats) -> Floats:
        matrix = np.full(self._shape, np.nan)
        matrix[at] = values
        return matrix

    @cached_property
    def _last(self) -> npt.NDArray[np.intp]:
        """Index of each symbol's last bar up to each session; -1 before the first."""
        rows = np.where(np.isnan(self._close), -1, np.arange(self._shape[0])[:, None])
        return np.maximum.accumulate(rows, axis=0) if len(rows) else rows

    @cached_property
    def _before(self) -> Floats:
        """Adjusted close of each symbol's last bar before each session."""
        filled = pd.DataFrame(self._adjusted).ffill().shift()
        return filled.to_numpy(dtype=np.float64)

    @cached_property
    def _may_change(self) -> npt.NDArray[np.bool_]:
        """Where the factor may differ from that of the bar before; the exact figures decide."""
        factor = self._adjusted / self._close
        before: Floats = pd.DataFrame(factor).ffill().shift().to_numpy(dtype=np.float64)
        return np.asarray(np.abs(factor - before) > float(FACTOR_TOLERANCE) / 2)

    @cached_property
    def _known_before(self) -> tuple[Floats, Floats, Floats]:
        """Median turnover (₹ lakh), volatility and base impact (percent) of the twenty sessions before each session."""
        turnover = pd.DataFrame(self._turnover_lakh).rolling(WINDOW_SESSIONS, min_periods=1).median().shift()
        # The mean of two middle values is off by a binary digit, which would take a share from an order's largest size.
        median = np.round(turnover.to_numpy(dtype=np.float64), 6)
        return median, self._volatility(), impact_pct(median)

    def _volatility(self) -> Floats:
        """Sample standard deviation of the daily returns of the twenty sessions before; NaN below two returns."""
        returns = self._adjusted / self._before - 1
        volatility = np.full(self._shape, np.nan)
        for row in range(1, self._shape[0]):
            window = returns[max(row - WINDOW_SESSIONS, 0) : row]
            known = ~np.isnan(window)
            count = known.sum(axis=0)
            filled = np.where(known, window, 0.0)
            mean = filled.sum(axis=0) / np.maximum(count, 1)
            squares = (np.where(known, window - mean, 0.0) ** 2).sum(axis=0)
            enough = count >= 2
            volatility[row, enough] = np.sqrt(squares[enough] / (count[enough] - 1))
        return volatility

    @property
    def symbols(self) -> list[str]:
        """The symbols that have a bar at all."""
        return list(self._column)

    def has(self, symbol: str) -> bool:
        """Whether the symbol has a bar at all."""
        return symbol in self._column

    def bar(self, symbol: str, at: int) -> Bar | None:
        """The symbol's bar of the session with an index; None without one."""
        column = self._column.get(symbol)
        if column is None or np.isnan(self._close[at, column]):
            return None
        before = self._before[at, column]
        close = exact(self._close[at, column])
        return Bar(
            exact(self._open[at, column]),
            exact(self._high[at, column]),
            exact(self._low[at, column]),
            close,
            exact(self._adjusted[at, column]) / close,
            None if np.isnan(before) else exact(before),
        )

    def opening(self, symbol: str, at: int) -> Decimal | None:
        """The symbol's opening price on a session; None without a bar."""
        column = self._column.get(symbol)
        if column is None or np.isnan(self._open[at, column]):
            return None
        return exact(self._open[at, column])

    def last_session(self, symbol: str, at: int) -> int:
        """Index of the symbol's last bar up to a session; it has one."""
        return int(self._last[at, self._column[symbol]])

    def last_close(self, symbol: str, at: int) -> Decimal:
        """Close of the symbol's last bar up to a session; it has one."""
        return exact(self._close[self.last_session(symbol, at), self._column[symbol]])

    def factor_change(self, symbol: str, at: int) -> tuple[Decimal, Decimal] | None:
        """The symbol's factor on a session and on the bar before, where they differ by more than the tolerance."""
        column = self._column[symbol]
        if not self._may_change[at, column]:
            return None
        before = int(self._last[at - 1, column])
        new, old = (exact(self._adjusted[row, column]) / exact(self._close[row, column]) for row in (at, before))
        return (new, old) if abs(new - old) > FACTOR_TOLERANCE else None

    def median_turnover(self, symbol: str, at: int) -> Decimal | None:
        """Median turnover in ₹ of the twenty sessions before a session; None where it is not known or nothing."""
        median = self._known_before[0][at, self._column[symbol]]
        return exact(median) * _LAKH if median > 0 else None

    def liquidity(self, symbol: str, at: int) -> Liquidity | None:
        """What the twenty sessions before a session say of the symbol; None without turnover or two returns."""
        _, volatility, base_pct = (figures[at, self._column[symbol]] for figures in self._known_before)
        turnover = self.median_turnover(symbol, at)
        if turnover is None or np.isnan(volatility):
            return None
        return Liquidity(turnover, exact(volatility), exact(base_pct) / 100)


class PanelSession:
    """A session of a panel, by its index, as `portfolio.trading.session.Market`."""

    def __init__(self, panel: Panel, at: int) -> None:
        self._panel, self._at = panel, at

    def quote(self, symbol: str) -> Quote | None:
        bar = self._panel.bar(symbol, self._at)
        if bar is None:
            return None
        return Quote(bar, self._panel.liquidity(symbol, self._at), self._panel.median_turnover(symbol, self._at))

    def last_close(self, symbol: str) -> Decimal:
        return self._panel.last_close(symbol, self._at)
