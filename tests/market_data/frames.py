"""Small bar and event frames for the tests of pure modules."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from market_data.prices.events import official_events


def records(frame: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """Rows as dictionaries, free of the frame's types."""
    return frame.to_dict("records")


def number(table: pd.DataFrame, row: str, column: str) -> float:
    """One figure of a table."""
    return float(table[column].loc[row])


def bars_of(
    closes: Sequence[float],
    symbol: str = "ABC",
    start: str = "2024-01-01",
    volume: int = 1000,
    dates: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Bar frame of one symbol on business days; open is the previous close, the range one percent around both."""
    days = pd.to_datetime(list(dates)) if dates is not None else pd.bdate_range(start, periods=len(closes))
    close = np.asarray(closes, dtype=float)
    previous = np.concatenate(([close[0]], close[:-1]))
    return pd.DataFrame(
        {
            "symbol": pd.Series([symbol] * len(close), dtype=object),
            "date": days.astype("datetime64[ns]"),
            "series": "EQ",
            "prev_close": previous,
            "open": previous,
            "high": np.maximum(close, previous) * 1.01,
            "low": np.minimum(close, previous) * 0.99,
            "close": close,
            "volume": volume,
            "turnover_lakh": close * volume / 1e5,
            "trades": 100,
            "isin": None,
        }
    )


def events_of(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Event frame of (symbol, ex-date, purpose)."""
    raw = pd.DataFrame(rows, columns=["symbol", "ex_date", "purpose"])
    return official_events(raw.assign(series="EQ", source="test", ex_date=pd.to_datetime(raw["ex_date"])))


def day_after(
    ratio: float, held: float = 1.0, turnover: float = 1.0, symbol: str = "ABC"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A session that opens at ``ratio`` of the last close and ends at ``held`` of its opening; and its history."""
    bars = bars_of([100 + np.sin(n) for n in range(31)], symbol)
    history, today = bars.iloc[:30], bars.iloc[30:].copy()
    opening = float(history["close"].iloc[-1]) * ratio
    today["prev_close"] = history["close"].iloc[-1]
    today["open"], today["close"] = opening, opening * held
    today["high"] = max(opening, opening * held) * 1.01
    today["low"] = min(opening, opening * held) * 0.99
    today["turnover_lakh"] = history["turnover_lakh"].median() * turnover
    today["volume"] = int(today["turnover_lakh"].iloc[0] * 1e5 / today["close"].iloc[0])
    return today, history
