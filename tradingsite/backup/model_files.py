"""The model files of a back-up."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from stocks.storage.durable_files import move_into_place
from tradingsite.backup.archive import ArchiveReader, ArchiveWriter, BackupError

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


def restore_model_files(reader: ArchiveReader, models_dir: Path) -> int:
    """Replace the folder of each model in a back-up, once it is complete; return the number of models."""
    folders: dict[str, list[str]] = {}
    for name in reader.members:
        if name.startswith(f"{FOLDER}/"):
            folders.setdefault(name.split("/")[1], []).append(name)
    for folder, names in folders.items():
        unfinished, final = models_dir / f".{folder}.unfinished", models_dir / folder
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            for name in names:
                path = unfinished / Path(*name.split("/")[2:])
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as file:
                    file.writelines(reader.blocks(name))
            shutil.rmtree(final, ignore_errors=True)
            move_into_place(unfinished, final)
        except OSError as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise BackupError(f"The models cannot be written into {models_dir}: {error.strerror}.") from error
    return len(folders)


def _model_paths(plain: "psycopg.Connection[Any]") -> Iterator[str]:
    query = "SELECT path || '/' || file FROM trained_models, jsonb_object_keys(files) file ORDER BY 1"
    yield from (path for (path,) in plain.execute(query).fetchall())
