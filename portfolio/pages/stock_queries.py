"""A stock's page: its row, its symbols, its bars with indicators on one scale, and its past picks."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
from django.db.models import F, Q

from market_data.trading_calendar import CalendarError
from portfolio.pages.evening_status import PublicExclusion, public_exclusions
from stocks.models import Stock, SuggestedStock, SymbolChange
from stocks.picks.queries import latest_listed_session
from stocks.storage.frames import query_frame
from stocks.universe.symbols import successors

LONGEST_YEARS: Final = 5
STOCKS_A_PAGE: Final = 50
SORTS: Final = {
    "symbol": ("symbol",),
    "name": ("stock_name",),
    "close": (F("current_price").desc(nulls_last=True),),
    "cap": (F("market_cap").desc(nulls_last=True),),
}
"""By what the list of stocks can be sorted: name in the URL → order."""
_LONGEST: Final = timedelta(days=LONGEST_YEARS * 366)
_PRICES: Final = ("open", "high", "low", "close")
_LEVELS: Final = (
    *("sma_20", "sma_50", "sma_200", "bollinger_upper", "bollinger_middle", "bollinger_lower"),
    *("macd", "signal_line", "macd_histogram"),
)


class RangeRefused(ValueError):
    """A range of dates that is not served; the sentence says which is."""


@dataclass(frozen=True)
class Profile:
    """A stock and its earlier symbols."""

    stock: Stock
    earlier: list[SymbolChange]

    @property
    def symbols(self) -> list[str]:
        """The current symbol and those it replaced."""
        return [self.stock.symbol, *(change.from_symbol for change in self.earlier)]


def profile(symbol: str) -> Profile | None:
    """A stock by its current symbol, or None."""
    stock = Stock.objects.filter(symbol=symbol).first()
    if stock is None:
        return None
    earlier = [old for old, new in successors(date.max).items() if new == symbol]
    return Profile(stock, list(SymbolChange.objects.filter(from_symbol__in=earlier).order_by("-date")))


def current_symbol(symbol: str) -> str | None:
    """The symbol that replaced a renamed one, or None."""
    return successors(date.max).get(symbol)


def matching_stocks(search: str, sector: str, sort: str = "") -> list[Stock]:
    """Stocks by part of symbol or name, and by sector: symbols that start with it first, or by a name of `SORTS`."""
    matches = Stock.objects.exclude(last_seen=None)
    if search:
        matches = matches.filter(Q(symbol__icontains=search) | Q(stock_name__icontains=search))
    if sector:
        matches = matches.filter(sector=sector)
    columns = ("symbol", "stock_name", "sector", "current_price", "market_cap", "kind")
    in_order = matches.order_by(*SORTS.get(sort, ()), "symbol").only(*columns)
    if sort in SORTS:
        return list(in_order)
    return sorted(in_order, key=lambda stock: (not stock.symbol.startswith(search.upper()), -(stock.market_cap or 0.0)))


def checked_range(start: str, end: str, latest: date) -> tuple[date, date]:
    """Parse a range of dates; the end defaults to the latest day, the start to a year before the end.

    Raises
    ------
    RangeRefused
        A date is invalid, the start is after the end, or the range is longer than `LONGEST_YEARS`.
    """
    last = _parse_date("to", end) if end else latest
    first = _parse_date("from", start) if start else last - timedelta(days=366)
    if first > last:
        raise RangeRefused(f"from={first} is after to={last}: swap them.")
    if last - first > _LONGEST:
        raise RangeRefused(f"{first} to {last} is more than {LONGEST_YEARS} years: request a shorter range.")
    return first, last


def _parse_date(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise RangeRefused(f"{name}={text[:30]!r} is not a date: write it like 2026-04-30.") from error


def bars_with_indicators(symbol: str, first: date, last: date) -> pd.DataFrame:
    """A stock's bars with their indicators, all in rupees of its latest session.

    Bars and indicators are stored in rupees of their own day. `adj_close` ÷ `close` is the adjustment factor for the
    splits and bonuses since then: prices, averages, bands and MACD are multiplied by it, the volume is divided. RSI has
    no unit.

    Returns
    -------
    DataFrame
        Ascending: date, open, high, low, close, volume, rsi_14 and `_LEVELS`; NaN where unknown.
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
    """A frame of bars as JSON columns: dates as text, 4 decimals, None where unknown."""
    columns: dict[str, list[Any]] = {"time": frame["date"].dt.strftime("%Y-%m-%d").tolist()}
    for name in frame.columns.drop("date"):
        values = frame[name].round(4)
        columns[str(name)] = values.astype(object).where(np.isfinite(values), None).tolist()
    return columns


def last_change_pct(frame: pd.DataFrame) -> float | None:
    """Move of the last bar from the previous one in percent; None for fewer than two bars."""
    return float((frame["close"].iloc[-1] / frame["close"].iloc[-2] - 1) * 100) if len(frame) > 1 else None


def exclusion(symbol: str) -> PublicExclusion | None:
    """Why findings keep the share out of the picks of the latest session; None when they do not."""
    session = latest_listed_session()
    try:
        entries = public_exclusions(session) if session else []
    except CalendarError:
        return None
    return next((entry for entry in entries if entry.symbol == symbol), None)


def past_picks(profile: Profile, first: date, last: date) -> list[dict[str, Any]]:
    """Picks in force of a stock under any of its symbols, newest first."""
    picks = SuggestedStock.objects.filter(symbol__in=profile.symbols, date__range=(first, last))
    columns = (
        *("date", "strategy", "rank", "current_price", "expected_entry", "target_price", "target_probability"),
        *("stop_loss", "stop_probability", "reward_to_risk", "predicted_return", "ml_prediction_score"),
    )
    return [dict(row) for row in picks.order_by("-date", "strategy").values(*columns, "recommendation")]
