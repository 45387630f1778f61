"""A session's fills from a CSV file, for the charges of the whole note; pure."""

from collections.abc import Iterable
from typing import Final

from brokers.charges import Fill, Kind, Product, Side
from brokers.files.csv_rows import Row, csv_rows

COLUMNS: Final = ("order", "symbol", "kind", "product", "side", "quantity", "price")


def trades_of(content: bytes) -> list[Fill]:
    """The fills of a file with the columns `COLUMNS`, one a line; raises CsvError."""
    return fills_of(csv_rows(content, COLUMNS))


def fills_of(rows: Iterable[Row]) -> list[Fill]:
    """One fill a row; a symbol is one kind of thing, and an order is of one symbol, product and side."""
    fills: list[Fill] = []
    known: dict[tuple[str, str, str], tuple[str, int]] = {}
    for row in rows:
        fill = _fill(row)
        facts = [("symbol", fill.symbol, "kind", str(fill.kind))]
        facts += [("order", fill.order, column, str(getattr(fill, column))) for column in ("symbol", "product", "side")]
        for owner, name, column, value in facts:
            earlier, line = known.setdefault((owner, name, column), (value, row.line))
            if earlier != value:
                raise row.error(column, f"differs from {earlier} on line {line}: {owner} {name} has one {column}")
        fills.append(fill)
    return fills


def _fill(row: Row) -> Fill:
    return Fill(
        order=row.text("order"),
        symbol=row.symbol(),
        kind=row.choice("kind", Kind),
        product=row.choice("product", Product),
        side=row.choice("side", Side),
        quantity=row.quantity(),
        price=row.amount("price"),
    )
