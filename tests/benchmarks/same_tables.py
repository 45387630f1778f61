"""Compare the market of two databases, table by table and column by column.

`python -m tests.benchmarks.same_tables URL URL` prints each column whose values differ, and the columns that only one
side has. Rows are compared as multisets of texts, so that neither their order nor their identity numbers matter: two
versions of the product that compute the same figures give the same hashes.
"""

import argparse
import sys
from collections.abc import Iterator

import psycopg
from psycopg import sql

from stocks.storage.table_hash import column_names, table_hash
from tests.state_hash import IDENTITIES, MARKET_TABLES, TIMES_OF_WRITING

PROSE = {
    "daily_suggested_stocks": {"reason"},
    "publications": {"reason"},
    "findings": {"message", "remedy"},
    "rejected_rows": {"reason"},
}
"""Columns whose sentences may change between versions; compared only with `--prose`."""

FIGURES_OF_LISTS = sql.SQL(
    "(SELECT jsonb_agg(pick - 'reason' - 'score_parts' ORDER BY position)"
    " FROM jsonb_array_elements(picks) WITH ORDINALITY AS lists(pick, position))"
)
"""The published lists without their prose, and without a key that only later versions store."""


def columns(connection: psycopg.Connection, table: str) -> set[str]:
    """Return the columns of a table that say something about the market."""
    with connection.cursor() as cursor:
        return {*column_names(cursor, table)} - {*IDENTITIES, *TIMES_OF_WRITING}


def fingerprint(connection: psycopg.Connection, table: str, names: list[str]) -> tuple[int, str]:
    """Return the number of rows and one hash over the given columns."""
    with connection.cursor() as cursor:
        return table_hash(cursor, table, map(_expression, names))


def _expression(name: str) -> sql.Composable:
    return FIGURES_OF_LISTS if name == "picks" else sql.Identifier(name)


def differences(old: psycopg.Connection, new: psycopg.Connection, *, prose: bool) -> Iterator[tuple[bool, str]]:
    """Yield for each table whether it differs, and a line about it."""
    for table in MARKET_TABLES:
        before, after = columns(old, table), columns(new, table)
        left_out = set() if prose else PROSE.get(table, set())
        shared = sorted((before & after) - left_out)
        apart = f"; only on one side: {', '.join(sorted(before ^ after))}" if before ^ after else ""
        apart += f"; prose not compared: {', '.join(sorted(left_out))}" if left_out else ""
        mine, other = fingerprint(old, table, shared), fingerprint(new, table, shared)
        if mine == other:
            yield False, f"{table}: {mine[0]:,} rows equal in {len(shared)} columns{apart}"
            continue
        unequal = [name for name in shared if fingerprint(old, table, [name]) != fingerprint(new, table, [name])]
        yield True, f"{table}: {mine[0]:,} and {other[0]:,} rows DIFFER in {', '.join(unequal) or 'pairs'}{apart}"


def main() -> int:
    """Print the comparison; exit with 1 when something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", help="postgresql:// address of the one database")
    parser.add_argument("new", help="postgresql:// address of the other")
    parser.add_argument("--prose", action="store_true", help="compare sentences too")
    options = parser.parse_args()
    unequal = False
    with psycopg.connect(options.old) as old, psycopg.connect(options.new) as new:
        for differs, line in differences(old, new, prose=options.prose):
            unequal |= differs
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    return int(unequal)


if __name__ == "__main__":
    sys.exit(main())
