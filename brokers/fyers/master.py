"""Fyers' list of instruments of the NSE: 21 columns without a header, parsed from the raw bytes.

Columns used: 0 token, 1 name, 4 tick size, 5 ISIN, 9 ticker (`NSE:BAJAJ-AUTO-EQ`). The others have changed their
meaning before; the last one is a number and shows a cut row.
"""

import re
from decimal import Decimal, InvalidOperation
from typing import Final

from brokers.answers import FieldError
from brokers.masters import csv_table
from brokers.protocol import SERIES, Instrument, SymbolMaster

WIDTH: Final = 21
_TICKER: Final = re.compile(rf"NSE:(.+)-({'|'.join(SERIES)})")


def symbol_of(ticker: str) -> str:
    """Return the bare symbol of a ticker (`NSE:SBIN-EQ`, `BSE:SBIN-A`)."""
    name = ticker.partition(":")[2]
    return name.rpartition("-")[0] or name


def ticker(symbol: str, series: str) -> str:
    """Return Fyers' name of a symbol in a series."""
    return f"NSE:{symbol}-{series}"


def symbol_master(content: bytes) -> SymbolMaster:
    """Parse the list; raises FieldError on a row of another width or a value of another kind."""
    rows = csv_table(content)
    if not rows:
        raise FieldError("it is empty")
    instruments: list[Instrument] = []
    names: set[str] = set()
    doubled = 0
    for number, row in enumerate(rows, 1):
        if len(row) != WIDTH:
            raise FieldError(f"row {number} has {len(row)} columns instead of {WIDTH}")
        _number(row[20], number)
        if row[9] in names:
            doubled += 1
            continue
        names.add(row[9])
        match = _TICKER.fullmatch(row[9])
        if match:
            instruments.append(_instrument(row, match, number))
    return SymbolMaster(tuple(instruments), doubled)


def _instrument(row: list[str], match: re.Match[str], number: int) -> Instrument:
    tick = _number(row[4], number)
    if tick <= 0:
        raise FieldError(f"row {number} has the tick size {row[4][:20]!r}")
    if not row[0].isdigit():
        raise FieldError(f"row {number} has no token")
    return Instrument(match[1], match[2], tick, row[9], row[1], row[0], row[5] or None)


def _number(text: str, number: int) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise FieldError(f"row {number} has {text[:20]!r} instead of a number") from None
    if not value.is_finite():
        raise FieldError(f"row {number} has {text[:20]!r} instead of a number")
    return value
