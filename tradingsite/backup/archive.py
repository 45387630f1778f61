"""The back-up file: written under a temporary name until it is complete, read with every byte verified."""

import hashlib
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any, Protocol, Self

import pyarrow as pa

from stocks.storage.durable_files import move_into_place

FORMAT = 1
MANIFEST = "manifest.json"
UNFINISHED = ".unfinished"
_BLOCK = 1 << 20
# What zipfile and its codecs raise on damaged bytes.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class BackupError(Exception):
    """A back-up cannot be created, read or restored; the sentence names the file or value and the remedy."""

    runbook = "backup-failed"


class Sink(Protocol):
    """Receives the bytes of a member."""

    def write(self, data: bytes) -> object: ...


class ArchiveWriter:
    """Writes a back-up under a temporary name and renames it at the end; a failed one leaves nothing behind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.members: dict[str, dict[str, Any]] = {}
        self._unfinished = path.with_name(f".{path.name}{UNFINISHED}")

    def __enter__(self) -> Self:
        # A back-up holds everything: readable by its owner alone.
        descriptor = os.open(self._unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file: IO[bytes] = os.fdopen(descriptor, "wb")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED, allowZip64=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for part in (self._zip, self._file):
                with suppress(OSError, ValueError):  # the original error may repeat on closing
                    part.close()
            self._unfinished.unlink(missing_ok=True)

    @contextmanager
    def member(self, name: str, **facts: Any) -> Iterator[Sink]:
        """Yield the sink of a new member; its length, hash and `facts` go into the manifest."""
        with self._zip.open(name, "w", force_zip64=True) as raw:
            stream = _Hashing(pa.CompressedOutputStream(pa.PythonFile(raw, mode="w"), "zstd"))
            try:
                yield stream
            except BaseException:
                with suppress(OSError, ValueError):
                    stream.close()
                raise
            stream.close()
        self.members[name] = {"bytes": stream.length, "sha256": stream.digest.hexdigest(), **facts}

    def finish(self, facts: dict[str, Any]) -> int:
        """Write the manifest and move the complete file into place; return its size in bytes."""
        manifest = {"format": FORMAT, **facts, "members": self.members}
        self._zip.writestr(MANIFEST, json.dumps(manifest, indent=1, default=str), zipfile.ZIP_DEFLATED)
        self._zip.close()
        size = self._file.tell()
        self._file.close()
        move_into_place(self._unfinished, self.path)
        return size


class _Hashing:
    """Counts and hashes the bytes it passes on."""

    def __init__(self, sink: Any) -> None:
        self.digest, self.length = hashlib.sha256(), 0
        self._sink = sink

    def write(self, data: bytes) -> None:
        self.digest.update(data)
        self.length += len(data)
        self._sink.write(data)

    def close(self) -> None:
        self._sink.close()


class ArchiveReader:
    """Reads a back-up; BackupError when it is missing, truncated, not one, or of a newer format than is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
            self.manifest: dict[str, Any] = json.loads(self._zip.read(MANIFEST))
            self.members: dict[str, dict[str, Any]] = self.manifest["members"]
        except FileNotFoundError as error:
            raise BackupError(f"{path} does not exist.") from error
        except (PermissionError, IsADirectoryError) as error:
            raise BackupError(f"{path} cannot be read: {error.strerror}.") from error
        except _DAMAGE as error:
            raise BackupError(
                f"{path} is truncated, damaged, or not a back-up of this system ({error}). Use another one."
            ) from error
        if self.manifest.get("format", 0) > FORMAT:
            raise BackupError(
                f"{path} has format {self.manifest['format']}, but this version reads up to {FORMAT}: update first."
            )

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield a member's bytes and verify their hash at the end; BackupError if it is not as the manifest says."""
        digest = hashlib.sha256()
        try:
            with self._zip.open(name) as raw:
                stream = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
                while block := stream.read(_BLOCK):
                    digest.update(block)
                    yield block
        except _DAMAGE as error:
            raise BackupError(f"{self.path} is damaged: {name} cannot be read ({error}). Use another one.") from error
        if digest.hexdigest() != self.members[name]["sha256"]:
            raise BackupError(f"{self.path} was altered: the hash of {name} is not the manifest's. Use another one.")

    def content(self, name: str) -> bytes:
        """Return all of a small member."""
        return b"".join(self.blocks(name))

    def check(self) -> Iterator[int]:
        """Verify every member, yielding the number of bytes read so far.

        BackupError at the first that is not what the manifest says, or whose name leads out of the target folder.
        """
        done = 0
        for name in self.members:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise BackupError(f"{self.path} names a member {name!r}, which leads out of the target folder.")
            for block in self.blocks(name):
                done += len(block)
                yield done
