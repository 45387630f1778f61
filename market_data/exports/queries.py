"""Queries for the four CSV files: the contract's columns first, in its order, then the others."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db import connection, models

from market_data.models import DailyBar, TechnicalIndicator
from stocks.models import Fundamentals, Publication, Stock, SuggestedStock
from stocks.storage.export import cell
from stocks.units import rounded_sql, unit_of


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


STOCK_COLUMNS: Final = _names("""
    id symbol stock_name current_price market_cap volume avg_volume_30d pe_ratio pb_ratio roe eps beta debt_to_equity
    revenue_growth earnings_growth operating_margin net_margin profit_margin book_value peg_ratio roa current_ratio
    quick_ratio historical_volatility_1y atr_14 sector industry market_cap_category last_updated created_at
""")
BAR_COLUMNS: Final = _names("id symbol date open high low close adj_close volume created_at")
INDICATOR_COLUMNS: Final = _names("""
    id symbol date rsi_14 macd signal_line macd_histogram sma_20 sma_50 sma_200 ema_12 ema_26 atr_14 atr_percentage
    bollinger_upper bollinger_middle bollinger_lower created_at
""")
PICK_COLUMNS: Final = _names("""
    id date symbol stock_name current_price market_cap strategy selection_score rank ml_prediction_score ml_price_target
    ml_confidence ml_risk_score rsi_14 macd sma_50 sma_200 pe_ratio pb_ratio roe eps beta revenue_growth earnings_growth
    operating_margin target_price stop_loss recommendation reason sector market_cap_category created_at
""")

HISTORY_SESSIONS: Final = 30

# The k latest sessions by one index probe each, without reading the rows between.
_FIRST_SESSION: Final = """
WITH RECURSIVE latest(date, place) AS (
    (SELECT max(date), 1 FROM historical_data WHERE date <= %s)
    UNION ALL
    SELECT (SELECT max(date) FROM historical_data WHERE date < latest.date), place + 1
    FROM latest WHERE place < %s AND latest.date IS NOT NULL
)
SELECT min(date) FROM latest
"""


@dataclass(frozen=True)
class FileQuery:
    """One file: the stem of its name, what a row stands for, its columns, and the query to export."""

    name: str
    contents: str
    columns: tuple[str, ...]
    sql: str
    parameters: list[Any]


def publications_in_force(session: date) -> list[dict[str, Any]]:
    """Return the latest publications up to a session, one per strategy and all of one date, as in the manifest."""
    sql = """
        SELECT id, strategy, date, version, count, reason, head_hash, previous_hash, departures FROM publications
        WHERE superseded_at IS NULL
          AND date = (SELECT max(date) FROM publications WHERE superseded_at IS NULL AND date <= %s)
        ORDER BY strategy
    """
    names = ("id", "strategy", "date", "version", "count", "reason", "head_hash", "previous_hash", "departures")
    with connection.cursor() as cursor:
        cursor.execute(sql, [session])
        entries = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    # A plain cursor hands JSON on as text.
    return [
        entry | {"date": entry["date"].isoformat(), "departures": json.loads(entry["departures"])} for entry in entries
    ]


def file_queries(session: date, publication_ids: list[int]) -> list[FileQuery]:
    """Return the queries of the four files, in the contract's order; no file has a row of a date after the session."""
    is_older = _is_older(session)
    return [
        _stocks(session) if is_older else _latest_stocks(),
        _bars(session, is_older=is_older),
        FileQuery(
            "technical_indicators",
            "the session's indicators, in its own rupees; one row per symbol that traded",
            *_selected(
                TechnicalIndicator, INDICATOR_COLUMNS, "FROM technical_indicators t WHERE date = %s ORDER BY symbol"
            ),
            [session],
        ),
        FileQuery(
            "suggested_stocks",
            "the latest published picks; one row per strategy and symbol",
            *_picks(),
            [publication_ids],
        ),
    ]


def _picks() -> tuple[tuple[str, ...], str]:
    """Columns of the picks, then the hash of their list's head, and the query for them."""
    columns, cells = _columns(SuggestedStock, PICK_COLUMNS)
    sql = f"""
        SELECT {", ".join(cells)}, {cell(Publication, "head_hash", "p")}
        FROM daily_suggested_stocks t JOIN publications p ON p.id = t.publication_id
        WHERE t.publication_id = ANY(%s) ORDER BY t.strategy, t.rank
    """
    return (*columns, "head_hash"), sql


def _is_older(session: date) -> bool:
    """Whether `stocks` already holds facts of a later session."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(date) > %s FROM stock_metrics", [session])
        return bool(cursor.fetchone()[0])


def _latest_stocks() -> FileQuery:
    columns = _selected(Stock, STOCK_COLUMNS, "FROM stocks t ORDER BY symbol")
    return FileQuery("stocks", "all stocks with their latest facts; one row per symbol", *columns, [])


def _stocks(session: date) -> FileQuery:
    """All symbols that had traded by a past session, with their facts as of it."""
    facts = {field.attname for field in Fundamentals._meta.get_fields() if isinstance(field, models.Field)}
    columns, _ = _columns(Stock, STOCK_COLUMNS)
    cells = [_cell(Stock, name, "m" if name in facts else "t") for name in columns]
    sql = f"""
        SELECT {", ".join(cells)} FROM stocks t
        LEFT JOIN LATERAL (
            SELECT * FROM stock_metrics WHERE symbol = t.symbol AND date <= %s ORDER BY date DESC LIMIT 1
        ) m ON true
        WHERE t.first_seen <= %s ORDER BY t.symbol
    """
    contents = f"all stocks with their facts as of {session}; one row per symbol"
    return FileQuery("stocks", contents, columns, sql, [session] * 2)


def _bars(session: date, *, is_older: bool) -> FileQuery:
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_SESSION, [session, HISTORY_SESSIONS])
        first = cursor.fetchone()[0] or session
    columns, cells = _columns(DailyBar, BAR_COLUMNS)
    if is_older:
        # As of the session, its adjusted close was its close; later events scaled all earlier closes alike.
        last = "OVER (PARTITION BY symbol ORDER BY date ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
        scaled = f"t.adj_close * last_value(t.close) {last} / NULLIF(last_value(t.adj_close) {last}, 0)"
        adjusted = _cell(DailyBar, "adj_close", "t", scaled)
        cells = tuple(adjusted if name == "adj_close" else cell for name, cell in zip(columns, cells, strict=True))
    sql = f"SELECT {', '.join(cells)} FROM historical_data t WHERE date BETWEEN %s AND %s ORDER BY symbol, date"
    contents = f"bars of the last {HISTORY_SESSIONS} sessions, as published; one row per symbol and session"
    return FileQuery("historical_30d", contents, columns, sql, [first, session])


def _selected(model: type[models.Model], first: tuple[str, ...], rest: str) -> tuple[tuple[str, ...], str]:
    """Return all columns of a table, the given ones first, and a query for them."""
    columns, cells = _columns(model, first)
    return columns, f"SELECT {', '.join(cells)} {rest}"


def _columns(model: type[models.Model], first: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return all columns of a table, the given ones first, and the SQL expression of each."""
    names = [str(field.column) for field in model._meta.concrete_fields]
    columns = (*first, *(name for name in names if name not in first))
    return columns, tuple(_cell(model, name, "t") for name in columns)


def _cell(model: type[models.Model], column: str, table: str, expression: str = "") -> str:
    """A cell of a file for people and their spreadsheets: figures are rounded by their unit."""
    field = next(field for field in model._meta.concrete_fields if field.column == column)
    if not isinstance(field, models.FloatField):
        return cell(model, column, table)
    unit = unit_of(column, str(field.help_text))
    assert unit  # each column of floats has one
    return f'{rounded_sql(expression or f"{table}.{column}", unit)} AS "{column}"'
