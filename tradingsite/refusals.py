"""What stops a command from outside (settings, servers, disk), as a sentence instead of a traceback."""

import errno

_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_SPACE = "No space left on device"


def refusal(error: Exception) -> str | None:
    """Return what went wrong and what to do about it; None for an error of the program itself."""
    # Imported when something failed: these need time, and the settings may be what is wrong.
    import psycopg
    from django.core.exceptions import ImproperlyConfigured
    from django.db import InterfaceError, OperationalError, ProgrammingError

    from stocks.storage.durable_files import is_disk_full
    from tradingsite.embedded.files import EmbeddedServerError

    text = str(error).strip()
    if _NO_SPACE in text or is_disk_full(error) or is_disk_full(error.__cause__):
        where = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
        return f"The disk is full{where}. What was committed stays: make room, then run the same command again."
    if isinstance(error, (EmbeddedServerError, ImproperlyConfigured)):
        return text
    if isinstance(error, (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)):
        reason = text.partition("\n")[0].rstrip(".")
        return (
            f"The database does not answer: {reason}. What was committed stays: see that the server runs and that"
            " DATABASE_URL or POSTGRES_* name it, then run the same command again."
        )
    is_schema = isinstance(error.__cause__, (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn))
    if isinstance(error, ProgrammingError) and is_schema and _waits_for_migrations():
        return "The database is not that of this release: run the command migrate, then the same command again."
    if isinstance(error, OSError) and error.filename and error.errno in _FORBIDDEN:
        return (
            f"{error.filename} cannot be used: {error.strerror}. Make it accessible, then run the same command again."
        )
    return None


def _waits_for_migrations() -> bool:
    """Whether the database has yet to be migrated; asked over a session of its own: the other one may have failed."""
    from django.db import Error, connections
    from django.db.migrations.executor import MigrationExecutor

    session = connections["default"].copy()
    try:
        executor = MigrationExecutor(session)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except Error:
        return False
    finally:
        session.close()
