"""Facts about a bar that are no model's input: whether the share may be bought, and what costs and intervals need."""

import numpy as np
import pandas as pd

from ml.features.panel import Panel
from ml.features.signals import Signals, volatility

# Limits of the tradable universe: median daily turnover in ₹ lakh, raw price in ₹.
MIN_MEDIAN_TURNOVER_LAKH = 50.0
MIN_PRICE = 20.0
TRADABLE_SERIES = "EQ"

FACTS = ("close", "median_turnover_lakh", "volatility", "sector")


def median_turnover_lakh(panel: Panel) -> "pd.Series[float]":
    """Median turnover of the last 20 sessions, of at least 10, for each row of the panel's frame."""
    medians = pd.DataFrame(panel.turnover).rolling(20, min_periods=10).median().to_numpy()
    return pd.Series(medians[panel.row, panel.column], dtype=np.float64)


def facts(signals: Signals) -> pd.DataFrame:
    """Facts of each bar of a share (no fund).

    Returns
    -------
    DataFrame
        Rows in the order of the frame, index kept.
        tradable: series EQ, median turnover above ₹50 lakh and close above ₹20, both in raw rupees of the day (an
        adjusted price would leak later splits), as the picks ask for;
        close (₹, raw); median_turnover_lakh (₹ lakh, 20 sessions, NaN below 10);
        volatility: standard deviation of the daily log returns of 60 sessions, NaN below 30;
        sector, undated; NaN where unknown.

    Notes
    -----
    Point in time: a row is computed from bars of its date and before.
    """
    adjusted = signals.frame
    turnover = median_turnover_lakh(signals).to_numpy()
    close = adjusted["close"].to_numpy(dtype=np.float64)
    return pd.DataFrame(
        {
            "tradable": (turnover > MIN_MEDIAN_TURNOVER_LAKH)
            & (close > MIN_PRICE)
            & (adjusted["series"] == TRADABLE_SERIES).to_numpy(),
            "close": close,
            "median_turnover_lakh": turnover,
            "volatility": volatility(signals.day_return, 60)[signals.row, signals.column],
            "sector": adjusted["symbol"].map(signals.groups.set_index("symbol")["sector"]).to_numpy(),
        },
        index=adjusted.index,
    )
