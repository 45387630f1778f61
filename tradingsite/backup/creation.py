"""Creates back-ups: one snapshot of everything, complete or not at all."""

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
_COMPRESSION = 0.4
"""Upper bound of a back-up's size relative to the tables' on disk, above what was measured on the real market."""

_SPARE_BYTES = 64 << 20
Report = Callable[[int, int], None]


class Backup(NamedTuple):
    """A finished back-up: its file and size in bytes, what is in it, and model files that were missing."""

    path: Path
    bytes: int
    tables: int
    rows: int
    missing_models: list[str]


def create_backup(
    path: Path, at: datetime, report: Report | None = None, database: BaseDatabaseWrapper | None = None
) -> Backup:
    """Write a back-up of a database, by default the one in use; `report` is given the bytes written and to write.

    The file appears only when it is complete. BackupError when the disk lacks room, or something cannot be read or
    written; nothing is left behind then.
    """
    database = database or connection
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tables.connect(database) as plain:
            plain.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            plain.read_only = True
            return _write(path, at, report or (lambda done, total: None), database, plain)
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror or error}.") from error
    except psycopg.Error as error:
        raise BackupError(f"The database cannot be read: {str(error).strip()}") from error


def _write(
    path: Path, at: datetime, report: Report, database: BaseDatabaseWrapper, plain: "psycopg.Connection[Any]"
) -> Backup:
    stored = tables.tables(plain, database.introspection.django_table_names(only_existing=True))
    total = sum(table.bytes for table in stored)
    _check_room(path.parent, int(total * _COMPRESSION) + model_files.model_bytes(plain, settings.MODELS_DIR))
    rows = done = 0
    with ArchiveWriter(path) as writer:
        for table in stored:
            for written in _write_table(writer, plain, table):
                report(done + min(written, table.bytes), total)
            rows += writer.members[_member(table)]["rows"]
            done += table.bytes
        missing = model_files.write_model_files(writer, plain, settings.MODELS_DIR)
        configuration.write_configuration(writer)
        facts = {
            "made_at": at.isoformat(),
            "market": settings.PROVIDER_KIND,
            "versions": {"django": django.__version__, "postgresql": plain.info.server_version},
            "migrations": plain.execute("SELECT app, name FROM django_migrations ORDER BY 1, 2").fetchall(),
            "sequences": tables.sequences(plain, [table.name for table in stored]),
            "missing_models": missing,
        }
        size = writer.finish(facts)
    report(total, total)
    return Backup(path, size, len(stored), rows, missing)


def _member(table: tables.Table) -> str:
    return f"tables/{table.name}"


def _write_table(writer: ArchiveWriter, plain: "psycopg.Connection[Any]", table: tables.Table) -> Iterator[int]:
    """Write a table's rows, yielding the number of bytes written so far."""
    copy, length = tables.dump(plain, table), 0
    with writer.member(_member(table)) as sink:
        for block in copy:
            sink.write(block)
            length += len(block)
            yield length
    facts = {"table": table.name, "columns": table.columns, "key": table.key, "rows": copy.rows}
    writer.members[_member(table)] |= facts


def _check_room(folder: Path, needed: int) -> None:
    free, needed = shutil.disk_usage(folder).free, needed + _SPARE_BYTES
    if free < needed:
        raise BackupError(
            f"{folder} has {free >> 20:,} MB free, but the back-up may need {needed >> 20:,} MB:"
            " free some space, or choose another folder with BACKUP_DIR or --to."
        )


def purge_backups(folder: Path, market: str, kept: int) -> None:
    """Delete all but the newest back-ups of a kind of market, and what interrupted ones left behind."""
    backups = sorted(folder.glob(f"{market}_*{SUFFIX}"))
    for path in (*backups[:-kept], *folder.glob(f".{market}_*{UNFINISHED}")):
        path.unlink(missing_ok=True)
