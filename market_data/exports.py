"""The four CSV files of a session and their manifest, all or nothing.

Each file is written by COPY under a temporary name, flushed to the disk, then renamed; the manifest, with every file's
hash, comes last. A folder holds a complete set of a session exactly when it holds that session's manifest.

Point in time: nothing in the files was unknown at the close of the session. Asked for an older session, facts come from
`stock_metrics` instead of `stocks`, and adjusted closes are scaled back to what they were then.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from market_data.export_queries import FileQuery, file_queries, publications_in_force

Report = Callable[[int, int], None]

FILE_NAME: Final = re.compile(
    r"(?:(?:stocks|historical_30d|technical_indicators|suggested_stocks)_(?P<csv>\d{4}-\d{2}-\d{2})\.csv"
    r"|manifest_(?P<json>\d{4}-\d{2}-\d{2})\.json)"
)
_TEMPORARY: Final = ".writing"


class ExportError(Exception):
    """The files could not be written; none of them was replaced."""


class ExportFolderError(ExportError):
    """The folder cannot be used; the sentence names it."""


@dataclass(frozen=True)
class ExportedFile:
    """One file of a set.

    Attributes
    ----------
    name : str
        File name in the export folder.
    contents : str
        What a row is.
    rows : int
        Rows below the heading.
    bytes : int
        Size.
    sha256 : str
        Of the whole file, in hexadecimal.
    columns : tuple of str
        Heading, in order.
    """

    name: str
    contents: str
    rows: int
    bytes: int
    sha256: str
    columns: tuple[str, ...]


def export_csv(session: date, folder: Path, run_id: str, report: Report) -> list[ExportedFile]:
    """Write a session's four CSV files and their manifest.

    Parameters
    ----------
    session : date
        Session whose state is written; names the files.
    folder : Path
        Made when it is not there.
    run_id : str
        Run that writes; kept in the manifest.
    report : callable
        Told how many of the files are done, and of how many.

    Returns
    -------
    list of ExportedFile
        The four, in the order of the contract. UTF-8, comma, a heading; NULL is an empty cell; times are ISO 8601 in
        Indian time; texts that a spreadsheet would take for a formula begin with an apostrophe.

    Raises
    ------
    ExportFolderError
        When the folder cannot be written.
    ExportError
        When a file cannot be completed. In both cases the files that were there are untouched.
    """
    _prepare(folder)
    written: list[ExportedFile] = []
    try:
        with _one_state_of_the_database():
            publications = publications_in_force(session)
            queries = file_queries(session, [int(entry["id"]) for entry in publications])
            for done, query in enumerate(queries, 1):
                written.append(_written(query, session, folder))
                report(done, len(queries) + 1)
            manifest = _manifest(session, run_id, written, publications)
        _check_picks(written, publications)
        _put_in_place(folder, written, session, manifest)
    except OSError as error:
        raise ExportError(
            f"The CSV files of {session} could not be written to {folder}: {error.strerror or error}. "
            "The files that were there are unchanged; make room or choose another EXPORT_DIR and run the export again."
        ) from error
    finally:
        _remove_temporary(folder)
    report(len(queries) + 1, len(queries) + 1)
    return written


def purge_exports(folder: Path, older_than: date) -> list[str]:
    """Delete the files of sessions before a date and return their names; anything else in the folder stays.

    Only regular files whose names are exactly those of an export are touched: no link, no folder, no other name.
    """
    purged = []
    # The manifest goes first: a folder without it holds no complete set.
    for path in (
        sorted(folder.glob("*"), key=lambda path: (path.suffix != ".json", path.name)) if folder.is_dir() else ()
    ):
        named = FILE_NAME.fullmatch(path.name)
        if named is None or path.is_symlink() or not path.is_file():
            continue
        day = _date_or_none(named["csv"] or named["json"])
        if day is not None and day < older_than:
            path.unlink(missing_ok=True)
            purged.append(path.name)
    return purged


def _date_or_none(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _prepare(folder: Path) -> None:
    """Make the folder and prove that it can be written, before any work is done."""
    probe = folder / f".probe-{os.getpid()}{_TEMPORARY}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ExportFolderError(
            f"The export folder {folder} cannot be written: {error.strerror or error}. "
            "Make it writable, or set EXPORT_DIR to a folder that is."
        ) from error


@contextmanager
def _one_state_of_the_database() -> Iterator[None]:
    """Read everything from one snapshot, so that the four files agree with each other."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def _written(query: FileQuery, session: date, folder: Path) -> ExportedFile:
    """Write one file under its temporary name."""
    name = f"{query.name}_{session}.csv"
    digest, size = hashlib.sha256(), 0
    with (folder / (name + _TEMPORARY)).open("wb") as file, connection.cursor() as cursor:
        with cursor.copy(
            f"COPY ({query.sql}) TO STDOUT WITH (FORMAT csv, HEADER, ENCODING 'UTF8')", query.parameters
        ) as copy:
            for block in copy:
                file.write(block)
                digest.update(block)
                size += len(block)
        rows = cursor.rowcount
        file.flush()
        os.fsync(file.fileno())
    return ExportedFile(name, query.contents, rows, size, digest.hexdigest(), query.columns)


def _manifest(
    session: date, run_id: str, written: list[ExportedFile], publications: list[dict[str, Any]]
) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_char(now() AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM-DD\"T\"HH24:MI:SS+05:30')")
        created_at = cursor.fetchone()[0]
    return {
        "session": session.isoformat(),
        "created_at": created_at,
        "run_id": run_id,
        "simulated": settings.PROVIDER_KIND == "simulated",
        "files": [asdict(file) for file in written],
        "publications": publications,
    }


def _check_picks(written: list[ExportedFile], publications: list[dict[str, Any]]) -> None:
    """Refuse a set whose picks changed while it was read (only possible inside somebody else's transaction)."""
    expected = sum(int(entry["count"]) for entry in publications)
    found = next(file.rows for file in written if file.name.startswith("suggested_stocks"))
    if found != expected:
        raise ExportError(
            f"The publications in force hold {expected} picks, but {found} were read: a selection was published or "
            "back meanwhile. Run the export again."
        )


def _put_in_place(folder: Path, written: list[ExportedFile], session: date, manifest: dict[str, Any]) -> None:
    """Give the files their names; the old manifest leaves first and the new one comes last."""
    final = folder / f"manifest_{session}.json"
    temporary = folder / (final.name + _TEMPORARY)
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=2, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    final.unlink(missing_ok=True)
    for each in written:
        (folder / (each.name + _TEMPORARY)).replace(folder / each.name)
    _flush_names(folder)
    temporary.replace(final)
    _flush_names(folder)


def _flush_names(folder: Path) -> None:
    """Make the renames survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_temporary(folder: Path) -> None:
    """Remove what this export, or one that was killed, left half-written. One export runs at a time."""
    for path in folder.glob(f"*{_TEMPORARY}"):
        path.unlink(missing_ok=True)
