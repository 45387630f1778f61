"""The file of a back-up: written under another name until it is whole, read with every byte checked."""

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
# What zipfile and its parts raise on bytes that are not as they were written.
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
    """A back-up cannot be made, read or restored; the sentence names the file or value and what to do."""

    runbook = "backup-failed"


class Sink(Protocol):
    """Where the bytes of a member go."""

    def write(self, data: bytes) -> object:
        """Take some bytes."""


class ArchiveWriter:
    """Writes a back-up beside its name and gives it the name at the end; nothing is left of a broken one.

    Parameters
    ----------
    path : Path
        The file's final name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.members: dict[str, dict[str, Any]] = {}
        self._unfinished = path.with_name(f".{path.name}{UNFINISHED}")

    def __enter__(self) -> Self:
        # Whoever may read a back-up may read everything: its owner alone.
        descriptor = os.open(self._unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file: IO[bytes] = os.fdopen(descriptor, "wb")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED, allowZip64=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for part in (self._zip, self._file):
                with suppress(OSError, ValueError):  # what broke before breaks again here
                    part.close()
            self._unfinished.unlink(missing_ok=True)

    @contextmanager
    def member(self, name: str, **facts: Any) -> Iterator[Sink]:
        """Write one member through what is yielded; its length, hash and `facts` go into the manifest."""
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
        """Write the manifest, bring everything onto the disk, and give the file its name; return its bytes."""
        manifest = {"format": FORMAT, **facts, "members": self.members}
        self._zip.writestr(MANIFEST, json.dumps(manifest, indent=1, default=str), zipfile.ZIP_DEFLATED)
        self._zip.close()
        size = self._file.tell()
        self._file.close()
        move_into_place(self._unfinished, self.path)
        return size


class _Hashing:
    """Passes bytes on, and counts and hashes them."""

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
    """Reads a back-up.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    BackupError
        It is missing, cut off, no back-up, or of a newer format than this version reads.
    """

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
                f"{path} is cut off, damaged, or no back-up of this system ({error}). Take another one."
            ) from error
        if self.manifest.get("format", 0) > FORMAT:
            raise BackupError(
                f"{path} has format {self.manifest['format']}, and this version reads up to {FORMAT}: update first."
            )

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield a member's bytes, and compare their hash at the end.

        Raises
        ------
        BackupError
            The member is not what the manifest says.
        """
        digest = hashlib.sha256()
        try:
            with self._zip.open(name) as raw:
                stream = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
                while block := stream.read(_BLOCK):
                    digest.update(block)
                    yield block
        except _DAMAGE as error:
            raise BackupError(f"{self.path} is damaged: {name} cannot be read ({error}). Take another one.") from error
        if digest.hexdigest() != self.members[name]["sha256"]:
            raise BackupError(f"{self.path} was altered: {name} has not the hash of the manifest. Take another one.")

    def content(self, name: str) -> bytes:
        """Return a small member whole."""
        return b"".join(self.blocks(name))

    def check(self) -> Iterator[int]:
        """Read every member, yielding the bytes read so far; BackupError at the first that is not as the manifest says.

        A name that leads out of the folder it is unpacked into is refused too.
        """
        done = 0
        for name in self.members:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise BackupError(f"{self.path} names a member {name!r}, which would be written elsewhere.")
            for block in self.blocks(name):
                done += len(block)
                yield done
