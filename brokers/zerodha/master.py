"""Kite's list of instruments of the NSE: 12 columns with a header, parsed from the raw bytes.

A series is a suffix of two characters (`GTLINFRA-BE`), none stands for EQ; a longer suffix belongs to the name
(`BAJAJ-AUTO`, `NAM-INDIA`). The list's own column of types calls everything EQ.
"""

from decimal import Decimal, InvalidOperation
from typing import Final

from brokers.answers import FieldError
from brokers.masters import csv_table
from brokers.protocol import SERIES, Instrument, SymbolMaster

COLUMNS: Final = (
    *("instrument_token", "exchange_token", "tradingsymbol", "name", "last_price", "expiry", "strike", "tick_size"),
    *("lot_size", "instrument_type", "segment", "exchange"),
)


def symbol_and_series(venue_name: str) -> tuple[str, str]:
    """Return the bare symbol and the series of a name at the NSE."""
    symbol, hyphen, series = venue_name.rpartition("-")
    return (symbol, series) if hyphen and symbol and len(series) == 2 else (venue_name, "EQ")


def venue_name(symbol: str, series: str) -> str:
    """Return Kite's name of a symbol in a series."""
    return symbol if series == "EQ" else f"{symbol}-{series}"


def symbol_master(content: bytes) -> SymbolMaster:
    """Parse the list; raises FieldError on a row of another width, another header, or a value of another kind."""
    rows = csv_table(content)
    if not rows or tuple(rows[0]) != COLUMNS:
        raise FieldError("its header is another one")
    instruments: list[Instrument] = []
    names: set[str] = set()
    doubled = 0
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(COLUMNS):
            raise FieldError(f"row {number} has {len(row)} columns instead of {len(COLUMNS)}")
        fields = dict(zip(COLUMNS, row, strict=True))
        instrument = _instrument(fields, number)
        if fields["tradingsymbol"] in names:
            doubled += 1
            continue
        names.add(fields["tradingsymbol"])
        if instrument is not None:
            instruments.append(instrument)
    return SymbolMaster(tuple(instruments), doubled)


def _instrument(row: dict[str, str], number: int) -> Instrument | None:
    """A share or fund; None for indices and other series."""
    name = row["tradingsymbol"]
    symbol, series = symbol_and_series(name)
    if row["exchange"] != "NSE":
        raise FieldError(f"row {number} is of the exchange {row['exchange'][:20]!r}")
    if row["segment"] != "NSE" or series not in SERIES:
        return None
    try:
        tick = Decimal(row["tick_size"])
    except InvalidOperation:
        raise FieldError(f"row {number} has the tick size {row['tick_size'][:20]!r}") from None
    if not row["instrument_token"].isdigit() or not symbol:
        raise FieldError(f"row {number} has no token or no name")
    if not tick.is_finite() or tick <= 0:
        raise FieldError(f"row {number} has the tick size {row['tick_size'][:20]!r}")
    return Instrument(symbol, series, tick, name, row["name"], row["instrument_token"])
