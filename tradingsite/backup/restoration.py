"""Brings a back-up into an empty database: tables by their migrations, rows by COPY, compared before it counts."""

from collections.abc import Callable
from typing import Any, NamedTuple

import psycopg
from django.core.management import call_command
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from stocks.storage.copy import TEXT, copy_in
from tradingsite.backup import tables
from tradingsite.backup.archive import ArchiveReader, BackupError

OLDEST_POSTGRESQL = 150000
_NOT_PEOPLES = (
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "django_q_schedule",
    "strategies",
    *tables.TRANSIENT,
)
"""Tables whose rows make no database full: migrations and the schedule write them by themselves."""

Say = Callable[[str], None]


class Restored(NamedTuple):
    """What was restored and found equal: tables, rows."""

    tables: int
    rows: int


def check_readable(reader: ArchiveReader, database: BaseDatabaseWrapper) -> None:
    """Refuse a back-up that this version, or the server, cannot take; raises BackupError."""
    version = _server_version(database)
    if version < OLDEST_POSTGRESQL:
        raise BackupError(f"The server is PostgreSQL {version // 10000}; 15 or newer is needed.")
    known = MigrationExecutor(database).loader.disk_migrations or {}
    unknown = [f"{app}.{name}" for app, name in reader.manifest["migrations"] if (app, name) not in known]
    if unknown:
        raise BackupError(
            f"{reader.path} was made by a newer version: this one lacks the migrations {', '.join(unknown)}."
            " Update the program, then restore."
        )


def filled_tables(database: BaseDatabaseWrapper) -> list[str]:
    """Return the tables of a database that hold rows of people or of the market."""
    names = set(database.introspection.django_table_names(only_existing=True)) - set(_NOT_PEOPLES)
    filled = []
    with database.cursor() as cursor:
        for name in sorted(names):
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {database.ops.quote_name(name)})")
            if cursor.fetchone()[0]:
                filled.append(name)
    return filled


def restore(reader: ArchiveReader, database: BaseDatabaseWrapper, say: Say) -> Restored:
    """Fill an empty database from a back-up, compare every row, and bring its tables up to date.

    Raises
    ------
    BackupError
        Something does not fit, or what was stored is not what the file holds: then no row was stored.
    """
    say("Making the tables as they were …")
    _migrate_to(reader, database)
    with tables.opened(database) as plain:
        try:
            done = _filled(reader, database, plain, say)
        except psycopg.Error as error:
            raise BackupError(f"The rows cannot be stored: {str(error).strip()}. Nothing was.") from error
    _bring_up_to_date(database, say)
    with database.cursor() as cursor:
        cursor.execute("ANALYZE")
    return done


def _migrate_to(reader: ArchiveReader, database: BaseDatabaseWrapper) -> None:
    executor = MigrationExecutor(database)
    wanted = {(app, name) for app, name in reader.manifest["migrations"]}
    newer = sorted(f"{app}.{name}" for app, name in set(executor.loader.applied_migrations) - wanted)
    if newer:
        raise BackupError(
            f"The database has already applied {', '.join(newer)}, which the back-up is older than: restore it into a"
            " database without tables; it is brought up to date afterwards."
        )
    nodes = executor.loader.graph.node_map
    # Of each app the last one applied: naming an earlier one would mean going back to it.
    passed = {
        key for key in wanted if any(child.key in wanted and child.key[0] == key[0] for child in nodes[key].children)
    }
    executor.migrate(sorted(wanted - passed))


def _filled(
    reader: ArchiveReader, database: BaseDatabaseWrapper, plain: "psycopg.Connection[Any]", say: Say
) -> Restored:
    """Store all rows in one transaction, which is committed when each table gives the hash of the file."""
    present = {table.name: table for table in tables.tables(plain, database.introspection.django_table_names())}
    wanted = {facts["table"]: facts for facts in reader.members.values() if "table" in facts}
    absent = sorted(set(wanted) - set(present))
    if absent:
        raise BackupError(f"{reader.path} holds tables that its migrations do not make: {', '.join(absent)}.")
    tables.empty(plain, present)
    rules = tables.costly_rules(plain, present)
    for rule in rules:
        plain.execute(rule.drop.encode())
    for name, facts in wanted.items():
        say(f"{name}: {facts['rows']:,} rows")
        copy_in(plain, name, facts["columns"], reader.blocks(f"tables/{name}"), form=TEXT)
    for name, last in reader.manifest["sequences"].items():
        tables.set_sequence(plain, name, wanted[name]["key"], last)
    say("Making keys and indexes …")
    for rule in reversed(rules):
        plain.execute(rule.make.encode())
    say("Comparing …")
    _compare(plain, present, wanted)
    plain.commit()
    return Restored(len(wanted), sum(facts["rows"] for facts in wanted.values()))


def _compare(
    plain: "psycopg.Connection[Any]", present: dict[str, tables.Table], wanted: dict[str, dict[str, Any]]
) -> None:
    wrong = []
    for name, facts in wanted.items():
        rows, digest = tables.fingerprint(plain, present[name]._replace(columns=facts["columns"]))
        if rows != facts["rows"]:
            wrong.append(f"{name} has {rows:,} rows instead of {facts['rows']:,}")
        elif digest != facts["sha256"]:
            wrong.append(f"{name} has other values")
    if wrong:
        raise BackupError(f"What was stored is not what the back-up holds: {'; '.join(wrong)}. Nothing was kept.")


def _bring_up_to_date(database: BaseDatabaseWrapper, say: Say) -> None:
    executor = MigrationExecutor(database)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        say(f"Bringing the tables up to date ({len(pending)} migrations) …")
    call_command("migrate", database=database.alias, verbosity=0, interactive=False)


def _server_version(database: BaseDatabaseWrapper) -> int:
    with database.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        return int(cursor.fetchone()[0])
