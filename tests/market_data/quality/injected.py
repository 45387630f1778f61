"""Faults put into frames of bars, one a symbol, as a publisher's mistake would; for rates of detection on real bars."""

from collections.abc import Callable

import pandas as pd

OHLC = ["open", "high", "low", "close"]
PRICES = [*OHLC, "last_price", "vwap"]
FIGURES = [*PRICES, "volume", "turnover_lakh", "trades", "delivered_quantity"]
Inject = Callable[[pd.DataFrame, pd.Index, pd.Index], None]
"""Changes a frame in place: the rows of the day, and of the same symbols the rows just before, in the same order."""


def _times(columns: list[str], factor: float) -> Inject:
    def inject(bars: pd.DataFrame, today: pd.Index, before: pd.Index) -> None:
        for column in columns:
            whole = bars[column].dtype != "float64"
            values = bars.loc[today, column].astype(float) * factor
            bars.loc[today, column] = values.round().clip(lower=1).astype("int64") if whole else values.round(2)

    return inject


def _frozen(bars: pd.DataFrame, today: pd.Index, before: pd.Index) -> None:
    for column in FIGURES:
        bars.loc[today, column] = bars.loc[before, column].array


def _standing(bars: pd.DataFrame, today: pd.Index, before: pd.Index) -> None:
    """Freeze the prices alone for three sessions; volumes go on."""
    for row in [*before, *today]:
        bars.loc[row, PRICES] = bars.loc[row - 1, PRICES]
    for row in [*before, *today]:
        bars.loc[row, "prev_close"] = bars.loc[row - 1, "close"]
        bars.loc[row, "turnover_lakh"] = round(bars.loc[row, "vwap"] * bars.loc[row, "volume"] / 1e5, 2)


def _doubled(bars: pd.DataFrame, today: pd.Index, before: pd.Index) -> None:
    """Give each symbol the bar of the next one of them."""
    columns = [*FIGURES, "prev_close"]
    kept = bars.loc[today, columns].copy()
    for column in columns:
        bars.loc[today[::2], column] = kept.loc[today[1::2], column].array


def _quantities(column: str) -> Inject:
    def inject(bars: pd.DataFrame, today: pd.Index, before: pd.Index) -> None:
        bars.loc[today, column] = bars.loc[today, "volume"].astype("int64") + 1

    return inject


FAULTS: dict[str, Inject] = {
    "price × 100": _times(PRICES, 100),
    "price ÷ 100": _times(PRICES, 0.01),
    "price × 10": _times(PRICES, 10),
    "price × 1.05": _times(PRICES, 1.05),
    "whole row × 100": _times([*PRICES, "prev_close", "turnover_lakh"], 100),
    "whole row × 1.01": _times([*PRICES, "prev_close", "turnover_lakh"], 1.01),
    "turnover × 100": _times(["turnover_lakh"], 100),
    "turnover ÷ 100": _times(["turnover_lakh"], 0.01),
    "volume × 1000": _times(["volume"], 1000),
    "high × 10": _times(["high"], 10),
    "low ÷ 10": _times(["low"], 0.1),
    "the bar of the day before": _frozen,
    "prices of three sessions the same": _standing,
    "one bar under two symbols": _doubled,
    "delivered > traded": _quantities("delivered_quantity"),
    "trades > volume": _quantities("trades"),
}
