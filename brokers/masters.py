"""A broker's list of instruments as it was last good; one that is cut off or has shrunk does not take its place.

The last good one is a file, kept whole as the broker sent it: what was counted once can be parsed again by a better
parser. Each machine that asks keeps its own.
"""

import csv
import io
import os
import threading
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final

from brokers.answers import FieldError
from brokers.protocol import Refused, SymbolMaster

MASTER_FILE: Final = "symbol_master.csv"
LEAST_KEPT: Final = 0.8
"""Share of the last good list's rows that a new one has at least."""

_MOST_ROWS: Final = 100_000

Parse = Callable[[bytes], SymbolMaster]


def csv_table(content: bytes) -> list[list[str]]:
    """The rows of a venue's CSV file; raises FieldError."""
    try:
        rows = list(islice(csv.reader(io.StringIO(content.decode()), strict=True), _MOST_ROWS + 1))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FieldError(f"it is no CSV file ({type(error).__name__})") from None
    if len(rows) > _MOST_ROWS:
        raise FieldError(f"it has more than {_MOST_ROWS:,} rows")
    return rows


class LastGoodMaster:
    """The list of one broker.

    Parameters
    ----------
    parse : reads a list; raises FieldError
    path : where the last good one is kept; None keeps nothing and compares with nothing
    """

    def __init__(self, parse: Parse, path: Path | None = None) -> None:
        self._parse, self._path = parse, path

    def accepted(self, content: bytes) -> SymbolMaster:
        """Parse a list and keep it as the last good one.

        Raises FieldError when it is not as documented, or has fewer than 80 % of the rows, or of the shares and funds,
        of the last good one; Refused when it cannot be kept.
        """
        master = self._parse(content)
        if not master.rows:
            raise FieldError("it has no share")
        self._compare(content, master)
        if self._path is not None:
            _replace(self._path, content)
        return master

    def read(self) -> SymbolMaster | None:
        """The last good list; None without one."""
        content = self._content()
        try:
            return self._parse(content) if content else None
        except FieldError:  # kept by another version
            return None

    def _content(self) -> bytes:
        try:
            return self._path.read_bytes() if self._path is not None else b""
        except OSError:
            return b""

    def _compare(self, content: bytes, master: SymbolMaster) -> None:
        last = self.read()
        if last is None:
            return
        counts = (_row_count(content), _row_count(self._content())), (len(master.rows), len(last.rows))
        for (now, before), what in zip(counts, ("rows", "shares and funds"), strict=True):
            if now < LEAST_KEPT * before:
                raise FieldError(
                    f"it has {now:,} {what}, the last good one {before:,}, which stays in place; if so many are gone,"
                    f" remove {self._path}"
                )


def _row_count(content: bytes) -> int:
    return len({tuple(row) for row in csv_table(content)})


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole: under another name, to the disk, then renamed."""
    temporary = path.with_name(f".writing-{os.getpid()}-{threading.get_native_id()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Refused(f"The list of symbols could not be kept as {path}: {reason}. Make room or give access.") from None
    finally:
        temporary.unlink(missing_ok=True)
