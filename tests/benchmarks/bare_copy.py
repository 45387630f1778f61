"""PostgreSQL's COPY without anything of ours around it: the yardstick for reading and writing."""

from typing import Any, NamedTuple, cast

from django.db import connection, transaction

_BLOCK = 1 << 20


class Rows(NamedTuple):
    """Rows as CSV, ready to be sent."""

    csv: bytes
    number: int


def copy_out(query: str) -> Rows:
    """Read a query's rows by COPY, as fast as the driver's library can."""
    rows: list[bytes] = []
    with connection.cursor() as cursor, _copy(cursor, f"COPY ({query}) TO STDOUT WITH (FORMAT csv)") as copy:
        take = copy.connection.pgconn.get_copy_data
        while row := copy.read():
            rows.append(bytes(row))
            size, row = take(1)
            while size > 0:
                rows.append(bytes(row))
                size, row = take(1)
            if size < 0:
                break
        while copy.connection.pgconn.get_result():
            pass
    return Rows(b"".join(rows), len(rows))


def copy_in(table: str, columns: str, rows: Rows) -> None:
    """Write ready rows by one COPY in one transaction."""
    statement, view = f"COPY {table} ({columns}) FROM STDIN WITH (FORMAT csv)", memoryview(rows.csv)
    with transaction.atomic(), connection.cursor() as cursor, _copy(cursor, statement) as copy:
        for start in range(0, len(view), _BLOCK):
            copy.write(view[start : start + _BLOCK])


def execute(*statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def scalar(query: str) -> Any:
    """Return the one value of a query."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def _copy(cursor: object, statement: str) -> Any:
    return cast("Any", cursor).copy(statement)
