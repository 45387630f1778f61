"""Reads of bars, events and indicators as frames.

Point in time: a reader that takes `as_of` or `session` uses nothing later. Only final bars are handed out, since models
train and picks publish on those alone.
"""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd
from django.db.models import Max

from market_data import adjustments
from market_data.corporate_actions import typed_events
from market_data.models import DailyBar, SourceFile
from stocks.bulk import read_frame

_BAR_COLUMNS = (
    "symbol, date, series, open, high, low, close, prev_close, last_price, vwap, volume, turnover_lakh, trades,"
    " delivered_quantity"
)
_EARLIEST, _LATEST = date(1900, 1, 1), date(9999, 12, 31)


def latest_session() -> date | None:
    """Return the latest session that has bars, or None in an empty database."""
    latest: date | None = DailyBar.objects.aggregate(latest=Max("date"))["latest"]
    return latest


def loaded_sessions() -> dict[date, SourceFile]:
    """Return the sessions whose bars are stored, with the file each was read from."""
    return {file.session: file for file in SourceFile.objects.order_by("session")}


def bars_frame(
    start: date | None = None,
    end: date | None = None,
    symbols: Sequence[str] | None = None,
    *,
    with_adj_close: bool = False,
) -> pd.DataFrame:
    """Return bars as published.

    Parameters
    ----------
    start, end : date, optional
        First and last session, both included.
    symbols : sequence of str, optional
        Only these.
    with_adj_close : bool
        Whether `adj_close`, the one column that is not as published, stands beside them.

    Returns
    -------
    DataFrame
        Bar frame (without isin), sorted by symbol and date.
    """
    query = (
        "SELECT " + _BAR_COLUMNS + (", adj_close" if with_adj_close else "") + " FROM historical_data"
        " WHERE date BETWEEN %s AND %s AND status = 'final'"
        ' AND (%s OR symbol = ANY(%s)) ORDER BY symbol COLLATE "C", date'
    )
    return _typed(
        read_frame(query, [start or _EARLIEST, end or _LATEST, symbols is None, list(symbols or ())], dates=("date",))
    )


def recent_bars(session: date, rows: int) -> pd.DataFrame:
    """Return the last `rows` bars up to a session of each symbol that traded on it, however long its gaps are.

    Returns
    -------
    DataFrame
        Bar frame (without isin), sorted by symbol and date.
    """
    query = (
        "SELECT " + _columns_of("h") + " FROM historical_data t CROSS JOIN LATERAL (SELECT * FROM historical_data h"
        " WHERE h.symbol = t.symbol AND h.date <= %s AND h.status = 'final' ORDER BY h.date DESC LIMIT %s) h"
        ' WHERE t.date = %s ORDER BY h.symbol COLLATE "C", h.date'
    )
    return _typed(read_frame(query, [session, rows, session], dates=("date",)))


def last_bars_before(session: date) -> pd.DataFrame:
    """Return the last bar before a session of each symbol, as a bar frame sorted by date."""
    query = (
        "SELECT " + _columns_of("h") + " FROM stocks s CROSS JOIN LATERAL (SELECT * FROM historical_data h"
        " WHERE h.symbol = s.symbol AND h.date < %s AND h.status = 'final' ORDER BY h.date DESC LIMIT 1) h"
        " ORDER BY h.date"
    )
    return _typed(read_frame(query, [session], dates=("date",)))


def events_frame(as_of: date) -> pd.DataFrame:
    """Return corporate actions known by a day, under the symbols that own the history now.

    An event of a share that was renamed after its ex-date bears the new symbol, as the bars do.
    """
    query = (
        "WITH RECURSIVE named AS ("
        "  SELECT a.id, a.symbol, a.ex_date, 0 AS hops FROM corporate_actions a"
        "  UNION ALL SELECT n.id, c.to_symbol, n.ex_date, n.hops + 1 FROM named n JOIN symbol_changes c"
        "  ON c.from_symbol = n.symbol AND c.date > n.ex_date AND n.hops < 10),"
        " latest AS (SELECT DISTINCT ON (id) id, symbol FROM named ORDER BY id, hops DESC)"
        " SELECT l.symbol, a.ex_date, a.kind, a.factor, a.known_on, a.status, a.purpose, a.source,"
        " a.evidence::text AS evidence"
        " FROM corporate_actions a JOIN latest l USING (id) WHERE a.known_on <= %s ORDER BY l.symbol, a.ex_date"
    )
    events = read_frame(query, [as_of], dates=("ex_date", "known_on"))
    events["evidence"] = [json.loads(text) if isinstance(text, str) else None for text in events["evidence"]]
    return typed_events(events)


def adjusted_bars(as_of: date, start: date | None = None, symbols: Sequence[str] | None = None) -> pd.DataFrame:
    """Return bars up to a day with the factors known on that day (adjusted frame)."""
    return adjustments.adjusted(bars_frame(start, as_of, symbols), events_frame(as_of), as_of)


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
    return read_frame(query, [start, end], dates=("date",))


def jumps_frame(as_of: date) -> pd.DataFrame:
    """Return the jumps found up to a session, under the symbols that own the history now.

    Columns symbol, date, ratio, reason, near_factor. A jump that an event has settled since is still among them; see
    `unsettled_jumps`.
    """
    query = (
        "SELECT DISTINCT ON (coalesce(c.to_symbol, f.symbol), f.session) coalesce(c.to_symbol, f.symbol) AS symbol,"
        " f.session AS date, (f.sample->>'ratio')::float8 AS ratio, f.sample->>'reason' AS reason,"
        " (f.sample->>'near_factor')::float8 AS near_factor"
        " FROM (SELECT id, session, symbol, sample FROM findings WHERE check_name = 'price_jump' AND symbol <> ''"
        "  UNION ALL SELECT id, session, jump->>'symbol', jump"
        "  FROM findings, jsonb_array_elements(sample->'jumps') jump"
        "  WHERE check_name = 'price_jump' AND symbol = '') f"
        " LEFT JOIN symbol_changes c ON c.from_symbol = f.symbol AND c.date > f.session"
        " WHERE f.session <= %s ORDER BY 1, 2, f.id DESC"
    )
    kinds: dict[str, Any] = {"symbol": object, "ratio": "float64", "reason": object, "near_factor": "float64"}
    return read_frame(query, [as_of], dates=("date",)).astype(kinds)


def unsettled_jumps(as_of: date, events: pd.DataFrame) -> pd.DataFrame:
    """Return the jumps up to a session that no event with a factor explains (columns of `jumps_frame`)."""
    jumps = jumps_frame(as_of)
    acting = adjustments.effective_events(events, as_of)
    explained = pd.MultiIndex.from_frame(acting[["symbol", "ex_date"]])
    return jumps.loc[~pd.MultiIndex.from_frame(jumps[["symbol", "date"]]).isin(explained)].reset_index(drop=True)


def symbols_without_indicators(session: date) -> list[str]:
    """Return the symbols that have a bar on a session and no indicators."""
    query = (
        "SELECT h.symbol FROM historical_data h LEFT JOIN technical_indicators t USING (symbol, date)"
        " WHERE h.date = %s AND t.id IS NULL ORDER BY h.symbol"
    )
    return read_frame(query, [session])["symbol"].astype(str).tolist()


def _columns_of(alias: str) -> str:
    return ", ".join(f"{alias}.{name.strip()}" for name in _BAR_COLUMNS.split(","))


def _typed(bars: pd.DataFrame) -> pd.DataFrame:
    prices = ("open", "high", "low", "close", "prev_close", "last_price", "vwap", "turnover_lakh")
    kinds = dict.fromkeys(prices, "float64") | {"volume": "int64", "trades": "Int64", "delivered_quantity": "Int64"}
    if "adj_close" in bars:
        kinds["adj_close"] = "float64"
    return bars.astype(kinds)
