"""One cell of a handed-in file: from text to value, or a sentence about what is wrong with it; pure."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Final

from stocks.storage.csv_cells import is_formula
from stocks.storage.file_contents import FIRST_DAY, ISIN, LAST_DAY, SYMBOL

MAX_DIGITS: Final = 40
_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{2,3})+)?(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_YES, _NO = {"1", "true", "yes"}, {"0", "false", "no"}

Reader = Callable[[str], Any]


class CellError(ValueError):
    """What is wrong with a cell; the sentence goes on after the column's name."""


@dataclass(frozen=True)
class Column:
    """A column of a file.

    Attributes
    ----------
    name : str
        As the table's.
    read : callable
        Text to value; raises CellError. Is not asked about an empty cell.
    dtype : str
        Of the frame's column: ``object``, ``float64``, ``Int64``, ``datetime64[ns]``.
    told : str
        What stands in it, with its unit.
    needed : bool
        Whether the column must be there and no cell be empty.
    """

    name: str
    read: Reader
    dtype: str
    told: str
    needed: bool = False


def symbol(text: str) -> str:
    """Return a symbol as the exchange writes it."""
    name = text.upper()
    if not re.fullmatch(SYMBOL, name):
        raise CellError("is not a symbol of the exchange")
    return name


def isin(text: str) -> str:
    """Return an ISIN."""
    if not re.fullmatch(ISIN, text):
        raise CellError("is not an ISIN such as INE002A01018")
    return text


def words(longest: int) -> Reader:
    """Return the reader of a text of at most so many characters that no spreadsheet takes for a formula."""

    def read(text: str) -> str:
        if is_formula(text.removeprefix("'")):
            raise CellError("begins like a formula (= + - @)")
        if len(text) > longest:
            raise CellError(f"is longer than {longest} characters")
        return text

    return read


def number(low: float, high: float, *, zero: bool = True) -> Reader:
    """Return the reader of a finite number within bounds; `zero` says whether 0 can be one."""

    def read(text: str) -> float:
        value = _parsed(text)
        if value == 0 and not zero:
            raise CellError("is 0, which it cannot be; leave the cell empty where the figure is unknown")
        if not low <= value <= high:
            raise CellError(f"lies outside {low:,g} to {high:,g}")
        return value

    return read


def whole(low: int, high: int) -> Reader:
    """Return the reader of a whole number within bounds."""
    bounded = number(low, high)

    def read(text: str) -> int:
        value = bounded(text)
        if value != math.floor(value):
            raise CellError("is not a whole number")
        return int(value)

    return read


def _parsed(text: str) -> float:
    if len(text) > MAX_DIGITS:
        raise CellError(f"is longer than the {MAX_DIGITS} characters that a number may have")
    if not _NUMBER.fullmatch(text) or not re.search("[0-9]", re.split("[eE]", text)[0]):
        raise CellError("is not a number")
    value = float(text.replace(",", ""))
    if not math.isfinite(value):
        raise CellError("is infinite")
    return value


def day(text: str) -> date:
    """Return a date written as YYYY-MM-DD."""
    try:
        value = date.fromisoformat(text) if len(text) == len("2026-04-30") else None
    except ValueError:
        value = None
    if value is None:
        raise CellError("is not a date such as 2026-04-30")
    if not FIRST_DAY.date() <= value <= LAST_DAY.date():
        raise CellError(f"lies outside {FIRST_DAY:%Y} to {LAST_DAY:%Y}")
    return value


def hour(text: str) -> time:
    """Return a time of the day, Indian time."""
    try:
        value = time.fromisoformat(text)
    except ValueError as error:
        raise CellError("is not a time such as 09:15") from error
    if value.tzinfo:
        raise CellError("names a time zone; write Indian time, for example 09:15")
    return value


def yes_no(text: str) -> bool:
    """Return yes or no."""
    said = text.lower()
    if said not in _YES | _NO:
        raise CellError("is neither yes nor no")
    return said in _YES


def one_of(*values: str) -> Reader:
    """Return the reader of one of some words."""

    def read(text: str) -> str:
        if text not in values:
            raise CellError(f"is none of {', '.join(values)}")
        return text

    return read
