"""What every reader of handed-in files does first: bytes with a limit, text in any encoding, a table of texts; pure.

A file is whatever somebody left there: a web page, half a download, UTF-16 out of a spreadsheet, a zip that unpacks to
a disk's size, gone between the listing and the reading. All of that ends in `FileUnreadable`, whose sentence names the
file; a single bad line is no such case: it is left out and told.
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
"""Column in which `text_table` notes each row's line where that is asked for."""

MAX_CELL = 300
"""Characters; the longest text of any source (an action's purpose) has 144."""

SYMBOL = r"[A-Z0-9][A-Z0-9&_.-]{0,49}"
"""What the exchange calls a share; `M&M`, `BAJAJ-AUTO`, `3MINDIA`."""

ISIN = r"[A-Z]{2}[A-Z0-9]{9}[0-9]"
FIRST_DAY, LAST_DAY = pd.Timestamp("1875-01-01"), pd.Timestamp("2100-12-31")
"""The exchange at Mumbai was founded in 1875; a date outside these is a misprint."""

# The texts of a file's first bytes, read before the encoding is known.
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_IN_LINE = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]")
_DAMAGED_ZIP = (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError, ValueError)


class FileUnreadable(Exception):
    """A file is not what it should be; the sentence names it and says why."""


class LeftOut(NamedTuple):
    """One line of a table that was not taken."""

    line: int
    reason: str
    raw: str


class TextTable(NamedTuple):
    """A csv as trimmed texts, one row a line, the columns in the file's order; and the lines that are no rows of it."""

    rows: pd.DataFrame
    left_out: list[LeftOut]


def file_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Read a file, never more of it than the limit.

    Raises
    ------
    FileUnreadable
        When it is gone, may not be read, is no file, or is larger.
    """
    try:
        with path.open("rb") as stream:
            return _limited(stream, path.name, limit)
    except OSError as error:
        raise FileUnreadable(f"{path.name} cannot be read: {error.strerror or error} ({path}).") from error


def unzipped(content: bytes, name: str, limit: int = MAX_BYTES) -> bytes:
    """Unpack the one csv of a zip in memory; nothing is written anywhere.

    Raises
    ------
    FileUnreadable
        When the zip is damaged or encrypted, holds none or several, names a path, or unpacks to more than the limit.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [entry for entry in archive.infolist() if entry.filename.lower().endswith(".csv")]
            if len(members) != 1:
                raise FileUnreadable(f"{name} holds {len(members)} csv files instead of one.")
            inside = members[0].filename
            if "/" in inside or "\\" in inside:
                raise FileUnreadable(f"{name} holds the path {inside[:80]!r} instead of a plain file.")
            # The declared size may lie, so no more than the limit is ever unpacked.
            with archive.open(members[0]) as stream:
                return _limited(stream, name, limit)
    except (*_DAMAGED_ZIP, zlib.error, OSError) as error:
        raise FileUnreadable(f"{name} is not a readable zip file ({_plain(error)}).") from error
    except Exception as error:
        # LZMA's own error is known to no other name here, and other packings bring theirs.
        if isinstance(error, FileUnreadable):
            raise
        raise FileUnreadable(f"{name} is packed in a way that cannot be read ({_plain(error)}).") from error


def ungzipped(content: bytes, name: str, limit: int = MAX_BYTES) -> bytes:
    """Unpack a gzip file in memory, never more of it than the limit; raises FileUnreadable."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            return _limited(stream, name, limit)
    except (EOFError, OSError, zlib.error) as error:
        raise FileUnreadable(f"{name} cannot be read: it is no whole gzip file ({_plain(error)}).") from error


def text_of(content: bytes, name: str, *, only_unicode: bool = False) -> str:
    """Decode a text file: UTF-8 or UTF-16 by its mark, else UTF-8, else Latin-1; without the mark and outer blanks.

    Parameters
    ----------
    content, name
        The file's bytes, and its name for the sentences.
    only_unicode
        Refuse what is neither UTF-8 nor UTF-16 instead of taking it for Latin-1.

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
        raise FileUnreadable(f"{name} holds NUL bytes: it was damaged on its way, or is no text.")
    if text[0] in "<{":
        raise FileUnreadable(f"{name} is a web page or an error message, not a csv.")
    return text


def text_table(text: str, name: str, *, may_be_empty: bool = False, numbered: bool = False) -> TextTable:
    """Split a csv with a heading into trimmed texts.

    Parameters
    ----------
    text
        As `text_of` returns it.
    name
        File name, for the sentences.
    may_be_empty
        Whether a heading alone is a table: of something that does not happen every day.
    numbered
        Add the column ``LINE``, the number of each row's line in the file.

    Returns
    -------
    TextTable
        Lines with another number of fields, with control characters or a text longer than ``MAX_CELL`` are left out
        (empty fields at the end of a line do no harm).

    Raises
    ------
    FileUnreadable
        When a quotation runs over a line's end (lines are lost in it), a column is named twice, or no line is a row.
    """
    # Universal newlines: a csv of any system has the same lines.
    reader = csv.reader(io.StringIO(text, newline=None), skipinitialspace=True)
    clean = _CONTROL_IN_LINE.search(text) is None
    rows, left_out, lines, line = [], [], [], 1
    try:
        # The exchange breaks a quoted column's name over two lines ("SYMBOL \n"); that loses none.
        header = [column.strip() for column in next(reader)]
        line = reader.line_num
        _check_header(header, name)
        for fields in reader:
            if reader.line_num > line + 1:
                raise FileUnreadable(f"{name}: a quotation in line {line + 1} runs on; lines are lost in it.")
            line = reader.line_num
            cells = [cell.strip() for cell in fields]
            reason = _reason(cells, len(header), clean=clean)
            if reason is None:
                rows.append(cells)
                lines.append(line)
            elif any(cells):
                left_out.append(LeftOut(line, reason, ",".join(fields)[:2000]))
    except csv.Error as error:
        raise FileUnreadable(f"{name}, line {reader.line_num}, is not csv ({error}).") from error
    if not rows and not may_be_empty:
        raise FileUnreadable(f"{name} has a header and no usable row.")
    columns = [column or f"_{place}" for place, column in enumerate(header)]
    table = pd.DataFrame(rows, columns=pd.Index(columns, dtype=object), dtype=object)
    return TextTable(table.assign(**{LINE: lines}) if numbered else table, left_out)


def storable(text: str) -> str:
    """A text that the database takes: PostgreSQL knows no NUL."""
    return text.replace("\0", "\N{SYMBOL FOR NULL}")


def plausible_dates(dates: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    """Dates as ``datetime64[ns]``; those outside ``FIRST_DAY`` … ``LAST_DAY`` become NaT."""
    inside = dates.where((dates >= FIRST_DAY) & (dates <= LAST_DAY))
    return inside.astype("datetime64[ns]")


def _check_header(header: list[str], name: str) -> None:
    doubled = sorted({column for column in header if column and header.count(column) > 1})
    if doubled:
        raise FileUnreadable(f"{name} names the column {doubled[0][:80]!r} twice.")


def _reason(cells: list[str], width: int, *, clean: bool) -> str | None:
    while len(cells) > width and not cells[-1]:
        cells.pop()
    if len(cells) != width:
        return f"line has {len(cells)} fields instead of {width}"
    if not clean and any(_CONTROL.search(cell) for cell in cells):
        return "a text holds control characters"
    if max(map(len, cells)) > MAX_CELL:
        return f"a text is longer than {MAX_CELL} characters"
    return None


def _limited(stream: IO[bytes] | io.BufferedIOBase, name: str, limit: int) -> bytes:
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise FileUnreadable(f"{name} holds more than {limit:,} bytes and is refused; such a file has far fewer.")
    return content


def _plain(error: Exception) -> str:
    """What a library says, on one line and without what a terminal or a database cannot take."""
    return _CONTROL.sub("?", str(error) or type(error).__name__)[:200]
