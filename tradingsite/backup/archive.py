"""The back-up file: written under a temporary name until it is complete, read with every byte verified.

What it says about itself is checked before anything of it is used: names of tables, columns and files come from it.
"""

import hashlib
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Protocol, Self

import pyarrow as pa

from stocks.storage.durable_files import move_into_place
from tradingsite.backup.signature import Origin, origin, signature

FORMAT = 1
MANIFEST = "manifest.json"
SIGNATURE = "signature.json"
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

PLAIN_NAME: Final = "[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_LONGEST_MANIFEST = 64 << 20
_COUNT: Final = {"type": "integer", "minimum": 0}
_MEMBER: Final = {
    "required": ["sha256"],
    "properties": {
        "sha256": {"type": "string"},
        "bytes": _COUNT,
        "rows": _COUNT,
        "table": {"type": "string"},
        "key": {"type": "string"},
        "columns": {"type": "array", "items": {"type": "string"}},
    },
}
_PATHS: Final = f"tables/{PLAIN_NAME}|models/{PLAIN_NAME}/{PLAIN_NAME}|configuration/{PLAIN_NAME}"
_SCHEMA: Final = {
    "type": "object",
    "required": ["format", "members"],
    "properties": {
        "format": {"const": FORMAT},
        "made_at": {"type": "string"},
        "market": {"type": "string"},
        "migrations": {"type": "array", "items": {"type": "array", "prefixItems": [{"type": "string"}] * 2}},
        "sequences": {"type": "object", "additionalProperties": _COUNT},
        "missing_models": {"type": "array", "items": {"type": "string"}},
        "members": {
            "type": "object",
            "propertyNames": {"pattern": f"^({_PATHS})\\Z"},
            "patternProperties": {"": _MEMBER, "^tables/": {"required": ["table", "columns", "key", "rows"]}},
        },
    },
}


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
        """Write the signed manifest and move the complete file into place; return its size in bytes."""
        manifest = json.dumps({"format": FORMAT, **facts, "members": self.members}, indent=1, default=str).encode()
        self._zip.writestr(MANIFEST, manifest, zipfile.ZIP_DEFLATED)
        self._zip.writestr(SIGNATURE, signature(manifest))
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
    """Reads a back-up; BackupError when it is missing, truncated, not one, or of a newer format than is read.

    `origin` is what its signature proves; whoever uses the contents decides whether that is enough.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
            manifest = self._small_member(MANIFEST)
            self.origin: Origin = origin(manifest, self._small_member(SIGNATURE) if self._has(SIGNATURE) else None)
            self.manifest: dict[str, Any] = json.loads(manifest)
            self.members: dict[str, dict[str, Any]] = self.manifest["members"]
        except FileNotFoundError as error:
            raise BackupError(f"{path} does not exist.") from error
        except (PermissionError, IsADirectoryError) as error:
            raise BackupError(f"{path} cannot be read: {error.strerror}.") from error
        except _DAMAGE as error:
            raise BackupError(
                f"{path} is truncated, damaged, or not a back-up of this system ({error}). Use another one."
            ) from error
        self._check_manifest()

    def _has(self, name: str) -> bool:
        return name in self._zip.namelist()

    def _small_member(self, name: str) -> bytes:
        """Return an uncompressed member; one that would fill the memory is as good as damaged."""
        with self._zip.open(name) as file:
            content = file.read(_LONGEST_MANIFEST + 1)
        if len(content) > _LONGEST_MANIFEST:
            raise ValueError(f"{name} has more than {_LONGEST_MANIFEST >> 20} MB")
        return content

    def _check_manifest(self) -> None:
        version = self.manifest.get("format", 0)
        if isinstance(version, int) and version > FORMAT:
            raise BackupError(f"{self.path} has format {version}, but this version reads up to {FORMAT}: update first.")
        import jsonschema  # slow, and the job's module is loaded by every command

        try:
            jsonschema.validate(self.manifest, _SCHEMA)
        except jsonschema.ValidationError as error:
            reason = error.message if len(error.message) <= 200 else f"{error.message[:200]} …"
            raise BackupError(
                f"{self.path} is no back-up of this system: in its manifest, {reason}. Use another one."
            ) from error
        for name, facts in self.members.items():
            if name.startswith("tables/") and name != f"tables/{facts['table']}":
                raise BackupError(f"{self.path} calls the table {facts['table']!r} {name!r}. Use another one.")

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield a member's bytes and verify their hash at the end; BackupError if it is not as the manifest says."""
        if name not in self.members:
            raise BackupError(f"{self.path} does not hold {name}. Use another one.")
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
        """Verify every member, yielding the number of bytes read so far; BackupError at the first damaged one."""
        done = 0
        for name in self.members:
            for block in self.blocks(name):
                done += len(block)
                yield done
