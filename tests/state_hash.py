"""A hash of each table's contents as readers see them, regardless of which run wrote them and when.

Two databases (or one, before and after) hold the same market exactly when these hashes are equal. Numbers are compared
as PostgreSQL prints them, which for a float is the shortest text that reads back to the same number: equal means equal
to the last bit. Row ids and run ids are left out. Of a time of writing only its presence counts, so that a publication
in force differs from a superseded one.
"""

from collections.abc import Sequence
from typing import Final

from django.db import connection, transaction
from psycopg import sql

from stocks.storage.table_hash import column_names, table_hash

MARKET_TABLES: Final = (
    "stocks",
    "historical_data",
    "technical_indicators",
    "stock_metrics",
    "daily_suggested_stocks",
    "publications",
    "corporate_actions",
    "symbol_changes",
    "exchange_facts",
    "source_files",
    "financial_statements",
    "fundamental_snapshots",
    "findings",
    "rejected_rows",
    "table_totals",
    "market_days",
    "market_years",
    "trained_models",
)
"""The contract's tables of the market, and what they rest on."""

IDENTITIES: Final = ("id", "run_id", "publication_id", "mtime_ns")
TIMES_OF_WRITING: Final = (
    "created_at",
    "last_updated",
    "updated_at",
    "read_at",
    "published_at",
    "superseded_at",
    "trained_at",
)


def contract_hash(tables: Sequence[str] = MARKET_TABLES) -> dict[str, str]:
    """Return table → hash of its rows, all read from one state of the database.

    Parameters
    ----------
    tables : sequence of str
        Tables to read, in any order.

    Returns
    -------
    dict
        Table → 32 hexadecimal digits. Rows are ordered by their own hashes, so that neither their order on disk nor
        the lack of a natural key matters; a duplicate row counts.

    Notes
    -----
    A few seconds per 200,000 rows. Outside a transaction it opens one of its own, with repeatable read.
    """
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        hashes = {}
        for table in tables:
            values = [
                (sql.SQL("{} IS NULL") if name in TIMES_OF_WRITING else sql.SQL("{}")).format(sql.Identifier(name))
                for name in column_names(cursor, table)
                if name not in IDENTITIES
            ]
            _, hashes[table] = table_hash(cursor, table, values)
        return hashes


def differences(actual: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Return the names of the tables whose hashes differ, or that only one side has."""
    return sorted(table for table in actual.keys() | expected.keys() if actual.get(table) != expected.get(table))
