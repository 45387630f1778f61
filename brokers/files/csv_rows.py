"""Rows of small CSV files (trades, contract notes, ledgers) whose cells are read strictly; pure.

A cell that cannot be read is an error whose sentence names line, column, value and remedy: nothing is guessed, and a
file with one bad row gives no rows at all.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol, TypeVar

MAX_BYTES: Final = 5 * 1024 * 1024
_WHOLE = re.compile(r"[0-9]{1,10}")
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9&_.-]{0,49}")
_LONGEST_SHOWN = 40

Choice = TypeVar("Choice", bound=StrEnum)


class CsvError(ValueError):
    """A file that cannot be read; the sentence names line, value and remedy."""


@dataclass(frozen=True)
class Row:
    """The cells of one line, by column, without the blanks around them."""

    line: int
    cells: Mapping[str, str]

    def error(self, column: str, reason: str) -> CsvError:
        """An error about a cell; `reason` continues after column and value, and ends without a full stop."""
        value = self.cells[column]
        shown = repr(value[:_LONGEST_SHOWN]) if value else "(empty)"
        return CsvError(f"Line {self.line}: {column} {shown} {reason}.")

    def is_empty(self, column: str) -> bool:
        return not self.cells[column]

    def text(self, column: str) -> str:
        """A text of 1 to 50 characters."""
        value = self.cells[column]
        if not 1 <= len(value) <= 50:
            raise self.error(column, "is not a text of 1 to 50 characters; write one")
        return value

    def symbol(self, column: str = "symbol") -> str:
        """A symbol, in capitals as the exchange writes it."""
        value = self.cells[column].upper()
        if not _SYMBOL.fullmatch(value):
            raise self.error(column, "is not a symbol of the exchange; write one such as RELIANCE or M&M")
        return value

    def quantity(self, column: str = "quantity") -> int:
        """A positive whole number of shares."""
        value = self.cells[column]
        if not _WHOLE.fullmatch(value) or not int(value):
            raise self.error(column, "is not a positive whole number of shares; write one such as 100")
        return int(value)

    def amount(self, column: str, *, zero: bool = False) -> Decimal:
        """A positive amount in ₹, or 0 where `zero` allows it."""
        value = self.cells[column]
        if not _AMOUNT.fullmatch(value) or not (zero or Decimal(value)):
            kind = "an amount in ₹ from 0" if zero else "a positive amount in ₹"
            raise self.error(column, f"is not {kind}; write digits and a point, such as 2450.50")
        return Decimal(value)

    def day(self, column: str) -> date:
        value = self.cells[column]
        try:
            return date.fromisoformat(value if _DAY.fullmatch(value) else "")
        except ValueError as error:
            raise self.error(column, "is not a date; write it as YYYY-MM-DD") from error

    def choice(self, column: str, choices: type[Choice]) -> Choice:
        try:
            return choices(self.cells[column])
        except ValueError as error:
            raise self.error(column, f"is not known; write one of {', '.join(choices)}") from error


class Readable(Protocol):
    """An open file, or one that somebody sent."""

    def read(self, size: int, /) -> bytes: ...


def content_of(file: Readable) -> bytes:
    """The bytes of a file for `csv_rows`: one more than allowed shows that there are more, without reading them all."""
    return file.read(MAX_BYTES + 1)


def file_content(path: str) -> bytes:
    """The bytes of a file by its path, as `content_of`; raises CsvError when it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            content = content_of(file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CsvError(f"{path[:200]} cannot be read ({reason}); name a CSV file.") from error
    return content


def iso_day(text: str) -> date:
    """A date of a command's option; raises CsvError."""
    try:
        return date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError as error:
        raise CsvError(f"date {text[:_LONGEST_SHOWN]!r} is not a date; write it as YYYY-MM-DD.") from error


def csv_rows(content: bytes, columns: Sequence[str]) -> list[Row]:
    """The rows of a CSV file that has at least some columns, in any order; empty lines are passed over.

    Raises
    ------
    CsvError
        When the file is too large, no UTF-8 text, lacks a column or has no rows, or a line has too few or many cells.
    """
    reader = csv.reader(io.StringIO(_text(content), newline=""), strict=True)
    rows: list[Row] = []
    header: list[str] = []
    start = 1
    try:
        for texts in reader:
            line, start = start, reader.line_num + 1
            cells = [text.strip() for text in texts]
            if not any(cells):
                continue
            if not header:
                header = [cell.lower() for cell in cells]
                _check_header(header, columns)
                continue
            if len(cells) != len(header):
                raise CsvError(
                    f"Line {line} has {len(cells)} cells and the first line {len(header)}; correct the line."
                )
            rows.append(Row(line, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise CsvError(f"Line {start} is not CSV ({error}); correct its quotation marks.") from error
    if not rows:
        raise CsvError(f"The file has no rows; its first line must name {', '.join(columns)}, and rows follow.")
    return rows


def _text(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise CsvError(f"The file has more than {MAX_BYTES >> 20} MB; take it apart.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CsvError(f"Line {line} is not UTF-8 text; save the file as CSV in UTF-8.") from error
    if "\0" in text:
        raise CsvError(f"Line {text.count(chr(10), 0, text.index(chr(0))) + 1} holds a NUL; save the file as CSV.")
    return text


def _check_header(header: Sequence[str], columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in header]
    if missing:
        raise CsvError(f"The column {missing[0]} is missing; the first line must name {', '.join(columns)}.")
    twice = [column for column in header if header.count(column) > 1]
    if twice:
        raise CsvError(f"The first line names the column {twice[0][:_LONGEST_SHOWN]!r} twice; name it once.")
