"""Bulk writes that can be rolled back: COPY into a staging table, then inserts, before-images, updates.

The method follows PostgreSQL's manual on populating a database. Frames go through Arrow's CSV writer, whose floats are
the shortest text that reads back to the same number. Rows carry the run that inserted them (`run_id`); of rows that a
run overwrites or deletes, a before-image is kept in `run_undo`, from which a rollback restores them exactly. A row is
locked while its image is taken: no commit can slip in between image and change.
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
        _stage(cursor, table, rows, key)
        # Missing rows first: a row that somebody else inserts meanwhile is then changed with an image like any other.
        inserted = _insert_missing(cursor, table, list(rows.columns), key)
        values = [column for column in frame.columns if column not in key]
        if undo:
            _keep_changed_images(cursor, table, key, values, run_id)
        return WriteCounts(inserted, _update_changed(cursor, table, key, values))


def update(table: str, frame: pd.DataFrame, key: Sequence[str], run_id: str) -> int:
    """Update the given columns of existing rows where they differ, keeping before-images; return how many changed.

    Rows of the frame without a counterpart in the table are ignored.
    """
    if frame.empty:
        return 0
    values = [column for column in frame.columns if column not in key]
    with connection.cursor() as cursor:
        _stage(cursor, table, frame, key)
        _keep_changed_images(cursor, table, key, values, run_id)
        return _update_changed(cursor, table, key, values)


def keep_before_images(table: str, where: LiteralString, parameters: Sequence[Any], run_id: str) -> int:
    """Keep images of the rows matching `where` (alias `t`) that the run did not insert itself; return how many.

    The rows stay locked until the transaction ends, so that nobody changes them between image and change.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "INSERT INTO run_undo (run_id, table_name, row_image) SELECT %s, %s, to_jsonb(t) FROM {table} t"
                " WHERE t.run_id IS DISTINCT FROM %s AND ({where}) FOR UPDATE OF t"
            ).format(table=sql.Identifier(table), where=sql.SQL(where)),
            [run_id, table, run_id, *parameters],
        )
        return int(cursor.rowcount)


def delete(table: str, where: LiteralString, parameters: Sequence[Any], run_id: str) -> int:
    """Delete the rows matching `where` (alias `t`), keeping before-images; return how many."""
    with connection.cursor() as cursor:
        # One statement: an image is kept of exactly the rows that go.
        cursor.execute(
            sql.SQL(
                "WITH gone AS (DELETE FROM {table} t WHERE {where} RETURNING t.run_id, to_jsonb(t) AS image),"
                " kept AS (INSERT INTO run_undo (run_id, table_name, row_image) SELECT %s, %s, image FROM gone"
                " WHERE run_id IS DISTINCT FROM %s) SELECT count(*) FROM gone"
            ).format(table=sql.Identifier(table), where=sql.SQL(where)),
            [*parameters, run_id, table, run_id],
        )
        return int(cursor.fetchone()[0])


class KindsOfChange(NamedTuple):
    """Whether a run has inserted rows into a table, and whether it has changed or deleted others."""

    inserted: bool
    changed: bool


def kinds_of_change(table: str, run_id: str) -> KindsOfChange:
    """Return what a run has done to a table so far, as far as a rollback would undo it."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "SELECT EXISTS (SELECT 1 FROM {table} WHERE run_id = %s),"
                " EXISTS (SELECT 1 FROM run_undo WHERE run_id = %s AND table_name = %s)"
            ).format(table=sql.Identifier(table)),
            [run_id, run_id, table],
        )
        return KindsOfChange(*cursor.fetchone())


def wrote_same_rows(table: str, run_id: str, other_id: str) -> bool:
    """Whether two runs inserted, changed or deleted rows of one primary key, as far as a rollback would undo it."""
    name, key = sql.Identifier(table), _primary_key(table)[0]
    written = sql.SQL(
        "SELECT {column}::text FROM {table} WHERE run_id = %s"
        " UNION SELECT row_image->>{key} FROM run_undo WHERE run_id = %s AND table_name = %s"
    ).format(column=sql.Identifier(key), table=name, key=sql.Literal(key))
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("SELECT EXISTS (({written}) INTERSECT ({written}))").format(written=written),
            [run_id, run_id, table, other_id, other_id, table],
        )
        return bool(cursor.fetchone()[0])


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


def _stage(cursor: CursorWrapper, table: str, frame: pd.DataFrame, key: Sequence[str]) -> None:
    cursor.execute("DROP TABLE IF EXISTS pg_temp.staging")
    cursor.execute(
        sql.SQL("CREATE TEMP TABLE staging ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA").format(
            columns=sql.SQL(", ").join(map(sql.Identifier, frame.columns)), table=sql.Identifier(table)
        )
    )
    _copy("staging", frame)
    # Refuses a frame with two rows of one key: which of them counts would be left to chance.
    unique = sql.SQL("CREATE UNIQUE INDEX ON pg_temp.staging ({})")
    cursor.execute(unique.format(sql.SQL(", ").join(map(sql.Identifier, key))))
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
            " WHERE t.run_id IS DISTINCT FROM %s AND {differ} FOR UPDATE OF t"
        ).format(
            table=sql.Identifier(table), same=_columns("t.{0} = s.{0}", key, " AND "), differ=_is_distinct(values)
        ),
        [run_id, table, run_id],
    )


def _insert_missing(cursor: CursorWrapper, table: str, columns: Sequence[str], key: Sequence[str]) -> int:
    cursor.execute(
        sql.SQL("INSERT INTO {table} ({columns}) SELECT {columns} FROM staging ON CONFLICT ({key}) DO NOTHING").format(
            table=sql.Identifier(table),
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            key=sql.SQL(", ").join(map(sql.Identifier, key)),
        )
    )
    return int(cursor.rowcount)


def _update_changed(cursor: CursorWrapper, table: str, key: Sequence[str], values: Sequence[str]) -> int:
    if not values:
        return 0
    cursor.execute(
        sql.SQL("UPDATE {table} t SET {sets} FROM staging s WHERE {same} AND {differ}").format(
            table=sql.Identifier(table),
            sets=_columns("{0} = s.{0}", values),
            same=_columns("t.{0} = s.{0}", key, " AND "),
            differ=_is_distinct(values),
        )
    )
    return int(cursor.rowcount)


def _is_distinct(values: Sequence[str]) -> sql.Composed:
    current, new = _columns("t.{0}", values), _columns("s.{0}", values)
    return sql.SQL("ROW({current}) IS DISTINCT FROM ROW({new})").format(current=current, new=new)


def _columns(pattern: LiteralString, columns: Sequence[str], separator: LiteralString = ", ") -> sql.Composed:
    return sql.SQL(separator).join(sql.SQL(pattern).format(sql.Identifier(column)) for column in columns)
