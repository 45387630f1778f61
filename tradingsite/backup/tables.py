"""The tables of a back-up: their dumps by COPY's text format, which is the same in every version of PostgreSQL."""

import graphlib
import hashlib
from collections.abc import Iterable
from typing import Any, LiteralString, NamedTuple

import psycopg
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

from stocks.storage.copy import TEXT, CopyOut

TRANSIENT = (
    *("django_session", "django_q_ormq", "django_q_task", "django_q_schedule", "heartbeats"),
    *("broker_calls", "broker_log_ins"),
)
"""Not in a back-up, and empty after a restoration: logins, the queue, heartbeats and counted calls mean nothing in
another place or later. Nor is a file to say what the queue runs: a schedule names any function, and `sync_schedules`
writes them anew.
"""

MADE_BY_MIGRATIONS = ("django_migrations",)
_BLOCK = 1 << 20
_FORMATS: tuple[LiteralString, ...] = (
    "SET client_encoding TO 'UTF8'",
    "SET datestyle TO 'ISO, YMD'",
    "SET intervalstyle TO 'iso_8601'",
    "SET timezone TO 'UTC'",
    "SET extra_float_digits TO 1",
    "SET bytea_output TO 'hex'",
)
"""Equal values are equal texts on every server, so that hashes of rows can be compared."""


class Table(NamedTuple):
    """A table to dump: its columns, the key that orders its rows, its bytes on disk."""

    name: str
    columns: list[str]
    key: str
    bytes: int


def connect(database: BaseDatabaseWrapper) -> "psycopg.Connection[Any]":
    """Open a connection to a database beside Django's, with fixed text formats."""
    parameters = database.get_connection_params()
    address = {name: parameters[name] for name in ("host", "port", "user", "password", "dbname") if name in parameters}
    plain = psycopg.connect(
        **address, application_name="trading backup", autocommit=True, options=settings.AUDIT_SESSION_OPTIONS
    )
    for statement in _FORMATS:
        plain.execute(statement)
    plain.autocommit = False
    return plain


def tables(plain: "psycopg.Connection[Any]", names: Iterable[str]) -> list[Table]:
    """Return the named tables that exist and belong into a back-up, referenced ones before those that refer to them."""
    rows = plain.execute(
        "SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated = ''),"
        " (SELECT k.attname::text FROM pg_index i JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = i.indkey[0]"
        " WHERE i.indrelid = c.oid AND i.indisprimary), pg_table_size(c.oid)"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
        " AND c.relname = ANY(%s) AND NOT c.relname = ANY(%s) GROUP BY c.oid, c.relname",
        [list(names), [*TRANSIENT, *MADE_BY_MIGRATIONS]],
    ).fetchall()
    stored = {row[0]: Table(*row) for row in rows}
    return [stored[name] for name in _in_order(plain, stored)]


def _in_order(plain: "psycopg.Connection[Any]", names: Iterable[str]) -> list[str]:
    included = set(names)
    graph: dict[str, set[str]] = {name: set() for name in sorted(included)}
    query = "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
    for table, other in plain.execute(query):
        if table in included and other in included and table != other:
            graph[table].add(other)
    return list(graphlib.TopologicalSorter(graph).static_order())


def dump(plain: "psycopg.Connection[Any]", table: Table) -> CopyOut:
    """Return a table's rows in order of its key, as the lines of COPY's text format."""
    kind = plain.execute(
        "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s",
        [table.name, table.key],
    ).fetchone()
    # Texts by their bytes: the collations of two servers may differ.
    order = sql.SQL(' COLLATE "C"') if kind and kind[0] in ("text", "character varying") else sql.SQL("")
    query = sql.SQL("SELECT {columns} FROM {table} ORDER BY {key}{order}").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, table.columns)),
        table=sql.Identifier(table.name),
        key=sql.Identifier(table.key),
        order=order,
    )
    return CopyOut(plain, query, form=TEXT, block_bytes=_BLOCK)


def fingerprint(plain: "psycopg.Connection[Any]", table: Table) -> tuple[int, str]:
    """Return the number of a table's rows and the hash of its dump."""
    digest, copy = hashlib.sha256(), dump(plain, table)
    for block in copy:
        digest.update(block)
    return copy.rows, digest.hexdigest()


def sequences(plain: "psycopg.Connection[Any]", names: Iterable[str]) -> dict[str, int]:
    """Return table → last number drawn from the sequence of its key, where one was drawn."""
    rows = plain.execute(
        "SELECT t.relname, s.last_value FROM pg_class t"
        " JOIN pg_depend d ON d.refobjid = t.oid AND d.deptype IN ('i', 'a') AND d.classid = 'pg_class'::regclass"
        " JOIN pg_class q ON q.oid = d.objid AND q.relkind = 'S'"
        " JOIN pg_sequences s ON s.schemaname = current_schema() AND s.sequencename = q.relname"
        " WHERE t.relnamespace = current_schema()::regnamespace AND t.relname = ANY(%s) AND s.last_value IS NOT NULL",
        [list(names)],
    )
    return dict(rows.fetchall())


def set_sequence(plain: "psycopg.Connection[Any]", table: str, key: str, last: int) -> None:
    """Make a table's sequence continue after a number."""
    plain.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", [table, key, last])


def truncate(plain: "psycopg.Connection[Any]", names: Iterable[str]) -> None:
    """Delete all rows of some tables, and those that refer to them."""
    identifiers = sql.SQL(", ").join(map(sql.Identifier, names))
    plain.execute(sql.SQL("TRUNCATE {} CASCADE").format(identifiers))


def replace_audit(plain: "psycopg.Connection[Any]", *, allowed: bool) -> None:
    """Let this transaction replace the audit, and write rows that are nobody's act; or end that."""
    plain.execute("SELECT set_config('audit.maintenance', %s, true)", ["restore" if allowed else ""])


class Rule(NamedTuple):
    """A constraint or index, as the statements that drop and create it."""

    drop: str
    create: str


def droppable_rules(plain: "psycopg.Connection[Any]", names: Iterable[str]) -> list[Rule]:
    """Return the foreign keys, unique constraints and indexes of some tables, in the order in which to drop them.

    Creating them after the rows costs less than maintaining them row by row.
    """
    rows = plain.execute(
        "SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),"
        " format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid)),"
        " CASE contype WHEN 'f' THEN 1 ELSE 2 END AS turn FROM pg_constraint"
        " WHERE contype IN ('f', 'u') AND conrelid = ANY(%(names)s::regclass[])"
        " UNION ALL SELECT format('DROP INDEX %%s', indexrelid::regclass), pg_get_indexdef(indexrelid), 3"
        " FROM pg_index i WHERE indrelid = ANY(%(names)s::regclass[]) AND NOT indisprimary"
        " AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)"
        " ORDER BY turn, 1",
        {"names": list(names)},
    ).fetchall()
    return [Rule(drop, create) for drop, create, _ in rows]
