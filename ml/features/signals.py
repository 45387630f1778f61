"""Series derived from a panel that several features share."""

from functools import cached_property

import numpy as np
import pandas as pd

from ml.features.groups import Grouping, grouping
from ml.features.panel import Matrix, Panel, log_ratio, window_mean, window_variance

# Moves beyond this log return (× or ÷ 4.5) say more about one event than about the share's group.
LARGEST_MOVE = 1.5


def ratio(numerator: Matrix, denominator: Matrix) -> Matrix:
    """Quotient of two matrices; NaN unless the denominator is positive."""
    result = np.full_like(numerator, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result


def volatility(values: Matrix, window: int) -> Matrix:
    """Standard deviation over the last ``window`` sessions, of at least half of them."""
    return np.sqrt(window_variance(values, window, window // 2))


class Signals(Panel):
    """A panel with derived series and the groups of its shares (``GROUP_COLUMNS``, one row a symbol; may be empty)."""

    def __init__(self, adjusted: pd.DataFrame, sessions: pd.DatetimeIndex, groups: pd.DataFrame) -> None:
        super().__init__(adjusted, sessions)
        self.groups = groups

    @cached_property
    def range(self) -> Matrix:
        """Log of the day's high over its low."""
        return log_ratio(self.high, self.low)

    @cached_property
    def overnight(self) -> Matrix:
        """Log return from the previous close to the open."""
        return log_ratio(self.open, self.previous_close)

    @cached_property
    def intraday(self) -> Matrix:
        """Log return from open to close."""
        return log_ratio(self.close, self.open)

    @cached_property
    def above_vwap(self) -> Matrix:
        """Log of close over the day's volume-weighted average price."""
        return log_ratio(self.close, self.vwap)

    @cached_property
    def log_volume(self) -> Matrix:
        """Log of 1 + adjusted shares traded."""
        return np.log1p(self.volume)

    @cached_property
    def log_turnover(self) -> Matrix:
        """Log of 1 + turnover in ₹ thousand."""
        return np.log1p(self.turnover * 100)

    @cached_property
    def delivery(self) -> Matrix:
        """Delivered share of the volume, 0-1."""
        volume = self.raw("volume")
        share = np.full_like(volume, np.nan)
        np.divide(self.raw("delivered_quantity"), volume, out=share, where=volume > 0)
        return np.clip(share, 0.0, 1.0)

    @cached_property
    def trade_size(self) -> Matrix:
        """Log of ₹ per trade."""
        return log_ratio(self.turnover, self.raw("trades"))

    @cached_property
    def excess(self) -> Matrix:
        """Log return minus the market's."""
        return self.day_return - self.market_return

    @cached_property
    def beta(self) -> Matrix:
        """Slope of the daily return on the market's over 120 sessions, limited to -1..4."""
        # Both means must be over the same sessions, those on which the share traded.
        traded = np.isfinite(self.day_return)
        market = np.where(traded, self.market_return, np.nan)
        own = np.where(traded, self.day_return, np.nan)
        covariance = window_mean(own * market, 120, 60) - window_mean(own, 120, 60) * window_mean(market, 120, 60)
        return np.clip(ratio(covariance, window_variance(market, 120, 60)), -1.0, 4.0)

    @cached_property
    def sector(self) -> Grouping:
        return grouping(self.groups, "sector", self.symbols)

    @cached_property
    def industry(self) -> Grouping:
        return grouping(self.groups, "industry", self.symbols)

    @cached_property
    def usual_turnover(self) -> Matrix:
        """Mean of the last 20 sessions, ₹ lakh."""
        return window_mean(self.turnover, 20, 10)

    @cached_property
    def excess_volatility(self) -> Matrix:
        """Standard deviation of the daily excess over 60 sessions; also of shares that do not trade on the day."""
        return volatility(self.excess, 60)

    def move(self, horizon: int) -> Matrix:
        """Log return over a horizon, limited; NaN unless the share trades on the day."""
        return np.clip(self.day_return if horizon == 1 else self.change(horizon), -LARGEST_MOVE, LARGEST_MOVE)
