"""Files that a crash leaves whole: written under another name, flushed to the disk, then renamed into place."""

import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

LEFTOVERS: Final = ".writing-*"
"""Glob pattern of what killed writers leave behind."""


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield the temporary file to write; on success it durably takes the place of ``path``, on error it is removed.

    Readers, also those after a kill or a loss of power, find the old contents or the new ones, never a part. The
    temporary name ends like the final one, since some libraries choose a format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Unique among the writers of a machine, yet reused, so that killed ones do not fill the folder.
    temporary = path.with_name(f"{LEFTOVERS[:-1]}{threading.get_native_id()}-{path.name}")
    try:
        yield temporary
        move_into_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def move_into_place(finished: Path, final: Path) -> None:
    """Rename a file or a folder of files on the same disk, after its contents have reached the disk."""
    for path in [finished, *finished.rglob("*")] if finished.is_dir() else [finished]:
        flush_to_disk(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    finished.replace(final)
    flush_to_disk(final.parent)


def flush_to_disk(path: Path) -> None:
    """Wait until a file's contents, or the names in a folder, would survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error says that a disk is full, be it ours or the database server's."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return full or isinstance(error, psycopg.errors.DiskFull)
