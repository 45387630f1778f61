"""Features of a share from its own bars, its rank among those of the day, and the market's return.

Sources: short-term reversal (Jegadeesh 1990), momentum without the last month (Jegadeesh and Titman 1993), nearness
to the 52-week high (George and Hwang 2004), the greatest daily return (Bali, Cakici and Whitelaw 2011), illiquidity
(Amihud 2002), overnight and intraday legs (Lou, Polk and Skouras 2019), range volatility (Parkinson 1980),
idiosyncratic volatility (Ang et al. 2006). The delivered share of the volume is the exchange's own measure of what was
not day-traded.
"""

from collections.abc import Callable, Mapping

import numpy as np

from ml.features.feature import (
    DAILY,
    DELIVERY,
    LOG_RATIO,
    LOG_RETURN,
    NO_START,
    RANK,
    RETURN,
    SHARE,
    SIZE,
    TURNOVER,
    UNKNOWN_BEFORE,
    Feature,
    fewer,
)
from ml.features.panel import (
    Matrix,
    day_ranks,
    lagged,
    log_ratio,
    window_count,
    window_max,
    window_mean,
    window_min,
    window_sum,
    window_variance,
)
from ml.features.signals import Signals, ratio, volatility


def _change(horizon: int, skip: int = 0) -> Callable[[Signals], Matrix]:
    return lambda s: s.change(horizon, skip)


def _usual(values: Matrix) -> Matrix:
    return window_mean(values, 20, 10)


def _recent_less_usual(values: Matrix) -> Matrix:
    return window_mean(values, 5, 3) - window_mean(values, 60, 30)


def _range_ratio(s: Signals) -> Matrix:
    return log_ratio(window_mean(s.range, 5, 3), window_mean(s.range, 60, 30))


def _volatility_ratio(s: Signals) -> Matrix:
    return log_ratio(volatility(s.day_return, 10), volatility(s.day_return, 60))


def _to_high(window: int, least: int) -> Callable[[Signals], Matrix]:
    return lambda s: log_ratio(s.close, window_max(s.high, window, least))


def _to_low(window: int, least: int) -> Callable[[Signals], Matrix]:
    return lambda s: log_ratio(s.close, window_min(s.low, window, least))


def _to_average(window: int) -> Callable[[Signals], Matrix]:
    return lambda s: log_ratio(s.close, window_mean(s.close, window, window // 2))


def _skewness(values: Matrix, window: int) -> Matrix:
    mean = window_mean(values, window, window // 2)
    variance = window_variance(values, window, window // 2)
    third = window_mean(values**3, window, window // 2) - 3 * mean * variance - mean**3
    return np.clip(ratio(third, variance**1.5), -8.0, 8.0)


def _volume_return_correlation(s: Signals) -> Matrix:
    ret, vol = s.day_return, s.log_volume - window_mean(s.log_volume, 60, 20)
    both = np.isfinite(ret) & np.isfinite(vol)
    x, y = np.where(both, ret, np.nan), np.where(both, vol, np.nan)
    covariance = window_mean(x * y, 20, 10) - window_mean(x, 20, 10) * window_mean(y, 20, 10)
    return np.clip(ratio(covariance, np.sqrt(window_variance(x, 20, 10) * window_variance(y, 20, 10))), -1.0, 1.0)


def _delivery_tilt(s: Signals) -> Matrix:
    """Mean delivered share of rising days minus that of falling days, 20 sessions."""
    up = np.where(s.day_return > 0, s.delivery, np.nan)
    down = np.where(s.day_return < 0, s.delivery, np.nan)
    return window_mean(up, 20, 3) - window_mean(down, 20, 3)


def _amihud(s: Signals) -> Matrix:
    return window_mean(ratio(np.abs(s.day_return), s.turnover), 20, 10)


def _close_location(s: Signals) -> Matrix:
    return window_mean(ratio(s.close - s.low, s.high - s.low), 5, 3)


CLOSE, VOLUME, RANGE = ("close",), ("volume",), ("high", "low")

# In the order in which the estimators' columns have always been.
OWN: Mapping[str, Feature] = {
    "return_1": Feature(lambda s: s.day_return, "returns", RETURN, 1, LOG_RETURN, UNKNOWN_BEFORE),
    "return_5": Feature(_change(5), "returns", CLOSE, 5, LOG_RETURN, NO_START),
    "return_10": Feature(_change(10), "returns", CLOSE, 10, LOG_RETURN, NO_START),
    "return_20": Feature(_change(20), "returns", CLOSE, 20, LOG_RETURN, NO_START),
    "return_60": Feature(_change(60), "returns", CLOSE, 60, LOG_RETURN, NO_START),
    "return_120": Feature(_change(120), "returns", CLOSE, 120, LOG_RETURN, NO_START),
    "momentum_12_1": Feature(_change(252, skip=21), "returns", CLOSE, 252, LOG_RETURN, NO_START),
    "overnight_20": Feature(
        lambda s: window_sum(s.overnight, 20, 10), "day", ("open", *RETURN), 20, LOG_RETURN, fewer(10, 20)
    ),
    "intraday_20": Feature(
        lambda s: window_sum(s.intraday, 20, 10), "day", ("open", "close"), 19, LOG_RETURN, fewer(10, 20)
    ),
    "overnight_1": Feature(lambda s: s.overnight, "day", ("open", *RETURN), 1, LOG_RETURN, UNKNOWN_BEFORE),
    "excess_skew_60": Feature(lambda s: _skewness(s.excess, 60), "risk", RETURN, 60, "skewness", fewer(30, 60)),
    "volatility_20": Feature(lambda s: volatility(s.day_return, 20), "risk", RETURN, 20, DAILY, fewer(10, 20)),
    "volatility_60": Feature(lambda s: s.excess_volatility, "risk", RETURN, 60, DAILY, fewer(30, 60)),
    "volatility_ratio": Feature(_volatility_ratio, "risk", RETURN, 60, LOG_RATIO, fewer(30, 60)),
    "beta_120": Feature(lambda s: s.beta, "risk", RETURN, 120, "slope", fewer(60, 120)),
    "range_20": Feature(lambda s: _usual(s.range), "risk", RANGE, 19, DAILY, fewer(10, 20)),
    "range_ratio": Feature(_range_ratio, "risk", RANGE, 59, LOG_RATIO, fewer(30, 60)),
    "highest_return_20": Feature(
        lambda s: window_max(s.day_return, 20, 10), "risk", RETURN, 20, LOG_RETURN, fewer(10, 20)
    ),
    "lowest_return_20": Feature(
        lambda s: window_min(s.day_return, 20, 10), "risk", RETURN, 20, LOG_RETURN, fewer(10, 20)
    ),
    "high_52w": Feature(_to_high(252, 60), "levels", ("close", "high"), 251, LOG_RATIO, fewer(60, 252)),
    "low_52w": Feature(_to_low(252, 60), "levels", ("close", "low"), 251, LOG_RATIO, fewer(60, 252)),
    "high_20": Feature(_to_high(20, 10), "levels", ("close", "high"), 19, LOG_RATIO, fewer(10, 20)),
    "sma_50": Feature(_to_average(50), "levels", CLOSE, 49, LOG_RATIO, fewer(25, 50)),
    "sma_200": Feature(_to_average(200), "levels", CLOSE, 199, LOG_RATIO, fewer(100, 200)),
    "vwap_1": Feature(lambda s: s.above_vwap, "day", ("close", "vwap"), 0, LOG_RATIO, "no average price"),
    "vwap_10": Feature(
        lambda s: window_mean(s.above_vwap, 10, 5), "day", ("close", "vwap"), 9, LOG_RATIO, fewer(5, 10)
    ),
    "close_location_5": Feature(_close_location, "day", ("close", *RANGE), 4, "0 low - 1 high", fewer(3, 5)),
    "turnover_rank": Feature(
        lambda s: day_ranks(_usual(s.log_turnover)), "liquidity", TURNOVER, 19, RANK, fewer(10, 20)
    ),
    "amihud_rank": Feature(lambda s: day_ranks(_amihud(s)), "liquidity", (*RETURN, *TURNOVER), 20, RANK, fewer(10, 20)),
    "volume_1": Feature(
        lambda s: s.log_volume - _usual(s.log_volume), "liquidity", VOLUME, 19, LOG_RATIO, fewer(10, 20)
    ),
    "volume_ratio": Feature(
        lambda s: _recent_less_usual(s.log_volume), "liquidity", VOLUME, 59, LOG_RATIO, fewer(30, 60)
    ),
    "volume_noise": Feature(
        lambda s: volatility(s.log_volume - lagged(s.log_volume, 1), 20), "liquidity", VOLUME, 20, DAILY, fewer(10, 20)
    ),
    "volume_return_20": Feature(
        _volume_return_correlation, "liquidity", (*RETURN, *VOLUME), 78, "correlation", fewer(10, 20)
    ),
    "delivery_1": Feature(lambda s: s.delivery - _usual(s.delivery), "delivery", DELIVERY, 19, SHARE, fewer(10, 20)),
    "delivery_20": Feature(lambda s: _usual(s.delivery), "delivery", DELIVERY, 19, SHARE, fewer(10, 20)),
    "delivery_change": Feature(
        lambda s: _recent_less_usual(s.delivery), "delivery", DELIVERY, 59, SHARE, fewer(30, 60)
    ),
    "delivery_tilt": Feature(
        _delivery_tilt, "delivery", (*RETURN, *DELIVERY), 20, SHARE, "fewer than 3 rising or 3 falling of 20 sessions"
    ),
    "trade_size_rank": Feature(lambda s: day_ranks(_usual(s.trade_size)), "liquidity", SIZE, 19, RANK, fewer(10, 20)),
    "trade_size_ratio": Feature(
        lambda s: _recent_less_usual(s.trade_size), "liquidity", SIZE, 59, LOG_RATIO, fewer(30, 60)
    ),
    "days_traded": Feature(lambda s: window_count(s.close, 252), "liquidity", CLOSE, 251, "sessions", "never"),
}
