"""Reads of bars, events and indicators as frames.

Point in time: a reader with the parameter `as_of` or `session` uses nothing later. Only final bars are returned, since
models train and picks are published on those alone.
"""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, LiteralString

import numpy as np
import pandas as pd
from django.db import connection
from django.db.models import Max, QuerySet

from market_data.models import DailyBar, SourceFile
from market_data.prices import adjustments
from market_data.prices.events import typed_events
from market_data.prices.jumps import unsettled
from stocks.storage.frames import query_frame
from stocks.universe.symbols import follow_renames

_BAR_COLUMNS = (
    "symbol, date, series, open, high, low, close, prev_close, last_price, vwap, volume, turnover_lakh, trades,"
    " delivered_quantity"
)
_SESSIONS_FOR_GAPS = 30
"""Sessions read beyond the rows wanted, so that few symbols with gaps need a query of their own."""

_LARGE_RANGE, _MANY_SYMBOLS = timedelta(days=90), 1_000
"""Beyond both, a frame has some 100,000 rows or more."""

_EARLIEST, _LATEST = date(1900, 1, 1), date(9999, 12, 31)


def latest_session() -> date | None:
    """Return the latest session that has final bars, or None in an empty database."""
    latest: date | None = DailyBar.objects.filter(status="final").aggregate(latest=Max("date"))["latest"]
    return latest


def session_before(day: date) -> date | None:
    """Return the last session before a day that has final bars, or None."""
    earlier = DailyBar.objects.filter(date__lt=day, status="final")
    before: date | None = earlier.aggregate(latest=Max("date"))["latest"]
    return before


def latest_loaded_session() -> date | None:
    """Return the latest session whose final bars were read, or None before the first."""
    latest: date | None = _final_files().aggregate(latest=Max("session"))["latest"]
    return latest


def source_files() -> dict[date, SourceFile]:
    """Return the sessions whose bars are stored, final or provisional, with the file each was read from."""
    return {file.session: file for file in SourceFile.objects.order_by("session")}


def loaded_sessions() -> list[date]:
    """Return the sessions whose final bars are stored, ascending."""
    return list(_final_files().order_by("session").values_list("session", flat=True))


def _final_files() -> QuerySet[SourceFile]:
    return SourceFile.objects.filter(status="final")


def sessions_between(start: date, end: date) -> list[date]:
    """Return the sessions whose final bars are stored, both ends included, ascending."""
    stored = _final_files().filter(session__range=(start, end)).order_by("session")
    return list(stored.values_list("session", flat=True))


def is_loaded(session: date) -> bool:
    """Whether a session's final bars are stored."""
    return _final_files().filter(session=session).exists()


def is_provisional(session: date) -> bool:
    """Whether a session has a broker's bars and the exchange's file is still awaited."""
    provisional = DailyBar.objects.filter(date=session, status=DailyBar.Status.PROVISIONAL)
    return not is_loaded(session) and provisional.exists()


def sessions_before(day: date, count: int) -> list[date]:
    """Return the last sessions before a day whose final bars are stored, ascending."""
    stored = _final_files().filter(session__lt=day).order_by("-session")[:count]
    return sorted(stored.values_list("session", flat=True))


def bars_frame(
    start: date | None = None,
    end: date | None = None,
    symbols: Sequence[str] | None = None,
    *,
    with_adj_close: bool = False,
) -> pd.DataFrame:
    """Return bars as published (bar frame without isin), sorted by symbol and date; `start` and `end` are included.

    `with_adj_close` adds `adj_close`, the one column that is not as published.
    """
    columns: LiteralString = _BAR_COLUMNS + ", adj_close" if with_adj_close else _BAR_COLUMNS
    query = "SELECT " + columns + " FROM historical_data WHERE date BETWEEN %s AND %s AND status = 'final'"
    first, last = start or _EARLIEST, end or _LATEST
    parameters: list[object] = [first, last]
    if symbols is not None:
        query += " AND symbol = ANY(%s)"
        parameters.append(list(symbols))
    large = last - first > _LARGE_RANGE and (symbols is None or len(symbols) > _MANY_SYMBOLS)
    return _in_order(_typed(query_frame(query, parameters, dates=("date",), large=large)))


def bar_sessions(end: date) -> list[date]:
    """Return the days up to a day that have final bars, ascending."""
    # Steps from day to day along the index: reading the days of all bars takes a second.
    query = (
        "WITH RECURSIVE days(day) AS (SELECT min(date) FROM historical_data WHERE status = 'final' UNION ALL"
        " SELECT (SELECT min(date) FROM historical_data WHERE date > day AND status = 'final') FROM days"
        " WHERE day IS NOT NULL) SELECT day FROM days WHERE day <= %s ORDER BY day"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [end])
        return [day for (day,) in cursor.fetchall()]


def prices_frame(symbols: Sequence[str], end: date) -> pd.DataFrame:
    """Return symbol, date, open, high, low, close, adj_close (₹), turnover_lakh of some symbols' bars up to a day."""
    return _prices("symbol, date, open, high, low, close, adj_close, turnover_lakh", _EARLIEST, end, symbols)


def adjusted_closes(start: date, end: date) -> pd.DataFrame:
    """Return symbol, date and adj_close (₹) of all bars from one day to another, both included, sorted."""
    return _prices("symbol, date, adj_close", start, end)


def window_bars(session: date, sessions: int) -> pd.DataFrame:
    """Return the columns that metrics need, of the last sessions, for every symbol that traded on the latest one.

    symbol, date, series, open, close, prev_close (₹, as published), volume, turnover_lakh; sorted by symbol, date.
    """
    return WindowBars([session], sessions).of(session)


class WindowBars:
    """The windows (`window_bars`) of several sessions, ascending: what they share is read and sorted once."""

    def __init__(self, sessions: Sequence[date], window: int) -> None:
        self._window = window
        days = sessions_before(sessions[0], window - 1) or [sessions[0]]
        self._days = sessions_between(days[0], sessions[-1])
        columns: LiteralString = "symbol, date, series, open, close, prev_close, volume, turnover_lakh"
        kinds = dict.fromkeys(("open", "close", "prev_close", "turnover_lakh"), "float64") | {"volume": "int64"}
        self._bars = _in_order(_columns_between(days[0], sessions[-1], columns).astype(kinds))
        self._dates = self._bars["date"].to_numpy()
        self._symbols, names = pd.factorize(self._bars["symbol"])
        self._symbol_count = len(names)

    def of(self, session: date) -> pd.DataFrame:
        """Return the window of one of the sessions."""
        days = [day for day in self._days if day < session][-(self._window - 1) :] or [session]
        first, last = np.datetime64(days[0], "ns"), np.datetime64(session, "ns")
        traded = np.zeros(self._symbol_count, dtype=bool)
        traded[self._symbols[self._dates == last]] = True
        rows = (self._dates >= first) & (self._dates <= last) & traded[self._symbols]
        return self._bars[rows].reset_index(drop=True)


def recent_prices(session: date, rows: int) -> pd.DataFrame:
    """Return the last `rows` prices up to a session of each symbol that traded on it, however long its gaps are.

    symbol, date, high, low, close (₹, as published), sorted by symbol and date. The sessions of the window lie together
    on disk and are read at once; only symbols with gaps in it need a query of their own.
    """
    days = sessions_before(session, rows + _SESSIONS_FOR_GAPS - 1) or [session]
    bars = _columns_between(days[0], session, "symbol, date, high, low, close")
    bars = _of_traded(bars.astype(dict.fromkeys(("high", "low", "close"), "float64")), session)
    counts = bars["symbol"].value_counts()
    short = counts.index[counts < rows].astype(str).tolist()
    if short:
        older = last_prices(short, rows, before=days[0])
        bars = pd.concat([older.astype(bars.dtypes.to_dict()), bars], ignore_index=True)
    bars = _in_order(bars)
    from_end = bars.groupby("symbol", observed=True, sort=False).cumcount(ascending=False)
    return bars[from_end < rows].reset_index(drop=True)


def last_prices(symbols: Sequence[str], rows: int, *, before: date = _LATEST) -> pd.DataFrame:
    """Return the last `rows` prices of some symbols before a day (columns and order of `recent_prices`)."""
    query = (
        "SELECT h.symbol, h.date, h.high, h.low, h.close FROM unnest(%s::text[]) n(symbol) CROSS JOIN LATERAL"
        " (SELECT symbol, date, high, low, close FROM historical_data b WHERE b.symbol = n.symbol AND b.date < %s"
        " AND b.status = 'final' ORDER BY b.date DESC LIMIT %s) h"
    )
    prices = query_frame(query, [list(symbols), before, rows], dates=("date",))
    return _in_order(prices.astype({"high": "float64", "low": "float64", "close": "float64"}))


def bar_count(session: date) -> int:
    """Return the number of final bars of a session."""
    return DailyBar.objects.filter(date=session, status="final").count()


def closes_frame(symbols: Sequence[str], end: date) -> pd.DataFrame:
    """Return symbol, date, close and adj_close (₹) of all bars of some symbols up to a session, sorted."""
    query = (
        "SELECT symbol, date, close, adj_close FROM historical_data"
        " WHERE symbol = ANY(%s) AND date <= %s AND status = 'final'"
    )
    closes = query_frame(query, [list(symbols), end], dates=("date",))
    return _in_order(closes.astype({"close": "float64", "adj_close": "float64"}))


def last_bars_before(session: date) -> pd.DataFrame:
    """Return the last bar before a session of each symbol, as a bar frame sorted by date."""
    query = (
        "SELECT " + _columns_of("h") + " FROM stocks s CROSS JOIN LATERAL (SELECT * FROM historical_data h"
        " WHERE h.symbol = s.symbol AND h.date < %s AND h.status = 'final' ORDER BY h.date DESC LIMIT 1) h"
        " ORDER BY h.date"
    )
    return _typed(query_frame(query, [session], dates=("date",)))


def events_frame(as_of: date, *, only_factors: bool = False) -> pd.DataFrame:
    """Return corporate actions known by a day, under the symbols that own the history now.

    An event of a share that was renamed after its ex-date has the new symbol, as the bars do. `only_factors` leaves out
    the events without a known price ratio, such as dividends, which are most of them.
    """
    query = (
        "SELECT symbol, ex_date, kind, factor, known_on, status, purpose, source, evidence::text AS evidence"
        " FROM corporate_actions WHERE known_on <= %s AND (NOT %s OR factor IS NOT NULL) ORDER BY id"
    )
    events = query_frame(query, [as_of, only_factors], dates=("ex_date", "known_on"))
    events["evidence"] = [json.loads(text) if isinstance(text, str) else None for text in events["evidence"]]
    return typed_events(follow_renames(events, date_column="ex_date"))


def adjusted_bars(as_of: date, start: date | None = None, symbols: Sequence[str] | None = None) -> pd.DataFrame:
    """Return bars up to a day with the factors known on that day (adjusted frame)."""
    return adjustments.adjusted(bars_frame(start, as_of, symbols), events_frame(as_of, only_factors=True), as_of)


def indicator_frame(session: date) -> pd.DataFrame:
    """Return the indicators of one session, one row a symbol."""
    return indicators_between(session, session)


def indicators_between(start: date, end: date) -> pd.DataFrame:
    """Return the indicators of some sessions, both ends included, sorted by symbol and date."""
    query = (
        "SELECT symbol, date, rsi_14, macd, signal_line, macd_histogram, sma_20, sma_50, sma_200, ema_12, ema_26,"
        " atr_14, atr_percentage, bollinger_upper, bollinger_middle, bollinger_lower FROM technical_indicators"
        ' WHERE date BETWEEN %s AND %s ORDER BY symbol COLLATE "C", date'
    )
    rows = query_frame(query, [start, end], dates=("date",), large=end - start > _LARGE_RANGE)
    return rows.astype(dict.fromkeys(rows.columns[2:], "float64"))


def atr_between(start: date, end: date) -> pd.DataFrame:
    """Return symbol, date and atr_pct, percent of the close, of some sessions, both ends included; in no order."""
    query = (
        "SELECT symbol, date, atr_percentage AS atr_pct FROM technical_indicators"
        " WHERE date BETWEEN %s AND %s AND atr_percentage IS NOT NULL"
    )
    rows = query_frame(query, [start, end], dates=("date",), large=end - start > _LARGE_RANGE)
    return rows.astype({"atr_pct": "float64"})


def jumps_frame(as_of: date) -> pd.DataFrame:
    """Return the jumps recorded up to a session, under the symbols that own the history now.

    Columns symbol, date, ratio, reason, near_factor. Jumps that an event has settled since are included; see
    `unsettled_jumps`.
    """
    query = (
        "SELECT symbol, session AS date, (sample->>'ratio')::float8 AS ratio, sample->>'reason' AS reason,"
        " (sample->>'near_factor')::float8 AS near_factor"
        " FROM (SELECT id, session, symbol, sample FROM findings WHERE check_name = 'price_jump' AND symbol <> ''"
        "  UNION ALL SELECT id, session, jump->>'symbol', jump"
        "  FROM findings, jsonb_array_elements(sample->'jumps') jump"
        "  WHERE check_name = 'price_jump' AND symbol = '') f"
        " WHERE session <= %s ORDER BY id DESC"
    )
    kinds: dict[str, Any] = {"symbol": object, "ratio": "float64", "reason": object, "near_factor": "float64"}
    jumps = follow_renames(query_frame(query, [as_of], dates=("date",)).astype(kinds))
    return jumps.drop_duplicates(["symbol", "date"]).sort_values(["symbol", "date"], ignore_index=True)


def unsettled_jumps(as_of: date, events: pd.DataFrame) -> pd.DataFrame:
    """Return the jumps up to a session that no event with a factor explains (columns of `jumps_frame`)."""
    jumps = jumps_frame(as_of)
    return jumps[unsettled(jumps, events, as_of)].reset_index(drop=True)


def symbols_without_indicators(session: date) -> list[str]:
    query = (
        "SELECT h.symbol FROM historical_data h LEFT JOIN technical_indicators t USING (symbol, date)"
        " WHERE h.date = %s AND h.status = 'final' AND t.id IS NULL ORDER BY h.symbol"
    )
    return query_frame(query, [session])["symbol"].astype(str).tolist()


def _columns_of(alias: str) -> str:
    return ", ".join(f"{alias}.{name.strip()}" for name in _BAR_COLUMNS.split(","))


def _prices(columns: LiteralString, start: date, end: date, symbols: Sequence[str] | None = None) -> pd.DataFrame:
    """Return columns of final bars, all but symbol and date as floats, of some symbols or all, sorted."""
    query: LiteralString = "SELECT " + columns + " FROM historical_data WHERE date BETWEEN %s AND %s"
    parameters: list[object] = [start, end]
    if symbols is not None:
        query += " AND symbol = ANY(%s)"
        parameters.append(list(symbols))
    bars = query_frame(query + " AND status = 'final'", parameters, dates=("date",), large=True)
    return _in_order(bars.astype(dict.fromkeys(bars.columns[2:], "float64") | {"symbol": object}))


def _columns_between(start: date, end: date, columns: LiteralString) -> pd.DataFrame:
    query = "SELECT " + columns + " FROM historical_data WHERE date BETWEEN %s AND %s AND status = 'final'"
    return query_frame(query, [start, end], dates=("date",), large=end - start > _LARGE_RANGE)


def _of_traded(bars: pd.DataFrame, session: date) -> pd.DataFrame:
    """Return the bars of the symbols that traded on a session."""
    traded = bars.loc[bars["date"] == pd.Timestamp(session), "symbol"]
    return bars[bars["symbol"].isin(traded)].reset_index(drop=True)


def _in_order(bars: pd.DataFrame) -> pd.DataFrame:
    """Sort by symbol (by code points) and date: integer codes sort many times faster than texts, or than the server."""
    codes, _ = pd.factorize(bars["symbol"], sort=True)
    order = np.lexsort((bars["date"].to_numpy(), codes))
    return bars.take(order).reset_index(drop=True)


def _typed(bars: pd.DataFrame) -> pd.DataFrame:
    prices = ("open", "high", "low", "close", "prev_close", "last_price", "vwap", "turnover_lakh")
    kinds = dict.fromkeys(prices, "float64") | {"volume": "int64", "trades": "Int64", "delivered_quantity": "Int64"}
    if "adj_close" in bars:
        kinds["adj_close"] = "float64"
    return bars.astype(kinds)
