"""The dated facts that one session's ratios need, so that an evening does not read years of them.

`statements_frame`, `snapshots_frame` and `facts_frame` return everything known by a session, as a panel of many days
needs it. A single day needs only the newest of each: these readers return the few rows a symbol that can still affect a
result, in the same columns, and `formulas.dated_fundamentals` computes the same figures from them.
"""

from datetime import date
from typing import LiteralString

import pandas as pd
from psycopg import sql

from stocks.fundamentals import writer as fundamentals_writer
from stocks.fundamentals.formulas import MAX_AGE_DAYS
from stocks.storage.frames import query_frame
from stocks.storage.symbol_scan import NAMES
from stocks.universe import writer as universe_writer

# Two years of quarters, and the newest balance and count of shares, which may be older.
_STATEMENTS: LiteralString = (
    NAMES
    + """
    SELECT {columns} FROM names n CROSS JOIN LATERAL (SELECT least(
        (SELECT max(period_end) FROM {table} q
         WHERE q.symbol = n.symbol AND q.kind = 'quarter' AND q.published_on <= %(as_of)s) - interval '24 months',
        (SELECT max(period_end) FROM {table} b WHERE b.symbol = n.symbol
         AND (b.equity IS NOT NULL OR b.total_assets IS NOT NULL) AND b.published_on <= %(as_of)s),
        (SELECT max(period_end) FROM {table} c
         WHERE c.symbol = n.symbol AND c.shares > 0 AND c.published_on <= %(as_of)s)) AS day) since
    JOIN {table} t ON t.symbol = n.symbol AND t.period_end >= since.day
    WHERE t.published_on <= %(as_of)s ORDER BY t.symbol, t.period_end, t.kind"""
)

_SNAPSHOTS: LiteralString = (
    NAMES
    + """
    SELECT {columns} FROM names n CROSS JOIN LATERAL (SELECT least(
        (SELECT max(snapshot) FROM {table} s WHERE s.symbol = n.symbol AND s.snapshot < %(as_of)s),
        (SELECT max(snapshot) FROM {table} c WHERE c.symbol = n.symbol AND c.snapshot < %(as_of)s
         AND c.market_cap > 0 AND c.close > 0)) AS day) since
    JOIN {table} t ON t.symbol = n.symbol AND t.snapshot >= since.day
    WHERE t.snapshot < %(as_of)s ORDER BY t.symbol, t.snapshot"""
)

# The newest count of shares, the newest price that has a P/E, the newest P/E.
_FACTS: LiteralString = (
    NAMES
    + """
    SELECT DISTINCT {columns} FROM names n CROSS JOIN LATERAL (
        (SELECT * FROM {table} c WHERE c.symbol = n.symbol AND c.date <= %(as_of)s AND c.issue_size > 0
         ORDER BY c.date DESC LIMIT 1)
        UNION ALL
        (SELECT * FROM {table} p WHERE p.symbol = n.symbol AND p.date BETWEEN %(oldest)s AND %(as_of)s
         AND p.pe_ratio > 0 AND p.issue_size > 0 AND p.market_cap > 0 ORDER BY p.date DESC LIMIT 1)
        UNION ALL
        (SELECT * FROM {table} r WHERE r.symbol = n.symbol AND r.date BETWEEN %(oldest)s AND %(as_of)s
         AND r.pe_ratio > 0 ORDER BY r.date DESC LIMIT 1)
    ) t ORDER BY t.symbol, t.date"""
)


def latest_statements(as_of: date) -> pd.DataFrame:
    """Statements that a session's ratios need, in the form of `statements_frame`."""
    rows = _rows(_STATEMENTS, "financial_statements", fundamentals_writer.COLUMNS, as_of)
    return fundamentals_writer.typed_statements(rows, as_of)


def latest_snapshots(as_of: date) -> pd.DataFrame:
    """Evenings of a screener that a session's ratios need, in the form of `snapshots_frame`."""
    rows = _rows(_SNAPSHOTS, "fundamental_snapshots", fundamentals_writer.SNAPSHOT_COLUMNS, as_of)
    return fundamentals_writer.typed_snapshots(rows, as_of)


def latest_facts(as_of: date) -> pd.DataFrame:
    """Facts of report packs that a session's ratios need, in the form of `facts_frame`."""
    return universe_writer.typed_facts(_rows(_FACTS, "exchange_facts", universe_writer.FACT_COLUMNS, as_of), as_of)


def needed_statements(known: pd.DataFrame) -> pd.DataFrame:
    """Of the statements known by a session, those that its ratios need: what `latest_statements` reads; same index."""
    ends, symbol = known["period_end"], known["symbol"]
    quarters = ends.where(known["kind"] == "quarter").groupby(symbol).transform("max") - pd.DateOffset(months=24)
    has_balance = known["equity"].notna() | known["total_assets"].notna()
    balances = ends.where(has_balance).groupby(symbol).transform("max")
    counts = ends.where(known["shares"].gt(0).fillna(False).astype(bool)).groupby(symbol).transform("max")
    since = pd.concat([quarters, balances, counts], axis=1).min(axis=1)
    return known[ends >= since]


def needed_snapshots(known: pd.DataFrame) -> pd.DataFrame:
    """Of the evenings of a screener known by a session, those that its ratios need; same index."""
    evenings, symbol = known["snapshot"], known["symbol"]
    counts = evenings.where(known["market_cap"].gt(0) & known["close"].gt(0)).groupby(symbol).transform("max")
    since = pd.concat([evenings.groupby(symbol).transform("max"), counts], axis=1).min(axis=1)
    return known[evenings >= since]


def _rows(query: LiteralString, table: LiteralString, columns: tuple[str, ...], as_of: date) -> pd.DataFrame:
    bounds = {"as_of": as_of, "oldest": (pd.Timestamp(as_of) - pd.Timedelta(days=MAX_AGE_DAYS)).date()}
    names = sql.SQL(", ").join(sql.Identifier("t", name) for name in columns)
    statement = sql.SQL(query).format(table=sql.Identifier(table), columns=names)
    return query_frame(statement, bounds, dates=[name for name in columns if name in _DATES])


_DATES = frozenset({"period_end", "published_on", "snapshot", "results_date", "date"})
