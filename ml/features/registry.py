"""The models' inputs: features of a share at the close of a session.

Two sets. The default one is scale-free (returns, ratios, ranks within the day), so that a model cannot recognise a
split, a price level or a year of the market by its size; each feature is one entry of ``FEATURES``. The contract's set
(levels, indicators, fundamentals under the names of its readme) is computed by ``contract_features``.

Sources: short-term reversal (Jegadeesh 1990), momentum without the last month (Jegadeesh and Titman 1993), nearness
to the 52-week high (George and Hwang 2004), the greatest daily return (Bali, Cakici and Whitelaw 2011), illiquidity
(Amihud 2002), overnight and intraday legs (Lou, Polk and Skouras 2019), range volatility (Parkinson 1980),
idiosyncratic volatility (Ang et al. 2006). The delivered share of the volume is the exchange's own measure of what was
not day-traded.
"""

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
import pandas as pd

from ml.features.panel import (
    Matrix,
    Panel,
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

# Sessions before a date that its features depend on: a year plus the gap over which a last price counts; or the 120
# sessions of beta plus the longest gap before the first of their returns. Rounded up.
WARM_UP_SESSIONS = 280

KEYS = ("symbol", "date")

# Limits of the tradable universe: median daily turnover in ₹ lakh, raw price in ₹.
MIN_MEDIAN_TURNOVER_LAKH = 50.0
MIN_PRICE = 20.0


class Signals(Panel):
    """Derived series that several features share."""

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
        return np.clip(_ratio(covariance, window_variance(market, 120, 60)), -1.0, 4.0)


def _ratio(numerator: Matrix, denominator: Matrix) -> Matrix:
    result = np.full_like(numerator, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result


def _volatility(values: Matrix, window: int) -> Matrix:
    return np.sqrt(window_variance(values, window, window // 2))


def _amihud(s: Signals) -> Matrix:
    return window_mean(_ratio(np.abs(s.day_return), s.turnover), 20, 10)


def _skewness(values: Matrix, window: int) -> Matrix:
    mean = window_mean(values, window, window // 2)
    variance = window_variance(values, window, window // 2)
    third = window_mean(values**3, window, window // 2) - 3 * mean * variance - mean**3
    return np.clip(_ratio(third, variance**1.5), -8.0, 8.0)


def _volume_return_correlation(s: Signals) -> Matrix:
    ret, vol = s.day_return, s.log_volume - window_mean(s.log_volume, 60, 20)
    both = np.isfinite(ret) & np.isfinite(vol)
    x, y = np.where(both, ret, np.nan), np.where(both, vol, np.nan)
    covariance = window_mean(x * y, 20, 10) - window_mean(x, 20, 10) * window_mean(y, 20, 10)
    return np.clip(_ratio(covariance, np.sqrt(window_variance(x, 20, 10) * window_variance(y, 20, 10))), -1.0, 1.0)


def _delivery_tilt(s: Signals) -> Matrix:
    """Mean delivered share of rising days minus that of falling days, 20 sessions."""
    up = np.where(s.day_return > 0, s.delivery, np.nan)
    down = np.where(s.day_return < 0, s.delivery, np.nan)
    return window_mean(up, 20, 3) - window_mean(down, 20, 3)


# One entry per feature: name → matrix of sessions × symbols.
FEATURES: Mapping[str, Callable[[Signals], Matrix]] = {
    "return_1": lambda s: s.day_return,
    "return_5": lambda s: s.change(5),
    "return_10": lambda s: s.change(10),
    "return_20": lambda s: s.change(20),
    "return_60": lambda s: s.change(60),
    "return_120": lambda s: s.change(120),
    "momentum_12_1": lambda s: s.change(252, skip=21),
    "overnight_20": lambda s: window_sum(s.overnight, 20, 10),
    "intraday_20": lambda s: window_sum(s.intraday, 20, 10),
    "overnight_1": lambda s: s.overnight,
    "excess_skew_60": lambda s: _skewness(s.excess, 60),
    "volatility_20": lambda s: _volatility(s.day_return, 20),
    "volatility_60": lambda s: _volatility(s.excess, 60),
    "volatility_ratio": lambda s: log_ratio(_volatility(s.day_return, 10), _volatility(s.day_return, 60)),
    "beta_120": lambda s: s.beta,
    "range_20": lambda s: window_mean(s.range, 20, 10),
    "range_ratio": lambda s: log_ratio(window_mean(s.range, 5, 3), window_mean(s.range, 60, 30)),
    "highest_return_20": lambda s: window_max(s.day_return, 20, 10),
    "lowest_return_20": lambda s: window_min(s.day_return, 20, 10),
    "high_52w": lambda s: log_ratio(s.close, window_max(s.high, 252, 60)),
    "low_52w": lambda s: log_ratio(s.close, window_min(s.low, 252, 60)),
    "high_20": lambda s: log_ratio(s.close, window_max(s.high, 20, 10)),
    "sma_50": lambda s: log_ratio(s.close, window_mean(s.close, 50, 25)),
    "sma_200": lambda s: log_ratio(s.close, window_mean(s.close, 200, 100)),
    "vwap_1": lambda s: s.above_vwap,
    "vwap_10": lambda s: window_mean(s.above_vwap, 10, 5),
    "close_location_5": lambda s: window_mean(_ratio(s.close - s.low, s.high - s.low), 5, 3),
    "turnover_rank": lambda s: day_ranks(window_mean(s.log_turnover, 20, 10)),
    "amihud_rank": lambda s: day_ranks(_amihud(s)),
    "volume_1": lambda s: s.log_volume - window_mean(s.log_volume, 20, 10),
    "volume_ratio": lambda s: window_mean(s.log_volume, 5, 3) - window_mean(s.log_volume, 60, 30),
    "volume_noise": lambda s: _volatility(s.log_volume - lagged(s.log_volume, 1), 20),
    "volume_return_20": _volume_return_correlation,
    "delivery_1": lambda s: s.delivery - window_mean(s.delivery, 20, 10),
    "delivery_20": lambda s: window_mean(s.delivery, 20, 10),
    "delivery_change": lambda s: window_mean(s.delivery, 5, 3) - window_mean(s.delivery, 60, 30),
    "delivery_tilt": _delivery_tilt,
    "trade_size_rank": lambda s: day_ranks(window_mean(s.trade_size, 20, 10)),
    "trade_size_ratio": lambda s: window_mean(s.trade_size, 5, 3) - window_mean(s.trade_size, 60, 30),
    "days_traded": lambda s: window_count(s.close, 252),
}


def features(adjusted: pd.DataFrame, sessions: pd.DatetimeIndex, since: pd.Timestamp | None = None) -> pd.DataFrame:
    """Scale-free features of each bar.

    Parameters
    ----------
    adjusted
        Adjusted frame of shares only (funds would distort ranks and the market's return); for the features of a
        session it must contain the ``WARM_UP_SESSIONS`` before it.
    sessions
        The market's sessions, ascending; must contain every date of the frame.
    since
        First session of the result; by default all.

    Returns
    -------
    DataFrame
        symbol, date, then one float64 column per entry of ``FEATURES``; rows in the order of ``adjusted``, index kept.
        NaN where the history is too short or has too many gaps.

    Notes
    -----
    Point in time: a row is computed from bars of its date and before. Once ``WARM_UP_SESSIONS`` are given, values do
    not depend on how much more history is.
    """
    signals = Signals(adjusted, sessions)
    rows = np.ones(len(adjusted), dtype=bool) if since is None else (adjusted["date"] >= since).to_numpy()
    row, column = signals.row[rows], signals.column[rows]
    values = {name: compute(signals)[row, column] for name, compute in FEATURES.items()}
    return pd.concat([adjusted.loc[rows, list(KEYS)], pd.DataFrame(values, index=adjusted.index[rows])], axis=1)


def tradable(adjusted: pd.DataFrame, sessions: pd.DatetimeIndex) -> pd.Series:
    """Whether each bar of a share (no fund) is liquid enough to buy, by the frame's index.

    The median turnover of the last 20 sessions (at least 10 traded) must be above ₹50 lakh and the close above ₹20,
    both in raw rupees of the day: an adjusted price would leak later splits.
    """
    panel = Panel(adjusted, sessions)
    median = pd.DataFrame(panel.turnover).rolling(20, min_periods=10).median().to_numpy()[panel.row, panel.column]
    liquid = (median > MIN_MEDIAN_TURNOVER_LAKH) & (adjusted["close"].to_numpy() > MIN_PRICE)
    return pd.Series(liquid, index=adjusted.index, name="tradable")


CONTRACT_LEVELS = ("current_price", "market_cap", "volume")
CONTRACT_FACTS = (
    *("pe_ratio", "pb_ratio", "roe", "eps", "beta", "debt_to_equity"),
    *("revenue_growth", "earnings_growth", "operating_margin", "net_margin", "historical_volatility_1y"),
)
CONTRACT_INDICATORS = (
    *("atr_14", "atr_percentage", "rsi_14", "macd", "signal_line", "macd_histogram"),
    *("sma_50", "sma_200", "ema_12", "ema_26"),
)
CONTRACT_ENGINEERED = ("sma_ratio", "ema_diff", "price_vs_sma50", "price_vs_sma200")
CONTRACT_FEATURES = (*CONTRACT_LEVELS, *CONTRACT_FACTS, *CONTRACT_INDICATORS, *CONTRACT_ENGINEERED)


def contract_features(adjusted: pd.DataFrame, indicators: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """The 28 features that the contract's readme names.

    Parameters
    ----------
    adjusted
        Adjusted frame; only its raw prices and volumes are used.
    indicators
        Indicator frame (values in each day's own rupees).
    facts
        Dated facts: symbol, date and any of market_cap and ``CONTRACT_FACTS`` as known at the close of that date.

    Returns
    -------
    DataFrame
        symbol, date and ``CONTRACT_FEATURES`` as float64, one row per row of ``adjusted``, same order and index;
        NaN where a fact or indicator is not known.

    Notes
    -----
    Point in time: facts are joined on their own date only, never carried backwards.
    """
    rows = adjusted[[*KEYS]].assign(current_price=adjusted["close"], volume=adjusted["volume"].astype("float64"))
    available = [name for name in ("market_cap", *CONTRACT_FACTS) if name in facts.columns]
    rows = rows.merge(indicators[[*KEYS, *CONTRACT_INDICATORS]], on=list(KEYS), how="left", validate="one_to_one")
    rows = rows.merge(facts[[*KEYS, *available]], on=list(KEYS), how="left", validate="one_to_one")
    rows["sma_ratio"] = rows["sma_50"] / rows["sma_200"]
    rows["ema_diff"] = rows["ema_12"] - rows["ema_26"]
    rows["price_vs_sma50"] = rows["current_price"] / rows["sma_50"]
    rows["price_vs_sma200"] = rows["current_price"] / rows["sma_200"]
    rows.index = adjusted.index
    numbers = rows.reindex(columns=list(CONTRACT_FEATURES)).astype("float64")
    return pd.concat([rows[[*KEYS]], numbers.where(np.isfinite(numbers))], axis=1)
