"""The tax statement of a ledger: everything that page, file and command show; pure."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from portfolio.ledger.capital_gains import TaxYear, financial_year, rate_pct, tax_years, year_name
from portfolio.ledger.entries import Entry
from portfolio.ledger.tax_lots import Disposal, Lot, Term, tax_lots

_COLUMNS: Final = (
    *("year", "symbol", "bought_on", "sold_on", "quantity", "proceeds", "cost", "gain", "term", "rate_pct"),
    *("exempt", "tax", "carried_short", "carried_long"),
)
NOTES: Final = (
    "Surcharge and cess are left out.",
    "Intraday gains are business income: they are listed and not taxed here.",
)


@dataclass(frozen=True)
class Statement:
    """Open lots, disposals and years."""

    lots: tuple[Lot, ...]
    disposals: tuple[Disposal, ...]
    years: tuple[TaxYear, ...]

    def of_year(self, name: str) -> list[Disposal]:
        return [disposal for disposal in self.disposals if year_name(financial_year(disposal.sold_on)) == name]


def statement_of(entries: Iterable[Entry]) -> Statement:
    """The statement of a ledger's entries, oldest first; raises LedgerError."""
    ledger = tax_lots(entries)
    return Statement(ledger.lots, ledger.disposals, tuple(tax_years(ledger.disposals)))


def as_object(statement: Statement) -> dict[str, Any]:
    """The statement for JSON: amounts in ₹ as text with two decimals, quantities as whole numbers."""
    return {
        "lots": [
            {"symbol": lot.symbol, "bought_on": str(lot.bought_on), "quantity": lot.quantity, "cost": _text(lot.cost)}
            for lot in statement.lots
        ],
        "disposals": [
            {
                "symbol": disposal.symbol,
                "sold_on": str(disposal.sold_on),
                "bought_on": str(disposal.bought_on),
                "quantity": disposal.quantity,
                "proceeds": _text(disposal.proceeds),
                "cost": _text(disposal.cost),
                "gain": _text(disposal.gain),
                "term": str(disposal.term),
            }
            for disposal in statement.disposals
        ],
        "years": {
            year.name: {
                "short": _by_rate(year.short),
                "long": _by_rate(year.long),
                "exempt": _text(year.exempt),
                "tax": _text(year.tax),
                "carried_short": _text(_sum(year.carried_short.values())),
                "carried_long": _text(_sum(year.carried_long.values())),
                "intraday": _text(year.intraday),
            }
            for year in statement.years
        },
    }


def as_csv(statement: Statement) -> str:
    """The statement as CSV: each year's disposals, then a line of the year with its tax."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for year in statement.years:
        writer.writerows(_line(year.name, disposal) for disposal in statement.of_year(year.name))
        writer.writerow(_total(year))
    return text.getvalue()


def _line(year: str, disposal: Disposal) -> Sequence[object]:
    rate = "" if disposal.term == Term.INTRADAY else rate_pct(disposal.term, disposal.sold_on)
    amounts = [_text(amount) for amount in (disposal.proceeds, disposal.cost, disposal.gain)]
    days = disposal.bought_on, disposal.sold_on
    return [year, disposal.symbol, *days, disposal.quantity, *amounts, str(disposal.term), rate, "", "", "", ""]


def _total(year: TaxYear) -> Sequence[object]:
    gain = _sum([*year.short.values(), *year.long.values(), year.intraday])
    carried = [_text(_sum(losses.values())) for losses in (year.carried_short, year.carried_long)]
    return [year.name, "", "", "", "", "", "", _text(gain), "total", "", _text(year.exempt), _text(year.tax), *carried]


def _by_rate(amounts: Mapping[Decimal, Decimal]) -> dict[str, str]:
    return {str(rate): _text(amount) for rate, amount in sorted(amounts.items())}


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _text(amount: Decimal) -> str:
    return f"{amount:.2f}"
