"""Databases beside the one in use, on the same server: for a rehearsal, and to take its place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ProgrammingError

from tradingsite.backup.archive import BackupError


@contextmanager
def scratch(database: BaseDatabaseWrapper, alias: str = "restoring") -> Iterator[BaseDatabaseWrapper]:
    """Make an empty database beside another one, and drop it at the end unless it was renamed meanwhile.

    Parameters
    ----------
    database
        Names the server.
    alias
        Django's name for the new one while it is there.

    Raises
    ------
    BackupError
        When this account may not make databases.
    """
    name = f"{database.settings_dict['NAME']}_{alias}_{os.getpid()}"
    quoted = database.ops.quote_name(name)
    try:
        _on_server(database, f"CREATE DATABASE {quoted} TEMPLATE template0")
    except ProgrammingError as error:
        raise BackupError(
            f"A database for the restoration cannot be made ({str(error).strip()}). Let an administrator make an empty"
            " one, and restore into it with DATABASE_URL."
        ) from error
    connections.databases[alias] = database.settings_dict | {"NAME": name, "CONN_MAX_AGE": 0}
    made = connections[alias]
    try:
        yield made
    finally:
        made.close()
        with suppress(AttributeError):
            del connections[alias]
        del connections.databases[alias]
        _on_server(database, f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")


def put_in_place(made: BaseDatabaseWrapper, database: BaseDatabaseWrapper, at: datetime) -> str:
    """Give a restored database the name of the one in use, which stays under the name that is returned.

    Raises
    ------
    BackupError
        When somebody else is connected to the one in use; nothing was renamed then.
    """
    name = str(database.settings_dict["NAME"])
    before = f"{name}_before_{at:%Y%m%d_%H%M%S}"
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        others = cursor.fetchone()[0]
    if others:
        raise BackupError(
            f"{others} other connections use the database {name}: stop ./run.sh dev or the containers, then restore"
            " again. Nothing was changed."
        )
    database.close()
    made.close()
    quote = database.ops.quote_name
    _on_server(database, f"ALTER DATABASE {quote(name)} RENAME TO {quote(before)}")
    try:
        _on_server(database, f"ALTER DATABASE {quote(str(made.settings_dict['NAME']))} RENAME TO {quote(name)}")
    except BaseException:
        _on_server(database, f"ALTER DATABASE {quote(before)} RENAME TO {quote(name)}")
        raise
    return before


def _on_server(database: BaseDatabaseWrapper, statement: str) -> None:
    with database._nodb_cursor() as cursor:
        cursor.execute(statement)
