"""The contract's set of features: levels, indicators and fundamentals under the names of its readme."""

import numpy as np
import pandas as pd

KEYS = ("symbol", "date")

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
