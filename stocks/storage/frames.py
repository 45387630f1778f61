"""Query results as frames: the rows come by COPY and are parsed by Arrow, twice as fast as fetching them."""

import io
from collections.abc import Mapping, Sequence
from typing import LiteralString

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
from django.db import connection
from psycopg import sql

from stocks.storage.copy import CopyOut


def query_frame(
    query: "sql.Composable | LiteralString",
    parameters: Sequence[object] | Mapping[str, object] = (),
    *,
    dates: Sequence[str] = (),
) -> pd.DataFrame:
    """Return a query's rows as a frame.

    Parameters
    ----------
    query : composable or literal
        A SELECT with `%s` for parameters.
    parameters : sequence or mapping
        Values, quoted by the driver; a mapping for named ones.
    dates : sequence of str
        Columns returned as midnight ``datetime64[ns]``.
    """
    connection.ensure_connection()
    buffer = io.BytesIO()
    buffer.writelines(CopyOut(connection.connection, query, parameters, block_bytes=1 << 20))
    options = pa_csv.ConvertOptions(
        strings_can_be_null=True, quoted_strings_can_be_null=False, timestamp_parsers=[pa_csv.ISO8601]
    )
    table = pa_csv.read_csv(pa.py_buffer(buffer.getbuffer()), convert_options=options)
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
