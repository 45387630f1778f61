"""Bulk writes that can be rolled back: COPY into a staging table, before-images of what changes, one upsert.

The method follows PostgreSQL's manual on populating a database. Frames go through Arrow's CSV writer, whose floats are
the shortest text that reads back to the same number. Rows carry the run that inserted them (`run_id`); of rows that a
run overwrites or deletes, a before-image is kept in `run_undo`, from which a rollback restores them exactly.
"""

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from stocks.storage.copy import copy_in

_ROWS_PER_BLOCK = 200_000
_FEW_SYMBOLS = 2_000
"""Up to this many symbols, checking whether they have any rows pays: history is loaded by groups of symbols."""


class WriteCounts(NamedTuple):
    """Numbers of rows that a write inserted and changed."""

    inserted: int
    updated: int

    @property
    def total(self) -> int:
        """Number of rows touched."""
        return self.inserted + self.updated


def upsert(table: str, frame: pd.DataFrame, key: Sequence[str], run_id: str, *, undo: bool = True) -> WriteCounts:
    """Insert the frame's rows, and update those whose `key` exists and whose values differ.

    The frame has the table's column names; NaN, NA and NaT become NULL. The key has the columns of a unique constraint.
    Inserted rows store `run_id`; a changed row keeps the id of the run that inserted it, and with `undo` a before-image
    of it is kept. Equal rows count as neither inserted nor changed.
    """
    if frame.empty:
        return WriteCounts(0, 0)
    rows = frame.assign(run_id=run_id)
    with connection.cursor() as cursor:
        if "date" in key and _none_stored(cursor, table, rows):
            _copy(table, rows)
            return WriteCounts(len(rows), 0)
        _stage(cursor, table, rows)
        values = [column for column in frame.columns if column not in key]
        if undo:
            _keep_changed_images(cursor, table, key, values, run_id)
        return _merge(cursor, table, list(rows.columns), key, values)


def update(table: str, frame: pd.DataFrame, key: Sequence[str], run_id: str) -> int:
    """Update the given columns of existing rows where they differ, keeping before-images; return how many changed.

    Rows of the frame without a counterpart in the table are ignored.
    """
    if frame.empty:
        return 0
    values = [column for column in frame.columns if column not in key]
    with connection.cursor() as cursor:
        _stage(cursor, table, frame)
        _keep_changed_images(cursor, table, key, values, run_id)
        cursor.execute(
            sql.SQL("UPDATE {table} t SET {sets} FROM staging s WHERE {same} AND {differ}").format(
                table=sql.Identifier(table),
                sets=_columns("{0} = s.{0}", values),
                same=_columns("t.{0} = s.{0}", key, " AND "),
                differ=_is_distinct(values),
            )
        )
        return int(cursor.rowcount)


def keep_before_images(table: str, where: LiteralString, parameters: Sequence[Any], run_id: str) -> int:
    """Keep images of the rows matching `where` (alias `t`) that the run did not insert itself; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "INSERT INTO run_undo (run_id, table_name, row_image) SELECT %s, %s, to_jsonb(t) FROM {table} t"
                " WHERE t.run_id IS DISTINCT FROM %s AND ({where})"
            ).format(table=sql.Identifier(table), where=sql.SQL(where)),
            [run_id, table, run_id, *parameters],
        )
        return int(cursor.rowcount)


def delete(table: str, where: LiteralString, parameters: Sequence[Any], run_id: str) -> int:
    """Delete the rows matching `where` (alias `t`), keeping before-images; return how many."""
    keep_before_images(table, where, parameters, run_id)
    with connection.cursor() as cursor:
        statement = sql.SQL("DELETE FROM {} t WHERE {}").format(sql.Identifier(table), sql.SQL(where))
        cursor.execute(statement, list(parameters))
        return int(cursor.rowcount)


def roll_back(table: str, run_id: str) -> WriteCounts:
    """Remove what a run inserted into a table (`inserted`) and restore what it changed or deleted (`updated`).

    All changed rows are deleted before any image is inserted: two rows that swapped a unique key during the run would
    collide otherwise. A column added after an image was kept retains its current value; in a deleted row it is NULL.
    """
    name, (key, kind) = sql.Identifier(table), _primary_key(table)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DELETE FROM {table} WHERE run_id = %s").format(table=name), [run_id])
        removed = cursor.rowcount
        cursor.execute("DROP TABLE IF EXISTS pg_temp.restored")
        cursor.execute(
            sql.SQL(
                "CREATE TEMP TABLE restored ON COMMIT DROP AS SELECT r.* FROM"
                " (SELECT DISTINCT ON (row_image->>{key}) row_image FROM run_undo"
                " WHERE run_id = %s AND table_name = %s ORDER BY row_image->>{key}, id) u"
                " LEFT JOIN {table} t ON t.{column} = (u.row_image->>{key})::{kind},"
                " jsonb_populate_record(t, u.row_image) r"
            ).format(table=name, column=sql.Identifier(key), key=sql.Literal(key), kind=sql.SQL(kind)),
            [run_id, table],
        )
        cursor.execute("ANALYZE restored")
        changed = sql.SQL("DELETE FROM {table} t USING restored r WHERE t.{key} = r.{key}")
        cursor.execute(changed.format(table=name, key=sql.Identifier(key)))
        cursor.execute(sql.SQL("INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM restored").format(table=name))
        restored = cursor.rowcount
        cursor.execute("DELETE FROM run_undo WHERE run_id = %s AND table_name = %s", [run_id, table])
        return WriteCounts(removed, restored)


def rollback_counts(table: str, run_id: str) -> WriteCounts:
    """Return the rows that `roll_back` would delete from a table (`inserted`) and restore (`updated`)."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "SELECT (SELECT count(*) FROM {table} WHERE run_id = %s), (SELECT count(DISTINCT row_image->>{key})"
                " FROM run_undo WHERE run_id = %s AND table_name = %s)"
            ).format(table=sql.Identifier(table), key=sql.Literal(_primary_key(table)[0])),
            [run_id, run_id, table],
        )
        return WriteCounts(*cursor.fetchone())


def _primary_key(table: str) -> tuple[str, LiteralString]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_index i"
            " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
            " WHERE i.indrelid = %s::regclass AND i.indisprimary",
            [table],
        )
        name, kind = cursor.fetchone()
        return name, kind


def _none_stored(cursor: CursorWrapper, table: str, rows: pd.DataFrame) -> bool:
    """Whether the table has no rows on these days, or none of these symbols, so that no key can conflict."""
    days = [pd.Timestamp(rows["date"].min()).date(), pd.Timestamp(rows["date"].max()).date()]
    of_days = sql.SQL("SELECT EXISTS (SELECT 1 FROM {table} WHERE date BETWEEN %s AND %s)")
    cursor.execute(of_days.format(table=sql.Identifier(table)), days)
    if not cursor.fetchone()[0]:
        return True
    symbols = rows["symbol"].unique().tolist() if "symbol" in rows else []
    if not 0 < len(symbols) <= _FEW_SYMBOLS:
        return False
    of_symbols = sql.SQL("SELECT EXISTS (SELECT 1 FROM {table} WHERE symbol = ANY(%s) AND date BETWEEN %s AND %s)")
    cursor.execute(of_symbols.format(table=sql.Identifier(table)), [symbols, *days])
    return not cursor.fetchone()[0]


def _stage(cursor: CursorWrapper, table: str, frame: pd.DataFrame) -> None:
    cursor.execute("DROP TABLE IF EXISTS pg_temp.staging")
    cursor.execute(
        sql.SQL("CREATE TEMP TABLE staging ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA").format(
            columns=sql.SQL(", ").join(map(sql.Identifier, frame.columns)), table=sql.Identifier(table)
        )
    )
    _copy("staging", frame)
    cursor.execute("ANALYZE staging")


def _copy(table: str, frame: pd.DataFrame) -> None:
    blocks = (_csv(frame.iloc[start : start + _ROWS_PER_BLOCK]) for start in range(0, len(frame), _ROWS_PER_BLOCK))
    # Raise Django's exceptions, as every other write does.
    with connection.wrap_database_errors:
        copy_in(connection.connection, table, frame.columns, blocks)


def _csv(frame: pd.DataFrame) -> memoryview:
    # One thread: starting more takes longer than converting an evening's rows.
    table = pa.Table.from_pandas(frame, preserve_index=False, nthreads=1)
    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz is None:
            table = table.set_column(index, field.name, table.column(index).cast(pa.date32()))
        elif pa.types.is_dictionary(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(field.type.value_type))
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(table, sink, pa_csv.WriteOptions(include_header=False))
    return memoryview(sink.getvalue())


def _keep_changed_images(
    cursor: CursorWrapper, table: str, key: Sequence[str], values: Sequence[str], run_id: str
) -> None:
    cursor.execute(
        sql.SQL(
            "INSERT INTO run_undo (run_id, table_name, row_image)"
            " SELECT %s, %s, to_jsonb(t) FROM {table} t JOIN staging s ON {same}"
            " WHERE t.run_id IS DISTINCT FROM %s AND {differ}"
        ).format(
            table=sql.Identifier(table), same=_columns("t.{0} = s.{0}", key, " AND "), differ=_is_distinct(values)
        ),
        [run_id, table, run_id],
    )


def _merge(
    cursor: CursorWrapper, table: str, columns: Sequence[str], key: Sequence[str], values: Sequence[str]
) -> WriteCounts:
    cursor.execute(
        sql.SQL(
            "WITH written AS (INSERT INTO {table} AS t ({columns}) SELECT {columns} FROM staging s"
            " ON CONFLICT ({key}) DO UPDATE SET {sets}"
            " WHERE {differ} RETURNING (xmax = 0) AS inserted)"
            " SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted) FROM written"
        ).format(
            table=sql.Identifier(table),
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            key=sql.SQL(", ").join(map(sql.Identifier, key)),
            sets=_columns("{0} = EXCLUDED.{0}", values),
            differ=_is_distinct(values, "EXCLUDED"),
        )
    )
    inserted, updated = cursor.fetchone()
    return WriteCounts(inserted, updated)


def _is_distinct(values: Sequence[str], other: LiteralString = "s") -> sql.Composed:
    current, new = _columns("t.{0}", values), _columns(f"{other}.{{0}}", values)
    return sql.SQL("ROW({current}) IS DISTINCT FROM ROW({new})").format(current=current, new=new)


def _columns(pattern: LiteralString, columns: Sequence[str], separator: LiteralString = ", ") -> sql.Composed:
    return sql.SQL(separator).join(sql.SQL(pattern).format(sql.Identifier(column)) for column in columns)
