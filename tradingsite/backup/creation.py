"""Makes a back-up: everything as of one moment, whole or not at all."""

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import django
import psycopg
from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from tradingsite.backup import configuration, model_files, tables
from tradingsite.backup.archive import UNFINISHED, ArchiveWriter, BackupError

SUFFIX = ".backup.zip"
_COMPRESSED = 0.4
"""Share of the tables' bytes that a back-up may need: above what was measured on the real market."""

_SPARE_BYTES = 64 << 20
Report = Callable[[int, int], None]


class Made(NamedTuple):
    """A finished back-up: where, how large in bytes, how many rows and tables; models' files that were missing."""

    path: Path
    bytes: int
    tables: int
    rows: int
    missing_models: list[str]


def create(path: Path, at: datetime, report: Report | None = None, database: BaseDatabaseWrapper | None = None) -> Made:
    """Write a back-up.

    Parameters
    ----------
    path
        The file; it appears when it is whole.
    at
        The moment, for the manifest.
    report
        Gets bytes of tables done and to do.
    database
        Whose rows; the default one when not given.

    Raises
    ------
    BackupError
        The disk has not the room, or something cannot be read or written; nothing is left behind then.
    """
    database = database or connection
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tables.opened(database) as plain:
            plain.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            plain.read_only = True
            return _written(path, at, report or _silent, database, plain)
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror or error}.") from error
    except psycopg.Error as error:
        raise BackupError(f"The database cannot be read: {str(error).strip()}") from error


def _written(
    path: Path, at: datetime, report: Report, database: BaseDatabaseWrapper, plain: "psycopg.Connection[Any]"
) -> Made:
    listed = tables.tables(plain, database.introspection.django_table_names(only_existing=True))
    whole = sum(table.bytes for table in listed)
    _check_room(path.parent, int(whole * _COMPRESSED) + model_files.size(plain, settings.MODELS_DIR))
    rows = done = 0
    with ArchiveWriter(path) as writer:
        for table in listed:
            for written in _write_table(writer, plain, table):
                report(done + min(written, table.bytes), whole)
            rows += writer.members[_member(table)]["rows"]
            done += table.bytes
        missing = model_files.write(writer, plain, settings.MODELS_DIR)
        configuration.write(writer)
        size = writer.finish(
            {
                "made_at": at.isoformat(),
                "market": settings.PROVIDER_KIND,
                "versions": {"django": django.__version__, "postgresql": plain.info.server_version},
                "migrations": plain.execute("SELECT app, name FROM django_migrations ORDER BY 1, 2").fetchall(),
                "sequences": tables.sequences(plain, [table.name for table in listed]),
                "missing_models": missing,
            }
        )
    report(whole, whole)
    return Made(path, size, len(listed), rows, missing)


def _member(table: tables.Table) -> str:
    return f"tables/{table.name}"


def _write_table(writer: ArchiveWriter, plain: "psycopg.Connection[Any]", table: tables.Table) -> Iterator[int]:
    """Write a table's rows, yielding the bytes written so far."""
    copy, length = tables.dump(plain, table), 0
    with writer.member(_member(table)) as sink:
        for block in copy:
            sink.write(block)
            length += len(block)
            yield length
    facts = {"table": table.name, "columns": table.columns, "key": table.key, "rows": copy.rows}
    writer.members[_member(table)] |= facts


def _check_room(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted + _SPARE_BYTES:
        raise BackupError(
            f"{folder} has {free >> 20:,} MB free, and the back-up may need {(wanted + _SPARE_BYTES) >> 20:,} MB:"
            " make room there, or let BACKUP_DIR (--to) name another place."
        )


def stored(folder: Path, market: str) -> list[Path]:
    """Return the finished back-ups of a kind of market in a folder, oldest first."""
    return sorted(folder.glob(f"{market}_*{SUFFIX}"))


def purge(folder: Path, market: str, kept: int) -> int:
    """Delete all but the newest back-ups of a kind of market, and what broken ones left; return how many files."""
    old = [*stored(folder, market)[:-kept], *folder.glob(f".{market}_*{UNFINISHED}")]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _silent(done: int, total: int) -> None:
    return None
