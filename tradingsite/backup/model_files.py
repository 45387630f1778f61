"""The model files of a back-up, `<model>/<file>` below MODELS_DIR and nowhere else."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from stocks.storage.durable_files import move_into_place
from tradingsite.backup.archive import PLAIN_NAME, ArchiveReader, ArchiveWriter, BackupError

FOLDER = "models"
_BLOCK = 1 << 20


def write_model_files(writer: ArchiveWriter, plain: "psycopg.Connection[Any]", models_dir: Path) -> list[str]:
    """Add the files of all models in the database to a back-up; return those that are missing."""
    missing = []
    for path in _model_paths(plain):
        source = models_dir / path
        if not source.is_file():
            missing.append(path)
            continue
        with writer.member(f"{FOLDER}/{path}") as sink, source.open("rb") as file:
            while block := file.read(_BLOCK):
                sink.write(block)
    return missing


def model_bytes(plain: "psycopg.Connection[Any]", models_dir: Path) -> int:
    paths = (models_dir / path for path in _model_paths(plain))
    return sum(path.stat().st_size for path in paths if path.is_file())


@contextmanager
def staged_model_files(reader: ArchiveReader, models_dir: Path) -> Iterator[Callable[[], int]]:
    """Unpack the models of a back-up beside those in use, and yield the function that puts them in place.

    It replaces the folder of each model, and returns their number; until it is called no model is touched, and what it
    did not put in place is deleted at the end. BackupError when a file is damaged or cannot be written.
    """
    folders: dict[str, list[str]] = {}
    for name in reader.members:
        if name.startswith(f"{FOLDER}/"):
            folders.setdefault(name.split("/")[1], []).append(name)
    try:
        for folder, names in folders.items():
            _unpack(reader, names, _staged(models_dir, folder))
        yield lambda: _put_in_place(list(folders), models_dir)
    finally:
        for folder in folders:
            shutil.rmtree(_staged(models_dir, folder), ignore_errors=True)


def _staged(models_dir: Path, folder: str) -> Path:
    return models_dir / f".{folder}.unfinished"


def _unpack(reader: ArchiveReader, names: list[str], folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        for name in names:
            # The reader has checked the names: one folder, one file.
            with (folder / name.rpartition("/")[2]).open("xb") as file:
                file.writelines(reader.blocks(name))
    except OSError as error:
        raise _refusal(folder.parent, error) from error


def _put_in_place(folders: list[str], models_dir: Path) -> int:
    try:
        for folder in folders:
            shutil.rmtree(models_dir / folder, ignore_errors=True)
            move_into_place(_staged(models_dir, folder), models_dir / folder)
    except OSError as error:
        raise _refusal(models_dir, error) from error
    return len(folders)


def _refusal(models_dir: Path, error: OSError) -> BackupError:
    return BackupError(f"The models cannot be written into {models_dir}: {error.strerror}.")


def _model_paths(plain: "psycopg.Connection[Any]") -> Iterator[str]:
    """Return the paths that the database names; BackupError at one that is not a model's folder and a file in it."""
    query = "SELECT path || '/' || file FROM trained_models, jsonb_object_keys(files) file ORDER BY 1"
    for (path,) in plain.execute(query).fetchall():
        if not re.fullmatch(f"{PLAIN_NAME}/{PLAIN_NAME}", path):
            raise BackupError(f"The database names a model file {path!r}, which is not `<model>/<file>`: correct it.")
        yield path
