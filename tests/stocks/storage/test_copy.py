"""COPY out and in: whole rows in bounded blocks, their number, and a connection that stays usable."""

from contextlib import nullcontext

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg import sql

from stocks.storage.copy import TEXT, CopyOut, copy_in

pytestmark = pytest.mark.django_db
NUMBERS = sql.SQL("SELECT n, repeat('x', 100) AS filler FROM generate_series(1, %s) n ORDER BY n")


@pytest.mark.parametrize("rows", [0, 1, 5_000])
def test_rows_are_whole_counted_and_in_blocks(rows: int) -> None:
    connection.ensure_connection()
    copy = CopyOut(connection.connection, NUMBERS, [rows], block_bytes=10_000)
    blocks = list(copy)
    lines = b"".join(blocks).decode().splitlines()
    assert lines == ["n,filler", *(f"{n},{'x' * 100}" for n in range(1, rows + 1))]
    assert copy.rows == rows
    assert max(map(len, blocks)) < 11_000


def test_slow_rows_come_in_blocks_too() -> None:
    connection.ensure_connection()
    query = "SELECT repeat('x', 9000) || pg_sleep(0.01) FROM generate_series(1, 12)"
    blocks = list(CopyOut(connection.connection, query, block_bytes=10_000))
    assert len(blocks) > 5


def test_a_closed_iterator_leaves_the_connection_usable() -> None:
    connection.ensure_connection()
    blocks = iter(CopyOut(connection.connection, NUMBERS, [100_000]))
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    # Within the test's transaction the cancelled COPY is an error like any other.
    connection.connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize("queries", [nullcontext(), CaptureQueriesContext(connection)], ids=["plain", "logged"])
def test_what_goes_out_comes_in_again(queries) -> None:
    with queries, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE copied (n int, word text)")
        values = sql.SQL("SELECT * FROM (VALUES (1, E'tab\\tand\\nline'), (2, NULL), (3, '')) AS t(n, word)")
        blocks = list(CopyOut(connection.connection, values, form=TEXT))
        copy_in(connection.connection, "copied", ("n", "word"), blocks, form=TEXT)
        cursor.execute("SELECT n, word FROM copied ORDER BY n")
        assert cursor.fetchall() == [(1, "tab\tand\nline"), (2, None), (3, "")]
