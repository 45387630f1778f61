"""Query results as frames: parsed by Arrow from COPY's CSV, or received as Arrow over a connection of their own."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.csv as pa_csv
from django.db import connection, transaction
from psycopg.conninfo import make_conninfo

from stocks.storage.copy import CopyOut, Parameters, Query


@contextmanager
def database_snapshot() -> Iterator[None]:
    """Read everything within from one snapshot, so that it agrees with itself; inside a transaction, from that one."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def query_frame(
    query: Query, parameters: Parameters = (), *, dates: Sequence[str] = (), large: bool = False
) -> pd.DataFrame:
    """Return a query's rows as a frame.

    Parameters
    ----------
    dates
        Columns returned as midnight ``datetime64[ns]``.
    large
        Whether to expect more than 100,000 rows. Outside of a transaction these come over a connection of their own,
        which costs 40 ms and saves a quarter to a half of the processor time. The values are the same to the bit, but
        not all types: in COPY's text a column of whole or of missing numbers does not look like floats. Cast those.

    Raises
    ------
    psycopg.Error
        Whichever way the rows come.
    """
    connection.ensure_connection()
    # Another connection would not see what this transaction has written.
    read = _table_over_adbc if large and not connection.in_atomic_block else _table_by_copy
    table = read(query, parameters)
    for index, field in enumerate(table.schema):
        if field.name in dates and pa.types.is_date(field.type):
            # Days as Python objects would take longer than all the rest.
            table = table.set_column(index, field.name, table.column(index).cast(pa.timestamp("ns")))
    frame: pd.DataFrame = table.to_pandas()
    for name, column in zip(table.column_names, table.columns, strict=True):
        # Whole numbers with NULLs among them would come as floats, which lose digits and are no whole numbers any more.
        if pa.types.is_integer(column.type) and column.null_count:
            frame[name] = column.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    for column in dates:
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[ns]")
    return frame


def _table_by_copy(query: Query, parameters: Parameters) -> pa.Table:
    buffer = io.BytesIO()
    buffer.writelines(CopyOut(connection.connection, query, parameters, block_bytes=1 << 20))
    options = pa_csv.ConvertOptions(
        strings_can_be_null=True, quoted_strings_can_be_null=False, timestamp_parsers=[pa_csv.ISO8601]
    )
    return pa_csv.read_csv(pa.py_buffer(buffer.getbuffer()), convert_options=options)


def _table_over_adbc(query: Query, parameters: Parameters) -> pa.Table:
    from adbc_driver_postgresql import dbapi

    session: psycopg.ConnectionInfo = connection.connection.info
    options = f"{session.get_parameters().get('options', '')} -c TimeZone={connection.timezone_name}"
    address = make_conninfo(session.dsn, password=session.password or None, options=options)
    statement = psycopg.ClientCursor(connection.connection).mogrify(query, parameters or None)
    try:
        with dbapi.connect(address, autocommit=True) as reader, reader.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetch_arrow_table()
    except dbapi.Error as error:
        kind = psycopg.errors.lookup(error.sqlstate) if error.sqlstate else psycopg.OperationalError
        raise kind(str(error)) from error
