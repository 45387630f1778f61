"""PostgreSQL's COPY: rows of a query out, rows into a table, as blocks of bytes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.abc import Buffer

CSV: Final = sql.SQL("(FORMAT csv)")
CSV_WITH_HEADING: Final = sql.SQL("(FORMAT csv, HEADER)")
TEXT: Final = sql.SQL("(FORMAT text)")

BLOCK_BYTES: Final = 1 << 16

Query = sql.SQL | sql.Composed | LiteralString
Parameters = Sequence[object] | Mapping[str, object]


class CopyOut:
    """The rows of a query by COPY; iterating runs it, once, in memory that does not grow with the rows.

    The connection is not to be used otherwise before the last block was read or the iterator closed; then `rows` is
    their number. The query is a SELECT with `%s` or named placeholders, whose values the driver quotes (the server
    takes none with COPY). `block_bytes` is the least size of a block, except for the last one.
    """

    def __init__(
        self,
        connection: "psycopg.Connection[Any]",
        query: Query,
        parameters: Parameters = (),
        *,
        form: sql.SQL = CSV_WITH_HEADING,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        query = sql.SQL(query) if isinstance(query, str) else query
        self._statement = sql.SQL("COPY ({}) TO STDOUT WITH {}").format(query, form)
        self._connection, self._parameters, self._block_bytes = connection, parameters or None, block_bytes
        self.rows = 0

    def __iter__(self) -> Iterator[bytes]:
        server, block = self._connection.pgconn, bytearray()
        with (
            psycopg.ClientCursor(self._connection) as cursor,
            cursor.copy(self._statement, self._parameters) as copy,
        ):
            while row := copy.read():
                size = len(row)
                # The driver waits for each row by itself; taking those that have already arrived is ten times as fast.
                while size > 0:
                    block += row
                    if len(block) >= self._block_bytes:
                        yield bytes(block)
                        block.clear()
                    size, row = server.get_copy_data(1)
                if size < 0:  # the end; the result tells whether it was one of success
                    result, *_ = iter(server.get_result, None)
                    if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
                        raise psycopg.errors.error_from_result(result)
                    self.rows = result.command_tuples or 0
                    break
            else:
                self.rows = cursor.rowcount
        yield bytes(block)


def copy_in(
    connection: "psycopg.Connection[Any]",
    table: str,
    columns: Iterable[str],
    blocks: Iterable[Buffer],
    *,
    form: sql.SQL = CSV,
) -> None:
    """Write rows, in COPY's format, into some columns of a table; a block may end anywhere in a row."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN WITH {}").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns)), form
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for block in blocks:
            copy.write(block)
