"""Ledgers for tests, written as lines of their file."""

from portfolio.ledger.entries import COLUMNS, Entry, entries_of
from portfolio.ledger.statement import as_object, statement_of

HEADER = ",".join(COLUMNS)


def entries(*lines: str) -> list[Entry]:
    """Entries of `date kind symbol` and further cells by name: `2025-01-01 buy A quantity=10 price=100`."""
    return entries_of(file_of(*lines).encode())


def file_of(*lines: str) -> str:
    """A file with those lines."""
    return "\n".join([HEADER, *map(_line, lines)])


def statement(*lines: str):
    return as_object(statement_of(entries(*lines)))


def disposals(*lines: str):
    """Of each disposal: days, quantity, proceeds, cost, gain and term as one text."""
    names = ("bought_on", "sold_on", "quantity", "proceeds", "cost", "gain", "term")
    return [" ".join(str(row[name]) for name in names) for row in statement(*lines)["disposals"]]


def lots(*lines: str):
    return [f"{row['bought_on']} {row['quantity']} {row['cost']}" for row in statement(*lines)["lots"]]


def _line(text: str) -> str:
    day, kind, symbol, *named = text.split()
    cells = dict(cell.split("=") for cell in named) | {"date": day, "kind": kind, "symbol": symbol}
    return ",".join(cells.get(column, "") for column in COLUMNS)
