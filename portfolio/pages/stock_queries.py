"""Reads for a stock's page: its row, its names, its bars with their indicators on one scale, and its past picks."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
from django.db.models import Q

from stocks.models import Stock, SuggestedStock, SymbolChange
from stocks.storage.frames import query_frame
from stocks.universe.symbols import successors

LONGEST_YEARS: Final = 5
FOUND_AT_MOST: Final = 50
_LONGEST: Final = timedelta(days=LONGEST_YEARS * 366)
_PRICES: Final = ("open", "high", "low", "close")
_LEVELS: Final = (
    *("sma_20", "sma_50", "sma_200", "bollinger_upper", "bollinger_middle", "bollinger_lower"),
    *("macd", "signal_line", "macd_histogram"),
)


class RangeRefused(ValueError):
    """A range of dates that cannot be answered; the sentence says which can."""


@dataclass(frozen=True)
class Profile:
    """A stock and what else it is or was called."""

    stock: Stock
    earlier: list[SymbolChange]

    @property
    def symbols(self) -> list[str]:
        """Return the symbol in use and those it replaced."""
        return [self.stock.symbol, *(change.from_symbol for change in self.earlier)]


def profile(symbol: str) -> Profile | None:
    """Return a stock by the symbol in use, or None."""
    stock = Stock.objects.filter(symbol=symbol).first()
    if stock is None:
        return None
    now = successors(date.max)
    earlier = [old for old, new in now.items() if new == symbol]
    return Profile(stock, list(SymbolChange.objects.filter(from_symbol__in=earlier).order_by("-date")))


def symbol_in_use(symbol: str) -> str | None:
    """Return the symbol that took over from one that was renamed away, or None."""
    return successors(date.max).get(symbol)


def found_stocks(search: str, sector: str) -> list[Stock]:
    """Return at most `FOUND_AT_MOST` stocks by part of symbol or name, and by sector, those with that symbol first."""
    found = Stock.objects.exclude(last_seen=None)
    if search:
        found = found.filter(Q(symbol__icontains=search) | Q(stock_name__icontains=search))
    if sector:
        found = found.filter(sector=sector)
    listed = list(
        found.order_by("symbol").only("symbol", "stock_name", "sector", "current_price", "market_cap", "kind")
    )
    listed.sort(key=lambda stock: (not stock.symbol.startswith(search.upper()), -(stock.market_cap or 0.0)))
    return listed[:FOUND_AT_MOST]


def checked_range(start: str, end: str, latest: date) -> tuple[date, date]:
    """Return the range asked for; without an end the latest day, without a start a year before the end.

    Raises
    ------
    RangeRefused
        A date cannot be read, the start lies behind the end, or the range is longer than `LONGEST_YEARS`.
    """
    last = _day("to", end) if end else latest
    first = _day("from", start) if start else last - timedelta(days=366)
    if first > last:
        raise RangeRefused(f"from={first} lies behind to={last}: swap them.")
    if last - first > _LONGEST:
        raise RangeRefused(f"{first} to {last} is more than {LONGEST_YEARS} years: ask for at most that.")
    return first, last


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise RangeRefused(f"{name}={text[:30]!r} is no date: write it like 2026-04-30.") from error


def bars_with_indicators(symbol: str, first: date, last: date) -> pd.DataFrame:
    """Return a stock's bars with their indicators, all in the rupees of its latest session.

    Bars and indicators are stored in the rupees of their own day. `adj_close` ÷ `close` is the factor by which the
    splits and bonuses since then divide a price: it goes onto prices, averages, bands and MACD alike, and into volume
    the other way round. RSI has no unit.

    Returns
    -------
    DataFrame
        Ascending: date, open, high, low, close, volume, rsi_14 and the levels of `_LEVELS`; NaN where not known.
    """
    columns = ", ".join(f"t.{name}" for name in ("rsi_14", *_LEVELS))
    frame = query_frame(
        "SELECT h.date, h.open, h.high, h.low, h.close, coalesce(h.adj_close / h.close, 1) AS factor, h.volume, "
        + columns
        + " FROM historical_data h LEFT JOIN technical_indicators t ON t.symbol = h.symbol AND t.date = h.date"
        " WHERE h.symbol = %s AND h.date BETWEEN %s AND %s AND h.close > 0 ORDER BY h.date",
        [symbol, first, last],
        dates=("date",),
    )
    frame = frame.astype({name: "float64" for name in frame.columns if name != "date"})
    for name in (*_PRICES, *_LEVELS):
        frame[name] = frame[name] * frame["factor"]
    frame["volume"] = (frame["volume"] / frame["factor"]).round()
    return frame.drop(columns="factor")


def as_columns(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Return a frame of bars column by column for JSON: dates as texts, 4 decimals, None where not known."""
    columns: dict[str, list[Any]] = {"time": frame["date"].dt.strftime("%Y-%m-%d").tolist()}
    for name in frame.columns.drop("date"):
        values = frame[name].round(4)
        columns[str(name)] = values.astype(object).where(np.isfinite(values), None).tolist()
    return columns


def last_change_pct(frame: pd.DataFrame) -> float | None:
    """Return the last bar's move from the bar before in percent, None where there are no two."""
    return float((frame["close"].iloc[-1] / frame["close"].iloc[-2] - 1) * 100) if len(frame) > 1 else None


def past_picks(known: Profile, first: date, last: date) -> list[dict[str, Any]]:
    """Return the picks in force of a stock under any of its names, newest first."""
    found = SuggestedStock.objects.filter(symbol__in=known.symbols, date__range=(first, last))
    columns = ("date", "strategy", "rank", "current_price", "target_price", "stop_loss", "ml_prediction_score")
    return [dict(row) for row in found.order_by("-date", "strategy").values(*columns, "recommendation")]
