"""Checks of stored indicators: presence, bounds, and the arithmetic relations to the session's bar; pure.

The relations need no history, so they expose a stored row that was computed from other bars.
"""

import numpy as np
import pandas as pd

from market_data.quality.checks.check import Blocks, Check, Fault, first_reason, symbol_faults
from market_data.quality.checks.evidence import Evidence

TOLERANCE = 1e-6
BAND_SIGMAS, BAND_ROWS, ATR_ROWS = 2, 20, 14
EMA_SPANS = {"ema_12": 12, "ema_26": 26}


def missing_indicators(evidence: Evidence) -> list[Fault]:
    """Bars without a row of indicators."""
    rows = evidence.bars[~evidence.bars["symbol"].isin(evidence.indicators["symbol"])]
    return symbol_faults(rows, "{symbol} has a bar and no indicators", "close")


def indicator_bounds(evidence: Evidence) -> list[Fault]:
    """Indicators outside the bounds of their definition, whatever the bars."""
    rows = evidence.indicators
    gap = (rows["macd"] - rows["signal_line"] - rows["macd_histogram"]).abs()
    lower, middle, upper = (rows[f"bollinger_{name}"] for name in ("lower", "middle", "upper"))
    averages = rows[["sma_20", "sma_50", "sma_200", "ema_12", "ema_26"]]
    reasons = {
        "an RSI of {rsi_14:.4g}": ~rows["rsi_14"].between(0, 100) & rows["rsi_14"].notna(),
        "an average true range of {atr_14:.4g}": rows["atr_14"] < 0,
        "Bollinger bands out of order": (lower > middle) | (middle > upper),
        "an average price that is not positive": (averages <= 0).any(axis=1),
        "a MACD histogram that is not MACD minus signal": gap > TOLERANCE * (1 + rows["macd"].abs()),
    }
    return _reasons(rows, reasons)


def indicator_contradicts_bar(evidence: Evidence) -> list[Fault]:
    """Indicators that no series ending in the session's bar can have."""
    today = ["symbol", "high", "low", "close", "adj_close", "last_close", "last_adj_close", "age"]
    rows = evidence.indicators.merge(evidence.bars[today], on="symbol")
    close, middle = rows["close"], rows["bollinger_middle"]
    slack, half_band = TOLERANCE * close, (rows["bollinger_upper"] - middle) / BAND_SIGMAS
    atr_pct = 100 * rows["atr_14"] / close
    reasons = {
        "a Bollinger middle that is not its 20-session average": (middle - rows["sma_20"]).abs() > slack,
        # One of n values lies at most √(n−1) standard deviations from their mean.
        "a close further from its Bollinger bands than 20 prices allow": (close - middle).abs()
        > np.sqrt(BAND_ROWS - 1) * half_band * 1.001 + slack,
        # A sum of positive prices, starting with today's close, grows with their number.
        "moving averages below what the close alone adds": (
            (close > BAND_ROWS * rows["sma_20"] + slack)
            | (20 * rows["sma_20"] > 50 * rows["sma_50"] + slack)
            | (50 * rows["sma_50"] > 200 * rows["sma_200"] + slack)
        ),
        "an average true range below what today's range adds": rows["atr_14"] + slack
        < (rows["high"] - rows["low"]) / ATR_ROWS,
        "an ATR percentage that is not ATR over close": (rows["atr_percentage"] - atr_pct).abs() > TOLERANCE * 100,
        "an exponential average that does not follow from yesterday's and the close": _broken_chain(rows),
    }
    return _reasons(rows, reasons, "close", "adj_close")


def _broken_chain(rows: pd.DataFrame) -> pd.Series:
    """Whether an EMA is not yesterday's, in today's rupees, moved towards the close."""
    factor = (rows["close"] / rows["adj_close"]) * (rows["last_adj_close"] / rows["last_close"])
    broken = pd.Series(False, index=rows.index)
    for name, span in EMA_SPANS.items():
        weight = 2 / (span + 1)
        expected = rows[f"{name}_before"] * factor * (1 - weight) + rows["close"] * weight
        broken |= (expected - rows[name]).abs() > TOLERANCE * rows["close"]
    return broken & (rows["age"] == 1)


def _reasons(rows: pd.DataFrame, reasons: dict[str, pd.Series], *columns: str) -> list[Fault]:
    reason = first_reason(rows, reasons)
    faults = []
    for text, wrong in rows[reason.ne("")].groupby(reason, sort=True):
        kept = ("rsi_14", "sma_20", "sma_50", "sma_200", "ema_12", "ema_26", "macd", "atr_14", "bollinger_upper")
        faults += symbol_faults(wrong, "{symbol} has " + str(text), *kept, *columns)
    return faults


CHECKS = (
    Check(
        "missing_indicators",
        "error",
        Blocks.SYMBOL,
        "Every bar has a row of indicators, NULL until they are warm; a missing row means an incomplete step.",
        "Run fill_data; it computes missing rows.",
        missing_indicators,
        holds=1,
    ),
    Check(
        "indicator_bounds",
        "error",
        Blocks.SYMBOL,
        "Bounds by definition: RSI 0 to 100, ATR not negative, bands in order, averages positive, histogram = MACD − "
        "signal. No row of the real sample is outside them.",
        "Roll back the session's pipeline run and start the pipeline again; report it if it recurs.",
        indicator_bounds,
        holds=1,
        needs="indicators",
    ),
    Check(
        "indicator_contradicts_bar",
        "error",
        Blocks.SYMBOL,
        "True of every series that ends in the session's bar: the close within √19 standard deviations of "
        "the 20-session mean, 20 × SMA20 ≤ 50 × SMA50 ≤ 200 × SMA200, ATR at least 1/14 of the day's range, EMA "
        "from yesterday's EMA and the close. They hold to 1e-6 on 1.5 million real rows.",
        "The row was computed from other bars: roll back the session's pipeline run and start the pipeline again; if "
        "the bars are wrong, replace their file first.",
        indicator_contradicts_bar,
        holds=1,
        needs="indicators",
    ),
)
