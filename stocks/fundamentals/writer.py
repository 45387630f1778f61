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
    "symbol",
    "snapshot",
    "stock_name",
    "sector",
    "industry",
    "close",
    "market_cap",
    "pe_ratio",
    "peg_ratio",
    "debt_to_equity",
    "roe",
    "roce",
    "operating_margin",
    "eps_quarter",
    "eps_quarter_last_year",
    "eps_last_year",
    "net_profit_quarter",
    "net_profit_quarter_last_year",
    "sales_quarter",
    "sales_quarter_last_year",
    "circuit_limit",
    "results_date",
    "source",
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
    """Read and check the files of a fundamentals folder; see `stocks.fundamentals.files`.

    Raises
    ------
    FundamentalsUnreadableError
        The folder holds nothing usable, or a damaged file.
    """
    contents = FolderContents(read_statements(folder), read_snapshots(folder))
    if contents.statements.rows.empty and contents.snapshots.rows.empty:
        raise FundamentalsUnreadableError(
            f"{folder} holds no statements_*.csv(.gz), snapshots_*.parquet or fundamentals_*.csv with a usable row."
        )
    return contents


def record_fundamentals(contents: FolderContents, run_id: str, *, dry_run: bool = False) -> ImportReport:
    """Record the contents of a folder; a second import of the same files changes nothing.

    Parameters
    ----------
    contents
        As `read_fundamentals` returns it.
    run_id
        Kept on inserted rows.
    dry_run
        Write nothing.

    Returns
    -------
    ImportReport
        Rows written, rows read, rows without any figure, and the rejected ones (symbol, date, reason, raw, source),
        which the caller stores.
    """
    written = (
        (WriteCounts(0, 0), WriteCounts(0, 0))
        if dry_run
        else (record_statements(contents.statements.rows, run_id), record_snapshots(contents.snapshots.rows, run_id))
    )
    rejects = pd.concat([reading.rejects for reading in contents], ignore_index=True)
    empty = contents.statements.empty + contents.snapshots.empty
    return ImportReport(*written, len(contents.statements.rows), len(contents.snapshots.rows), empty, rejects)


def record_statements(frame: pd.DataFrame, run_id: str) -> WriteCounts:
    """Write statements, one row per (symbol, period_end, kind); a restated period replaces the stored one.

    Parameters
    ----------
    frame
        Columns of ``STATEMENT_COLUMNS`` (₹ crore, EPS ₹, shares); figures that a source lacks may be absent.
    run_id
        Kept on inserted rows; before-images of changed rows are kept for it.
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

    Returns
    -------
    DataFrame
        ``STATEMENT_COLUMNS``, sorted by symbol, period_end; dates as ``datetime64[ns]``.

    Notes
    -----
    Point in time: ``published_on`` at or before ``as_of``; renames up to ``as_of``.
    """
    frame = query_frame(
        sql.SQL(
            "SELECT {} FROM financial_statements WHERE published_on <= %s ORDER BY symbol, period_end, kind"
        ).format(_column_list(COLUMNS)),
        [as_of],
        dates=("period_end", "published_on"),
    )
    return typed_statements(frame, as_of)


def typed_statements(frame: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Statements with their dtypes and the symbols in use on a session."""
    figures = dict.fromkeys(COLUMNS[5:15], float) | {"shares": "Int64"}
    return current_symbols(frame.astype(figures), as_of, key=("period_end", "kind"))


def snapshots_frame(as_of: date) -> pd.DataFrame:
    """Evenings of a screener usable on a session, under the symbols in use on it.

    Returns
    -------
    DataFrame
        ``SNAPSHOT_COLUMNS``, sorted by symbol, snapshot; dates as ``datetime64[ns]``.

    Notes
    -----
    Point in time: ``snapshot`` before ``as_of``: an evening counts from the next session on; renames up to ``as_of``.
    """
    frame = query_frame(
        sql.SQL("SELECT {} FROM fundamental_snapshots WHERE snapshot < %s ORDER BY symbol, snapshot").format(
            _column_list(SNAPSHOT_COLUMNS)
        ),
        [as_of],
        dates=("snapshot", "results_date"),
    )
    return typed_snapshots(frame, as_of)


def typed_snapshots(frame: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Evenings of a screener with their dtypes and the symbols in use on a session."""
    return current_symbols(frame.astype(dict.fromkeys(SNAPSHOT_FIGURES, float)), as_of, key=("snapshot",))


def _column_list(columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
