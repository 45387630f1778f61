"""A broker's contract note as a file, and how its lines differ from the charges computed; pure.

The file is CSV with the columns `COLUMNS`. A line of it is either a fill, as in a file of trades, with `line` and
`value` empty; or a line of the note, with only these two: `number` and its number once, and each of `LINES` once with
its amount in ₹ (0.00 for one that the note does not have). A difference is shown, and nothing is corrected by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from brokers.charges import NOTE_LINES, Fill, note_charges
from brokers.files import trade_files
from brokers.files.csv_rows import CsvError, Row, csv_rows

LINES: Final = NOTE_LINES
COLUMNS: Final = (*trade_files.COLUMNS, "line", "value")
_NUMBER: Final = "number"
_PAISA: Final = Decimal("0.01")


@dataclass(frozen=True)
class ContractNote:
    """What a note states: its number, its fills, and its lines in ₹."""

    number: str
    fills: tuple[Fill, ...]
    lines: Mapping[str, Decimal]

    @property
    def surplus(self) -> Decimal:
        """By how much its total exceeds the sum of its own lines; 0 in a note that is consistent."""
        return 2 * self.lines["total"] - sum(self.lines.values(), Decimal(0))


@dataclass(frozen=True)
class NoteLine:
    """A line as the note states it and as it was computed, in ₹."""

    name: str
    stated: Decimal
    computed: Decimal

    @property
    def difference(self) -> Decimal:
        """What the note states above what was computed."""
        return self.stated - self.computed


def contract_note(content: bytes) -> ContractNote:
    """The note of a file; raises CsvError."""
    rows = csv_rows(content, COLUMNS)
    fills = [row for row in rows if row.is_empty("line")]
    for row in fills:
        if not row.is_empty("value"):
            raise row.error("value", "belongs to no line; name the line of the note, or leave it empty for a fill")
    stated: dict[str, Row] = {}
    for row in rows:
        if not row.is_empty("line"):
            _add_line(row, stated)
    missing = [name for name in (_NUMBER, *LINES) if name not in stated]
    if missing:
        raise CsvError(f"The line {missing[0]} is missing; the note needs {', '.join((_NUMBER, *LINES))}, once each.")
    if not fills:
        raise CsvError("The file has no fills; add each fill of the note on a line of its own.")
    return ContractNote(
        number=stated[_NUMBER].text("value"),
        fills=tuple(trade_files.fills_of(fills)),
        lines={name: _amount(stated[name]) for name in LINES},
    )


def compared(broker: str, day: date, note: ContractNote) -> list[NoteLine]:
    """Each line of a note beside the one computed from its fills; raises ChargesError."""
    charges = note_charges(broker, day, note.fills)
    return [NoteLine(name, note.lines[name], Decimal(getattr(charges, name)).quantize(_PAISA)) for name in LINES]


def _add_line(row: Row, stated: dict[str, Row]) -> None:
    name = row.cells["line"]
    if name not in (_NUMBER, *LINES):
        raise row.error("line", f"is not known; write one of {', '.join((_NUMBER, *LINES))}")
    if name in stated:
        raise row.error("line", f"is already on line {stated[name].line}; state it once")
    for column in trade_files.COLUMNS:
        if not row.is_empty(column):
            raise row.error(column, "stands beside a line of the note; leave it empty there")
    stated[name] = row


def _amount(row: Row) -> Decimal:
    amount = row.amount("value", zero=True)
    if amount != amount.quantize(_PAISA):
        raise row.error("value", "has more than two decimals; write it as the note does")
    return amount.quantize(_PAISA)
