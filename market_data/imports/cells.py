"""One cell of an uploaded file: from text to value, or a sentence about what is wrong with it; pure."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Final

from stocks.storage.csv_cells import is_formula, unescaped
from stocks.storage.file_contents import FIRST_DAY, ISIN, LAST_DAY, SYMBOL

MAX_DIGITS: Final = 40
_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{2,3})+)?(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_YES, _NO = {"1", "t", "true", "yes"}, {"0", "f", "false", "no"}

Reader = Callable[[str], Any]


class CellError(ValueError):
    """What is wrong with a cell; the sentence continues after the column's name."""


@dataclass(frozen=True)
class Column:
    """A column of a file.

    `read` turns a text that is not empty into a value, or raises CellError; `dtype` is that of the frame's column
    (``object``, ``float64``, ``Int64``, ``datetime64[ns]``), `description` says what it holds, with its unit, for the
    upload page. A `needed` column is required, without empty cells.
    """

    name: str
    read: Reader
    dtype: str
    description: str
    needed: bool = False


def symbol(text: str) -> str:
    """Return a symbol as the exchange writes it."""
    name = text.upper()
    if not re.fullmatch(SYMBOL, name):
        raise CellError("is not a symbol of the exchange")
    return name


def isin(text: str) -> str:
    if not re.fullmatch(ISIN, text):
        raise CellError("is not an ISIN such as INE002A01018")
    return text


def words(longest: int) -> Reader:
    """Return a reader of texts up to a length, none of which a spreadsheet would run as a formula.

    A text that an export kept from being one, by an apostrophe in front, is read as it is stored.
    """

    def read(text: str) -> str:
        if is_formula(text):
            raise CellError("starts like a formula (= + - @); with an apostrophe in front it is a text")
        stored = unescaped(text)
        if len(stored) > longest:
            raise CellError(f"is longer than {longest} characters")
        return stored

    return read


def number(low: float, high: float, *, zero: bool = True) -> Reader:
    """Return a reader of finite numbers within bounds; `zero` says whether 0 is allowed."""

    def read(text: str) -> float:
        value = _parsed(text)
        if value == 0 and not zero:
            raise CellError("is 0, which it cannot be; leave the cell empty where the figure is unknown")
        if not low <= value <= high:
            raise CellError(f"is outside {low:,g} to {high:,g}")
        return value

    return read


def whole(low: int, high: int) -> Reader:
    """Return a reader of whole numbers within bounds."""
    bounded = number(low, high)

    def read(text: str) -> int:
        value = bounded(text)
        if value != math.floor(value):
            raise CellError("is not a whole number")
        return int(value)

    return read


def _parsed(text: str) -> float:
    if len(text) > MAX_DIGITS:
        raise CellError(f"is longer than the {MAX_DIGITS} characters allowed in a number")
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
        raise CellError(f"is outside {FIRST_DAY:%Y} to {LAST_DAY:%Y}")
    return value


def hour(text: str) -> time:
    """Return a time of day, Indian time."""
    try:
        value = time.fromisoformat(text)
    except ValueError as error:
        raise CellError("is not a time such as 09:15") from error
    if value.tzinfo:
        raise CellError("has a time zone; write Indian time, for example 09:15")
    return value


def yes_no(text: str) -> bool:
    answer = text.lower()
    if answer not in _YES | _NO:
        raise CellError("is neither yes nor no")
    return answer in _YES


def one_of(*values: str) -> Reader:
    """Return a reader that accepts only the given words."""

    def read(text: str) -> str:
        if text not in values:
            raise CellError(f"is not one of {', '.join(values)}")
        return text

    return read
