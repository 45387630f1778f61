"""A handed-in file becomes rows and errors: each error names the line, the column and the value; pure.

A file that is no table of the kind asked for is refused as a whole, by a sentence. What is wrong with single rows is
collected, all of it, so that a person corrects the file once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from market_data.imports.cells import CellError, Column
from stocks.storage.file_contents import (
    LINE,
    FileUnreadable,
    LeftOut,
    storable,
    text_of,
    text_table,
    ungzipped,
    unzipped,
)

MAX_BYTES = 32 * 1024 * 1024
"""Handed in, and unpacked; 100,000 bars with all columns have 12 MB."""

MAX_ROWS = 250_000
_SHOWN = 60


class RowError(NamedTuple):
    """One thing that is wrong with one row."""

    line: int
    column: str
    value: str
    reason: str


class Judged(NamedTuple):
    """A file's rows that can be read, in its order, with their lines; what is wrong with others; columns not used."""

    rows: pd.DataFrame
    errors: list[RowError]
    ignored: list[str]

    @property
    def bad_lines(self) -> set[int]:
        """Lines of which something is wrong."""
        return {error.line for error in self.errors}


def unpacked(content: bytes, name: str) -> bytes:
    """Return a csv's bytes, out of a zip or gzip where it is one; raises FileUnreadable."""
    if len(content) > MAX_BYTES:
        raise FileUnreadable(f"{name} holds more than {MAX_BYTES:,} bytes and is refused; import it in parts.")
    if content.startswith(b"PK\x03\x04"):
        return unzipped(content, name, MAX_BYTES)
    if content.startswith(b"\x1f\x8b"):
        return ungzipped(content, name, MAX_BYTES)
    return content


def judged(
    content: bytes, name: str, columns: Sequence[Column], report: Callable[[int, int], None] | None = None
) -> Judged:
    """Read a file.

    Parameters
    ----------
    content, name
        Its bytes (csv, or one csv in a zip or gzip) and its name for the sentences.
    columns
        What it should hold; others are left aside and named.
    report
        Is told how many columns of how many were read.

    Returns
    -------
    Judged
        Rows with the columns' dtypes (all columns, those that the file lacks empty) and ``LINE``; an unreadable cell is
        empty in them.

    Raises
    ------
    FileUnreadable
        When the file as a whole cannot be taken.
    """
    text = text_of(unpacked(content, name), name, only_unicode=True)
    table, left_out = text_table(text, name, numbered=True)
    table.columns = pd.Index([str(column).strip().lower() for column in table.columns])
    _check_shape(table, name, columns)
    errors = [_of_line(line) for line in left_out]
    rows: dict[str, pd.Series[Any]] = {}
    for place, column in enumerate(columns, start=1):
        texts = table[column.name] if column.name in table else pd.Series("", index=table.index, dtype=object)
        rows[column.name] = _values(column, texts, table[LINE], errors)
        if report:
            report(place, len(columns))
    known = {LINE, *(column.name for column in columns)}
    ignored = [str(column) for column in table.columns if column not in known]
    return Judged(pd.DataFrame(rows).assign(**{LINE: table[LINE]}), errors, ignored)


def doubled(rows: pd.DataFrame, key: Sequence[str]) -> list[RowError]:
    """Return an error for each row whose key an earlier row has."""
    filled = rows.dropna(subset=list(key))
    again = filled.loc[filled.duplicated(list(key))]
    firsts = filled.drop_duplicates(list(key)).set_index(list(key))[LINE].to_dict() if len(again) else {}
    found = []
    for row in again[[*key, LINE]].itertuples(index=False, name=None):
        *values, line = row
        first = firsts[tuple(values) if len(values) > 1 else values[0]]
        found.append(RowError(int(line), ", ".join(key), shown(values), f"stands in line {first} already"))
    return found


def shown(values: object) -> str:
    """Return a value or a row of values as short text that can be stored and shown."""
    if isinstance(values, list | tuple):
        return ", ".join(shown(value) for value in values)
    text = f"{values:%Y-%m-%d}" if isinstance(values, pd.Timestamp) else str(values)
    text = storable(text)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def without(rows: pd.DataFrame, lines: Iterable[int]) -> pd.DataFrame:
    """Return the rows that stand in none of some lines."""
    return rows.loc[~rows[LINE].isin(list(lines))].reset_index(drop=True)


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


def _of_line(line: LeftOut) -> RowError:
    return RowError(line.line, "", shown(line.raw), line.reason)


def _values(column: Column, texts: pd.Series, lines: pd.Series, errors: list[RowError]) -> pd.Series:
    """Return a column's values; what cannot be read is an error and empty."""
    # Of a column of few different texts (names, dates) each is read once.
    known: dict[str, Any] = {}
    values: list[Any] = []
    for text, line in zip(texts, lines, strict=True):
        if text not in known:
            known[text] = _read(column, text)
        value = known[text]
        if isinstance(value, CellError):
            errors.append(RowError(int(line), column.name, shown(text), str(value)))
            value = None
        values.append(value)
    if column.dtype == "datetime64[ns]":
        return pd.Series(pd.to_datetime(pd.Series(values, index=texts.index, dtype=object)), dtype=column.dtype)
    return pd.Series(values, index=texts.index, dtype=column.dtype)


def _read(column: Column, text: str) -> Any:
    if text == "":
        return CellError("is empty and must be there") if column.needed else None
    try:
        return column.read(text)
    except CellError as error:
        return error
