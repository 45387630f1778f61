"""The four CSV files of a session and their manifest, all or nothing.

Each file is written by COPY under a temporary name and flushed to the disk; then all are renamed, last of all the
manifest with the hash of every file. Renaming is a function of its own so that a run does it under its fence: a worker
that was presumed dead replaces nothing when it wakes up. A folder holds a complete set of a session exactly when it
holds that session's manifest.

Point in time: nothing in the files was unknown at the close of the session. For an older session, facts come from
`stock_metrics` instead of `stocks`, and adjusted closes are scaled back to what they were then.
"""

import errno
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection

from market_data.exports.queries import FileQuery, file_queries, publications_in_force
from stocks.storage.copy import CopyOut
from stocks.storage.durable_files import flush_to_disk
from stocks.storage.frames import database_snapshot

Report = Callable[[int, int], None]

FILE_NAME: Final = re.compile(
    r"(?:(?:stocks|historical_30d|technical_indicators|suggested_stocks)_(?P<csv>\d{4}-\d{2}-\d{2})\.csv"
    r"|manifest_(?P<json>\d{4}-\d{2}-\d{2})\.json)"
)
_TEMPORARY: Final = ".writing"
_FOLDER_MODE, _FILE_MODE = 0o755, 0o644
"""Everybody of the machine may read exports, whatever the umask."""


class ExportError(Exception):
    """The files could not be written; no incomplete set is in force."""


class ExportFolderError(ExportError):
    """The export folder cannot be used; the sentence names it."""


@dataclass(frozen=True)
class ExportedFile:
    """One file of a set: `contents` says what a row stands for, `rows` counts them without the heading (`columns`)."""

    name: str
    contents: str
    rows: int
    bytes: int
    sha256: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class PreparedExport:
    """A complete set under temporary names."""

    session: date
    folder: Path
    files: tuple[ExportedFile, ...]
    suffix: str

    @property
    def names(self) -> tuple[str, ...]:
        """Final names in the order of renaming: the manifest last."""
        return (*(file.name for file in self.files), f"manifest_{self.session}.json")

    def temporary(self, name: str) -> Path:
        return self.folder / (name + self.suffix)


def export_csv(session: date, folder: Path, run_id: str, report: Report) -> list[ExportedFile]:
    """Write a session's four CSV files and their manifest: `prepare_export` and `put_in_place`."""
    prepared = prepare_export(session, folder, run_id, report)
    put_in_place(prepared)
    return list(prepared.files)


def prepare_export(session: date, folder: Path, run_id: str, report: Report) -> PreparedExport:
    """Write a session's four CSV files and their manifest under temporary names.

    The folder is created when it does not exist; `report` is called with the number of files done and their total.

    Returns
    -------
    PreparedExport
        The files in the contract's order, for `put_in_place`. UTF-8, comma, a heading; NULL is an empty cell; times
        are ISO 8601 in Indian time; texts that a spreadsheet would take for a formula begin with an apostrophe.

    Raises
    ------
    ExportFolderError
        When the folder is not writable.
    ExportError
        When a file cannot be completed. In both cases the previous files are untouched.
    """
    _prepare_folder(folder)
    # Also takes the files from under an export that hangs: it will find them gone and rename none of them.
    _remove_temporary(folder)
    suffix = f".{os.getpid()}-{secrets.token_hex(4)}{_TEMPORARY}"
    written: list[ExportedFile] = []
    try:
        with database_snapshot():
            publications = publications_in_force(session)
            queries = file_queries(session, [int(entry["id"]) for entry in publications])
            for done, query in enumerate(queries, 1):
                written.append(_write_file(query, session, folder, suffix))
                report(done, len(queries) + 1)
            manifest = _manifest(session, run_id, written, publications)
        _check_picks(written, publications)
        _check_places(folder, [file.name for file in written])
        prepared = PreparedExport(session, folder, tuple(written), suffix)
        _write_manifest(prepared, manifest)
    except BaseException as error:
        _remove_temporary(folder, suffix)
        if isinstance(error, OSError):
            raise _export_error(session, folder, error, "The previous files are unchanged") from error
        raise
    report(len(queries) + 1, len(queries) + 1)
    return prepared


def put_in_place(prepared: PreparedExport) -> None:
    """Rename a prepared set to its final names; the old manifest is deleted first and the new one comes last.

    Raises
    ------
    ExportError
        When that fails, or another export has started meanwhile; the folder then holds the previous set, the other
        export's, or no manifest.
    """
    folder, last = prepared.folder, prepared.names[-1]
    try:
        if not all(prepared.temporary(name).is_file() for name in prepared.names):
            raise FileNotFoundError(errno.ENOENT, "another export into the folder has started since")
        (folder / last).unlink(missing_ok=True)
        for name in prepared.names:
            if name == last:
                flush_to_disk(folder)
            prepared.temporary(name).replace(folder / name)
        flush_to_disk(folder)
    except OSError as error:
        raise _export_error(prepared.session, folder, error, "No incomplete set is in force") from error
    finally:
        _remove_temporary(folder, prepared.suffix)


def _export_error(session: date, folder: Path, error: OSError, consequence: str) -> ExportError:
    return ExportError(
        f"The CSV files of {session} could not be written to {folder}: {error.strerror or error}. "
        f"{consequence}; free some space or choose another EXPORT_DIR, and run the export again."
    )


def purge_exports(folder: Path, older_than: date) -> list[str]:
    """Delete the files of sessions before a date and return their names.

    Only regular files whose names are exactly those of an export are deleted: no link, no folder, no other name.
    """
    purged = []
    # The manifest first: a folder without it holds no complete set.
    for path in sorted(folder.glob("*"), key=lambda path: (path.suffix != ".json", path.name)):
        name = FILE_NAME.fullmatch(path.name)
        if name is None or path.is_symlink() or not path.is_file():
            continue
        day = _date_or_none(name["csv"] or name["json"])
        if day is not None and day < older_than:
            path.unlink(missing_ok=True)
            purged.append(path.name)
    return purged


def _date_or_none(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _prepare_folder(folder: Path) -> None:
    """Create the folder and prove that it is writable, before any work is done."""
    probe = folder / f".probe-{os.getpid()}{_TEMPORARY}"
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in missing:
            path.chmod(_FOLDER_MODE)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ExportFolderError(
            f"The export folder {folder} is not writable: {error.strerror or error}. "
            "Make it writable, or set EXPORT_DIR to a folder that is."
        ) from error


def _write_file(query: FileQuery, session: date, folder: Path, suffix: str) -> ExportedFile:
    name = f"{query.name}_{session}.csv"
    digest, size = hashlib.sha256(), 0
    copy = CopyOut(connection.connection, query.sql, query.parameters)
    with (folder / (name + suffix)).open("wb") as file:
        for block in copy:
            file.write(block)
            digest.update(block)
            size += len(block)
        os.fchmod(file.fileno(), _FILE_MODE)
    flush_to_disk(folder / (name + suffix))
    return ExportedFile(name, query.contents, copy.rows, size, digest.hexdigest(), query.columns)


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
    """Refuse a set whose picks changed while it was read (only possible within a caller's transaction)."""
    expected = sum(int(entry["count"]) for entry in publications)
    exported = next(file.rows for file in written if file.name.startswith("suggested_stocks"))
    if exported != expected:
        raise ExportError(
            f"The publications in force hold {expected} picks, but {exported} were read: a selection was published or "
            "rolled back meanwhile. Run the export again."
        )


def _check_places(folder: Path, names: list[str]) -> None:
    """Refuse, before any file is replaced, when one of them cannot be."""
    for name in names:
        if (folder / name).is_dir():
            raise ExportFolderError(
                f"{folder / name} is a folder where the file should go. Move it away and run the export again."
            )


def _write_manifest(prepared: PreparedExport, manifest: dict[str, Any]) -> None:
    path = prepared.temporary(prepared.names[-1])
    path.write_text(json.dumps(manifest, indent=2, ensure_ascii=False), encoding="utf-8")
    path.chmod(_FILE_MODE)
    flush_to_disk(path)


def _remove_temporary(folder: Path, suffix: str = _TEMPORARY) -> None:
    """Delete the unfinished files of one export, or of all."""
    for path in folder.glob(f"*{suffix}"):
        path.unlink(missing_ok=True)
