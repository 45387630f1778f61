"""First stage of reading any file from outside: bytes up to a limit, decoded text, a table of texts; pure.

The file may be anything: a web page, half a download, UTF-16 from a spreadsheet, a zip bomb, or deleted between listing
and reading. All of these end in `FileUnreadable`, whose sentence names the file. A single bad line does not: it is set
aside with its reason.
"""

import csv
import gzip
import io
import re
import zipfile
import zlib
from pathlib import Path
from typing import IO, NamedTuple

import pandas as pd

MAX_BYTES = 64 * 1024 * 1024
"""The largest file of any source has under 10 MB unpacked; anything near this size is not such a file."""

LINE = "_line"
"""Column with each row's line number in the file, where `text_table` is to add it."""

MAX_CELL = 300
"""Characters; the longest text of any source (an action's purpose) has 144."""

SYMBOL = r"[A-Z0-9][A-Z0-9&_.-]{0,49}"
"""The exchange's symbols, such as `M&M`, `BAJAJ-AUTO`, `3MINDIA`."""

ISIN = r"[A-Z]{2}[A-Z0-9]{9}[0-9]"
FIRST_DAY, LAST_DAY = pd.Timestamp("1875-01-01"), pd.Timestamp("2100-12-31")
"""Mumbai's exchange was founded in 1875; a date outside this range is a misprint."""

# Byte order marks.
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_IN_LINE = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]")
_DAMAGED_ZIP = (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError, ValueError)


class FileUnreadable(Exception):
    """A file cannot be read as what it should be; the sentence names it and the reason."""


class RejectedLine(NamedTuple):
    """A line of a table that was set aside."""

    line: int
    reason: str
    raw: str


class TextTable(NamedTuple):
    """A csv as trimmed texts, columns in the file's order, and the lines that could not become rows."""

    rows: pd.DataFrame
    rejected: list[RejectedLine]


def file_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return a file's contents, never reading more than the limit.

    Raises
    ------
    FileUnreadable
        When it is missing, not readable, not a file, or larger.
    """
    try:
        with path.open("rb") as stream:
            return _read_limited(stream, path.name, limit)
    except OSError as error:
        raise FileUnreadable(f"{path.name} cannot be read: {error.strerror or error} ({path}).") from error


def file_version(path: Path) -> tuple[int, int, int]:
    """Return what tells a file's present content from an earlier one without reading it; zeros when it is gone."""
    try:
        state = path.stat()
    except OSError:
        return 0, 0, 0
    return state.st_ino, state.st_size, state.st_mtime_ns


def zip_contents(content: bytes, name: str, limit: int = MAX_BYTES) -> bytes:
    """Return the only csv of a zip, unpacked in memory.

    Raises
    ------
    FileUnreadable
        When the zip is damaged or encrypted, holds no csv or several, names a path, or unpacks to more than the limit.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [entry for entry in archive.infolist() if entry.filename.lower().endswith(".csv")]
            if len(members) != 1:
                raise FileUnreadable(f"{name} holds {len(members)} csv files instead of one.")
            inside = members[0].filename
            if "/" in inside or "\\" in inside:
                raise FileUnreadable(f"{name} holds the path {inside[:80]!r} instead of a plain file.")
            # The declared size may be a lie, so unpacking itself stops at the limit.
            with archive.open(members[0]) as stream:
                return _read_limited(stream, name, limit)
    except (*_DAMAGED_ZIP, zlib.error, OSError) as error:
        raise FileUnreadable(f"{name} is not a readable zip file ({_message(error)}).") from error
    except Exception as error:
        # Each compression has its own exception, LZMA's without a public base class.
        if isinstance(error, FileUnreadable):
            raise
        raise FileUnreadable(f"{name} uses a compression that cannot be read ({_message(error)}).") from error


def gzip_contents(content: bytes, name: str, limit: int = MAX_BYTES) -> bytes:
    """Return the contents of a gzip file, unpacked in memory up to the limit; raises FileUnreadable."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            return _read_limited(stream, name, limit)
    except (EOFError, OSError, zlib.error) as error:
        raise FileUnreadable(f"{name} cannot be read: it is not a complete gzip file ({_message(error)}).") from error


def decoded_text(content: bytes, name: str, *, only_unicode: bool = False) -> str:
    """Decode a text file: UTF-8 or UTF-16 by its byte order mark, else UTF-8, else Latin-1; mark and outer blanks go.

    With `only_unicode`, what is neither UTF-8 nor UTF-16 is refused instead of read as Latin-1.

    Raises
    ------
    FileUnreadable
        When it is empty, damaged (NUL bytes), or a web page instead of a table.
    """
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8" or only_unicode:
            raise FileUnreadable(f"{name} is not {encoding.upper()} text (byte {error.start}).") from error
        text = content.decode("latin-1")
    text = text.removeprefix("\ufeff").strip()
    if not text:
        raise FileUnreadable(f"{name} cannot be read: it is empty.")
    if "\x00" in text:
        raise FileUnreadable(f"{name} holds NUL bytes: it was damaged in transit, or is not text.")
    if text[0] in "<{":
        raise FileUnreadable(f"{name} is a web page or an error message, not a csv.")
    return text


def text_table(text: str, name: str, *, may_be_empty: bool = False, numbered: bool = False) -> TextTable:
    """Parse a csv with a heading into trimmed texts.

    Lines with a wrong number of fields, with control characters or with a text longer than ``MAX_CELL`` are rejected;
    surplus empty fields at the end of a line are ignored. A table that `may_be_empty` lists something that does not
    happen every day; a numbered one has the column ``LINE``.

    Raises
    ------
    FileUnreadable
        When a quoted text runs over the end of a line (it may swallow lines), a column is named twice, or there is
        no usable row.
    """
    # Universal newlines: files of all operating systems have the same line numbers.
    reader = csv.reader(io.StringIO(text, newline=None), skipinitialspace=True)
    clean = _CONTROL_IN_LINE.search(text) is None
    rows, rejected, lines, line = [], [], [], 1
    try:
        # In headings the exchange itself breaks quoted names over two lines ("SYMBOL \n"), which is harmless.
        header = [column.strip() for column in next(reader)]
        line = reader.line_num
        _check_header(header, name)
        for fields in reader:
            if reader.line_num > line + 1:
                raise FileUnreadable(f"{name}: a quoted text in line {line + 1} does not end there; close its quotes.")
            line = reader.line_num
            cells = [cell.strip() for cell in fields]
            reason = _rejection(cells, len(header), clean=clean)
            if reason is None:
                rows.append(cells)
                lines.append(line)
            elif any(cells):
                rejected.append(RejectedLine(line, reason, ",".join(fields)[:2000]))
    except csv.Error as error:
        raise FileUnreadable(f"{name}, line {reader.line_num}, is not csv ({error}).") from error
    if not rows and not may_be_empty:
        raise FileUnreadable(f"{name} has a header and no usable row.")
    columns = [column or f"_{place}" for place, column in enumerate(header)]
    table = pd.DataFrame(rows, columns=pd.Index(columns, dtype=object), dtype=object)
    return TextTable(table.assign(**{LINE: lines}) if numbered else table, rejected)


def storable_text(text: str) -> str:
    """Return the text as PostgreSQL can store it, without NUL characters."""
    return text.replace("\0", "\N{SYMBOL FOR NULL}")


def plausible_dates(dates: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    """Return the dates as ``datetime64[ns]``; those outside ``FIRST_DAY`` … ``LAST_DAY`` become NaT."""
    inside = dates.where((dates >= FIRST_DAY) & (dates <= LAST_DAY))
    return inside.astype("datetime64[ns]")


def _check_header(header: list[str], name: str) -> None:
    duplicates = sorted({column for column in header if column and header.count(column) > 1})
    if duplicates:
        raise FileUnreadable(f"{name} names the column {duplicates[0][:80]!r} twice.")


def _rejection(cells: list[str], width: int, *, clean: bool) -> str | None:
    while len(cells) > width and not cells[-1]:
        cells.pop()
    if len(cells) != width:
        return f"line has {len(cells)} fields instead of {width}"
    if not clean and any(_CONTROL.search(cell) for cell in cells):
        return "a text holds control characters"
    if max(map(len, cells)) > MAX_CELL:
        return f"a text is longer than {MAX_CELL} characters"
    return None


def _read_limited(stream: IO[bytes] | io.BufferedIOBase, name: str, limit: int) -> bytes:
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise FileUnreadable(f"{name} holds more than {limit:,} bytes; genuine files are far smaller.")
    return content


def _message(error: Exception) -> str:
    """Return a library's message on one line, without characters that a terminal or a database cannot take."""
    return _CONTROL.sub("?", str(error) or type(error).__name__)[:200]
