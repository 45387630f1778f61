"""Restores a back-up into an empty database: tables by migrations, rows by COPY, all compared before the commit."""

from collections.abc import Callable
from typing import Any, NamedTuple

import psycopg
from django.core.management import call_command
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from psycopg.types.json import Jsonb

from stocks.storage.copy import TEXT, copy_in
from tradingsite.audit.acts import record_act
from tradingsite.backup import tables
from tradingsite.backup.archive import ArchiveReader, BackupError

OLDEST_POSTGRESQL = 150000
_AUDIT = "audit_log"
_FILLED_BY_SYSTEM = (
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "strategies",
    "trading_phases",
    _AUDIT,
    *tables.TRANSIENT,
)
"""Tables that migrations and the schedule fill by themselves: a database with rows in these alone is empty."""

_LEFT_APPS = ("authtoken",)
"""Apps that older versions had: their tables are made, and left, by our own migrations."""

Log = Callable[[str], None]


class RestoredCounts(NamedTuple):
    """Numbers of tables and rows restored and compared."""

    tables: int
    rows: int


def check_compatible(reader: ArchiveReader, database: BaseDatabaseWrapper) -> None:
    """Raise BackupError when this version of the system, or the server, cannot restore a back-up."""
    with database.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        version = int(cursor.fetchone()[0])
    if version < OLDEST_POSTGRESQL:
        raise BackupError(f"The server is PostgreSQL {version // 10000}; 15 or newer is needed.")
    missing = {"made_at", "market", "migrations", "sequences", "missing_models"} - reader.manifest.keys()
    if missing:
        raise BackupError(f"{reader.path} is no back-up of this system: it lacks {', '.join(sorted(missing))}.")
    migrations = MigrationExecutor(database).loader.disk_migrations or {}
    unknown = [f"{app}.{name}" for app, name in sorted(_migrations_of(reader)) if (app, name) not in migrations]
    if unknown:
        raise BackupError(
            f"{reader.path} was written by a newer version: this one lacks the migrations {', '.join(unknown)}."
            " Update the system, then restore."
        )


def nonempty_tables(database: BaseDatabaseWrapper) -> list[str]:
    """Return the tables with rows that the system did not create by itself."""
    names = set(database.introspection.django_table_names(only_existing=True)) - set(_FILLED_BY_SYSTEM)
    nonempty = []
    with database.cursor() as cursor:
        for name in sorted(names):
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {database.ops.quote_name(name)})")
            if cursor.fetchone()[0]:
                nonempty.append(name)
    return nonempty


def restore_backup(reader: ArchiveReader, database: BaseDatabaseWrapper, log: Log) -> RestoredCounts:
    """Fill an empty database from a back-up, compare every row, and apply newer migrations.

    BackupError when the back-up does not fit, or the stored rows differ from the file's; no row is kept then.
    """
    log("Creating the tables of the back-up …")
    _migrate_to(reader, database)
    with tables.connect(database) as plain:
        try:
            restored = _fill(reader, database, plain, log)
        except psycopg.Error as error:
            raise BackupError(f"The rows cannot be stored: {str(error).strip()}. Nothing was kept.") from error
    _apply_newer_migrations(database, log)
    if f"tables/{_AUDIT}" not in reader.members:  # written before there was an audit
        record_act("restore", details=_details(reader), using=database.alias)
    with database.cursor() as cursor:
        cursor.execute("ANALYZE")
    return restored


def _details(reader: ArchiveReader) -> dict[str, Any]:
    return {"file": str(reader.path), "written": reader.manifest["made_at"], "signature": reader.origin.value}


def _migrations_of(reader: ArchiveReader) -> set[tuple[str, str]]:
    return {(app, name) for app, name in reader.manifest["migrations"] if app not in _LEFT_APPS}


def _migrate_to(reader: ArchiveReader, database: BaseDatabaseWrapper) -> None:
    executor = MigrationExecutor(database)
    migrations = _migrations_of(reader)
    newer = sorted(f"{app}.{name}" for app, name in set(executor.loader.applied_migrations) - migrations)
    if newer:
        raise BackupError(
            f"The database has applied {', '.join(newer)}, which the back-up does not know: restore it into a"
            " database without tables; newer migrations are applied afterwards."
        )
    nodes = executor.loader.graph.node_map
    # Only the last migration of each app: naming an earlier one would mean migrating backwards to it.
    children = {key: {child.key for child in nodes[key].children} & migrations for key in migrations}
    executor.migrate(sorted(key for key in migrations if all(child[0] != key[0] for child in children[key])))


def _fill(
    reader: ArchiveReader, database: BaseDatabaseWrapper, plain: "psycopg.Connection[Any]", log: Log
) -> RestoredCounts:
    """Store all rows in one transaction, committed when the hash of each table equals the file's."""
    # Older back-ups hold the queue's results and schedules, and tables of which there is no model any more.
    members = {
        facts["table"]: facts
        for name, facts in reader.members.items()
        if name.startswith("tables/") and facts["table"] not in tables.TRANSIENT
    }
    names = {*database.introspection.django_table_names(), *members}
    stored = {table.name: table for table in tables.tables(plain, names)}
    absent = sorted(set(members) - set(stored))
    if absent:
        raise BackupError(f"{reader.path} holds tables that its migrations do not create: {', '.join(absent)}.")
    transient = set(tables.TRANSIENT) & set(database.introspection.django_table_names(only_existing=True))
    tables.replace_audit(plain, allowed=True)
    tables.truncate(plain, [*stored, *transient])
    rules = tables.droppable_rules(plain, stored)
    for rule in rules:
        plain.execute(rule.drop.encode())
    for name, facts in members.items():
        log(f"{name}: {facts['rows']:,} rows")
        copy_in(plain, name, facts["columns"], reader.blocks(f"tables/{name}"), form=TEXT)
    for name, last in reader.manifest["sequences"].items():
        if name in members:
            tables.set_sequence(plain, name, members[name]["key"], last)
    log("Creating keys and indexes …")
    for rule in reversed(rules):
        plain.execute(rule.create.encode())
    log("Comparing …")
    _compare(plain, stored, members)
    tables.replace_audit(plain, allowed=False)
    if _AUDIT in members:
        plain.execute("INSERT INTO audit_log (act, after) VALUES ('restore', %s)", [Jsonb(_details(reader))])
    plain.commit()
    return RestoredCounts(len(members), sum(facts["rows"] for facts in members.values()))


def _compare(
    plain: "psycopg.Connection[Any]", stored: dict[str, tables.Table], members: dict[str, dict[str, Any]]
) -> None:
    differences = []
    for name, facts in members.items():
        rows, digest = tables.fingerprint(plain, stored[name]._replace(columns=facts["columns"]))
        if rows != facts["rows"]:
            differences.append(f"{name} has {rows:,} rows instead of {facts['rows']:,}")
        elif digest != facts["sha256"]:
            differences.append(f"{name} has other values")
    if differences:
        raise BackupError(f"The stored rows differ from the back-up: {'; '.join(differences)}. Nothing was kept.")


def _apply_newer_migrations(database: BaseDatabaseWrapper, log: Log) -> None:
    executor = MigrationExecutor(database)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        log(f"Applying {len(pending)} newer migrations …")
    call_command("migrate", database=database.alias, verbosity=0, interactive=False)
