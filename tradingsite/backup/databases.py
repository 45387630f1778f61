"""Databases beside the one in use, on the same server: to rehearse a restoration, and to take its place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ProgrammingError

from tradingsite.backup.archive import BackupError


@contextmanager
def scratch_database(database: BaseDatabaseWrapper, alias: str = "restoring") -> Iterator[BaseDatabaseWrapper]:
    """Create an empty database on the server of another one; drop it at the end unless it was renamed meanwhile.

    `alias` is Django's name for it while it exists. BackupError when this account must not create databases.
    """
    name = f"{database.settings_dict['NAME']}_{alias}_{os.getpid()}"
    quoted = database.ops.quote_name(name)
    try:
        _on_server(database, f"CREATE DATABASE {quoted} TEMPLATE template0")
    except ProgrammingError as error:
        raise BackupError(
            f"A database for the restoration cannot be created ({str(error).strip()}). Ask an administrator for an"
            " empty one, and restore into it by DATABASE_URL."
        ) from error
    connections.databases[alias] = database.settings_dict | {"NAME": name, "CONN_MAX_AGE": 0}
    scratch = connections[alias]
    try:
        yield scratch
    finally:
        scratch.close()
        with suppress(AttributeError):
            del connections[alias]
        del connections.databases[alias]
        _on_server(database, f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")


def take_over(restored: BaseDatabaseWrapper, database: BaseDatabaseWrapper, at: datetime) -> str:
    """Give a restored database the name of the one in use; return the name under which that one is kept.

    BackupError when there are other connections to the one in use; nothing is renamed then.
    """
    name = str(database.settings_dict["NAME"])
    previous_name = f"{name}_before_{at:%Y%m%d_%H%M%S}"
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        others = cursor.fetchone()[0]
    if others:
        raise BackupError(
            f"{others} other connections use the database {name}: stop ./run.sh dev or the containers, and restore"
            " again. Nothing was changed."
        )
    database.close()
    restored.close()
    quote = database.ops.quote_name
    _on_server(database, f"ALTER DATABASE {quote(name)} RENAME TO {quote(previous_name)}")
    try:
        _on_server(database, f"ALTER DATABASE {quote(str(restored.settings_dict['NAME']))} RENAME TO {quote(name)}")
    except BaseException:
        _on_server(database, f"ALTER DATABASE {quote(previous_name)} RENAME TO {quote(name)}")
        raise
    return previous_name


def _on_server(database: BaseDatabaseWrapper, statement: str) -> None:
    with database._nodb_cursor() as cursor:
        cursor.execute(statement)
