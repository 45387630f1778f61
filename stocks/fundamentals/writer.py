"""The only writer of `financial_statements` and `fundamental_snapshots`, and their readers as of a session."""

from datetime import date
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from psycopg import sql

from stocks.fundamentals.files import (
    STATEMENT_COLUMNS,
    FundamentalsUnreadableError,
    Reading,
    read_snapshots,
    read_statements,
)
from stocks.storage import bulk
from stocks.storage.bulk import WriteCounts
from stocks.storage.frames import query_frame
from stocks.universe.symbols import current_symbols

COLUMNS = tuple(STATEMENT_COLUMNS)
SNAPSHOT_COLUMNS = (
    *("symbol", "snapshot", "stock_name", "sector", "industry"),
    *("close", "market_cap", "pe_ratio", "peg_ratio", "debt_to_equity", "roe", "roce", "operating_margin"),
    *("eps_quarter", "eps_quarter_last_year", "eps_last_year", "net_profit_quarter", "net_profit_quarter_last_year"),
    *("sales_quarter", "sales_quarter_last_year", "circuit_limit", "results_date", "source"),
)
SNAPSHOT_FIGURES = SNAPSHOT_COLUMNS[5:21]


class FolderContents(NamedTuple):
    """The contents of a fundamentals folder."""

    statements: Reading
    snapshots: Reading


class ImportReport(NamedTuple):
    """Rows that an import of the fundamentals folder wrote, read and rejected."""

    statements: WriteCounts
    snapshots: WriteCounts
    statement_rows: int
    snapshot_rows: int
    empty: int
    rejects: pd.DataFrame


def read_fundamentals(folder: Path) -> FolderContents:
    """Read and check a fundamentals folder; raises FundamentalsUnreadableError for nothing usable or a damaged file."""
    contents = FolderContents(read_statements(folder), read_snapshots(folder))
    if contents.statements.rows.empty and contents.snapshots.rows.empty:
        raise FundamentalsUnreadableError(
            f"{folder} holds no statements_*.csv(.gz), snapshots_*.parquet or fundamentals_*.csv with a usable row."
        )
    return contents


def record_fundamentals(contents: FolderContents, run_id: str, *, dry_run: bool = False) -> ImportReport:
    """Record the contents of a folder (nothing in a dry run); a second import of the same files changes nothing.

    The report counts rows written, read and without any figure; the caller stores its rejected ones (symbol, date,
    reason, raw, source).
    """
    statements, snapshots = contents.statements.rows, contents.snapshots.rows
    written = (WriteCounts(0, 0), WriteCounts(0, 0))
    if not dry_run:
        written = record_statements(statements, run_id), record_snapshots(snapshots, run_id)
    rejects = pd.concat([reading.rejects for reading in contents], ignore_index=True)
    empty = contents.statements.empty + contents.snapshots.empty
    return ImportReport(*written, len(statements), len(snapshots), empty, rejects)


def record_statements(frame: pd.DataFrame, run_id: str) -> WriteCounts:
    """Write statements, one row per (symbol, period_end, kind); a restated period replaces the stored one.

    Columns are ``STATEMENT_COLUMNS`` (₹ crore, EPS ₹, shares); figures that a source lacks may be absent.
    """
    rows = frame.reindex(columns=list(STATEMENT_COLUMNS))
    rows = rows.assign(published_assumed=rows["published_assumed"].fillna(False).astype(bool))
    rows["shares"] = pd.to_numeric(rows["shares"]).round().astype("Int64")
    return bulk.upsert("financial_statements", rows, ("symbol", "period_end", "kind"), run_id)


def record_snapshots(frame: pd.DataFrame, run_id: str) -> WriteCounts:
    """Write evenings of a screener, one row per (snapshot, symbol), with the columns of the table."""
    return bulk.upsert("fundamental_snapshots", frame, ("snapshot", "symbol"), run_id)


def statements_frame(as_of: date) -> pd.DataFrame:
    """Statements usable on a session, under the symbols in use on it.

    ``STATEMENT_COLUMNS``, sorted by symbol, period_end; dates as ``datetime64[ns]``.

    Notes
    -----
    Point in time: ``published_on`` at or before ``as_of``; renames up to ``as_of``.
    """
    query = sql.SQL("SELECT {} FROM financial_statements WHERE published_on <= %s ORDER BY symbol, period_end, kind")
    frame = query_frame(query.format(_column_list(COLUMNS)), [as_of], dates=("period_end", "published_on"))
    return typed_statements(frame, as_of)


def typed_statements(frame: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Statements with their dtypes and the symbols in use on a session."""
    figures = dict.fromkeys(COLUMNS[5:15], float) | {"shares": "Int64"}
    return current_symbols(frame.astype(figures), as_of, key=("period_end", "kind"))


def snapshots_frame(as_of: date) -> pd.DataFrame:
    """Evenings of a screener usable on a session, under the symbols in use on it.

    ``SNAPSHOT_COLUMNS``, sorted by symbol, snapshot; dates as ``datetime64[ns]``.

    Notes
    -----
    Point in time: ``snapshot`` before ``as_of``: an evening counts from the next session on; renames up to ``as_of``.
    """
    query = sql.SQL("SELECT {} FROM fundamental_snapshots WHERE snapshot < %s ORDER BY symbol, snapshot")
    frame = query_frame(query.format(_column_list(SNAPSHOT_COLUMNS)), [as_of], dates=("snapshot", "results_date"))
    return typed_snapshots(frame, as_of)


def typed_snapshots(frame: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Evenings of a screener with their dtypes and the symbols in use on a session."""
    return current_symbols(frame.astype(dict.fromkeys(SNAPSHOT_FIGURES, float)), as_of, key=("snapshot",))


def _column_list(columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
