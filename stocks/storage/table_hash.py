"""A hash of a table's rows that depends neither on their order nor on how they are stored."""

from collections.abc import Iterable
from typing import Any

import psycopg
from django.db.backends.utils import CursorWrapper
from psycopg import sql

Cursor = CursorWrapper | psycopg.Cursor[Any]


def column_names(cursor: Cursor, table: str) -> list[str]:
    """Return a table's columns in alphabetical order: a restored table may hold them in another one."""
    cursor.execute(
        "SELECT attname FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname",
        [table],
    )
    return [str(name) for (name,) in cursor.fetchall()]


def table_hash(cursor: Cursor, table: str, values: Iterable[sql.Composable]) -> tuple[int, str]:
    """Return the number of a table's rows and a hash of them, 32 hexadecimal digits.

    A row that is there twice counts twice. Values are expressions over a row, mostly column names, compared as
    PostgreSQL prints them: for a float that is the shortest text that reads back to the same number, so equal means
    equal to the last bit.
    """
    # The hash of hashes stays small: joining the rows themselves would pass a text's limit of 1 GB on a real market.
    query = sql.SQL(
        "SELECT count(*), md5(coalesce(string_agg(line, '' ORDER BY line COLLATE \"C\"), '')) FROM"
        " (SELECT md5(ROW({values})::text) AS line FROM {table}) lines"
    ).format(values=sql.SQL(", ").join(values), table=sql.Identifier(table))
    cursor.execute(query)
    rows, digest = cursor.fetchone() or (0, "")
    return rows, digest
