"""An uploaded file as rows and errors: each error names the line, the column and the value; pure.

A file that is not a table of the expected kind is refused as a whole. Errors of single rows are collected, all of them,
so that a person corrects the file once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from market_data.imports.cells import CellError, Column
from stocks.storage.file_contents import (
    LINE,
    FileUnreadable,
    decoded_text,
    gzip_contents,
    storable_text,
    text_table,
    zip_contents,
)

MAX_BYTES = 32 * 1024 * 1024
"""Of the upload, and of what it decompresses to; 100,000 bars with all columns have 12 MB."""

MAX_ROWS = 250_000
_MAX_DISPLAYED = 60


class RowError(NamedTuple):
    """One thing that is wrong with one row."""

    line: int
    column: str
    value: str
    reason: str


class ParsedFile(NamedTuple):
    """A file's rows in its order, with their lines; the errors of its cells; the columns that are ignored."""

    rows: pd.DataFrame
    errors: list[RowError]
    ignored: list[str]

    @property
    def bad_lines(self) -> set[int]:
        return {error.line for error in self.errors}


def decompressed(content: bytes, name: str) -> bytes:
    """Return the bytes of a CSV file, decompressed if it is a zip or gzip; raises FileUnreadable."""
    if len(content) > MAX_BYTES:
        raise FileUnreadable(f"{name} holds more than {MAX_BYTES:,} bytes and is refused; import it in parts.")
    if content.startswith(b"PK\x03\x04"):
        return zip_contents(content, name, MAX_BYTES)
    if content.startswith(b"\x1f\x8b"):
        return gzip_contents(content, name, MAX_BYTES)
    return content


def parsed_file(
    content: bytes, name: str, columns: Sequence[Column], report: Callable[[int, int], None] | None = None
) -> ParsedFile:
    """Return the rows and errors of a file: CSV, or one CSV in a zip or gzip; `name` is for error sentences.

    The rows have all columns in their dtypes (empty where the file lacks them or a cell is unreadable) and ``LINE``.
    Other columns are ignored and listed. `report` receives how many columns of how many have been read.

    Raises
    ------
    FileUnreadable
        When the file as a whole must be refused.
    """
    text = decoded_text(decompressed(content, name), name, only_unicode=True)
    table, rejected_lines = text_table(text, name, numbered=True)
    table.columns = pd.Index([str(column).strip().lower() for column in table.columns])
    _check_shape(table, name, columns)
    errors = [RowError(line.line, "", display_text(line.raw), line.reason) for line in rejected_lines]
    rows: dict[str, pd.Series[Any]] = {}
    for number, column in enumerate(columns, start=1):
        texts = table[column.name] if column.name in table else pd.Series("", index=table.index, dtype=object)
        rows[column.name] = _values(column, texts, table[LINE], errors)
        if report:
            report(number, len(columns))
    known = {LINE, *(column.name for column in columns)}
    ignored = [str(column) for column in table.columns if column not in known]
    return ParsedFile(pd.DataFrame(rows).assign(**{LINE: table[LINE]}), errors, ignored)


def duplicate_errors(rows: pd.DataFrame, key: Sequence[str]) -> list[RowError]:
    """Return an error for each row that has the same key as an earlier row."""
    complete = rows.dropna(subset=list(key))
    repeated = complete[complete.duplicated(list(key))]
    firsts = complete.drop_duplicates(list(key)).set_index(list(key))[LINE].to_dict() if len(repeated) else {}
    errors = []
    for *values, line in repeated[[*key, LINE]].itertuples(index=False, name=None):
        first = firsts[tuple(values) if len(values) > 1 else values[0]]
        errors.append(RowError(int(line), ", ".join(key), display_text(values), f"repeats line {first}"))
    return errors


def display_text(values: object) -> str:
    """Return a value or a row of values as short text that can be stored and shown."""
    if isinstance(values, list | tuple):
        return ", ".join(display_text(value) for value in values)
    text = f"{values:%Y-%m-%d}" if isinstance(values, pd.Timestamp) else str(values)
    text = storable_text(text)
    return text if len(text) <= _MAX_DISPLAYED else f"{text[: _MAX_DISPLAYED - 1]}…"


def without_lines(rows: pd.DataFrame, lines: Iterable[int]) -> pd.DataFrame:
    """Return the rows that are not on any of some lines."""
    return rows[~rows[LINE].isin(list(lines))].reset_index(drop=True)


def _check_shape(table: pd.DataFrame, name: str, columns: Sequence[Column]) -> None:
    missing = [column.name for column in columns if column.needed and column.name not in table.columns]
    if missing:
        wanted = ", ".join(column.name for column in columns if column.needed)
        raise FileUnreadable(f"{name} lacks the columns {', '.join(missing)}; its first line must name {wanted}.")
    twice = [str(column) for column in table.columns[table.columns.duplicated()]]
    if twice:
        raise FileUnreadable(f"{name} names the column {twice[0][:80]!r} twice.")
    if len(table) > MAX_ROWS:
        raise FileUnreadable(f"{name} holds {len(table):,} rows, more than {MAX_ROWS:,}; import it in parts.")


def _values(column: Column, texts: pd.Series, lines: pd.Series, errors: list[RowError]) -> pd.Series:
    """Return a column's values; an unreadable cell is empty and adds an error."""
    # Columns such as names and dates repeat few different texts: parse each once.
    parsed: dict[str, Any] = {}
    values: list[Any] = []
    for text, line in zip(texts, lines, strict=True):
        if text not in parsed:
            parsed[text] = _read(column, text)
        value = parsed[text]
        if isinstance(value, CellError):
            errors.append(RowError(int(line), column.name, display_text(text), str(value)))
            value = None
        values.append(value)
    if column.dtype == "datetime64[ns]":
        return pd.Series(pd.to_datetime(pd.Series(values, index=texts.index, dtype=object)), dtype=column.dtype)
    return pd.Series(values, index=texts.index, dtype=column.dtype)


def _read(column: Column, text: str) -> Any:
    if text == "":
        return CellError("is empty but required") if column.needed else None
    try:
        return column.read(text)
    except CellError as error:
        return error
