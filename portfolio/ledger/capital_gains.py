"""The income tax on the disposals of each financial year; pure.

All amounts are ₹. The rules are those for listed shares with securities transaction tax of a resident individual;
surcharge and cess are left out, and intraday gains are business income: listed, not taxed here.

- Each disposal has the rate of its day: short 15 %, from 23 July 2024 20 %; long 10 %, from then 12.5 %.
- A year's short losses reduce its short gains, then its long gains; then its long losses the long gains that are left.
  Losses carried from the eight years before follow in the same way, of each kind the oldest first; the rest is carried.
- The exemption of long gains (₹1,00,000 a year, ₹1,25,000 from 2024-25) is used once, after all losses.
- Losses and exemption go against the higher rate first. The tax is rounded once, to the paisa.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Final

from portfolio.ledger.tax_lots import Disposal, Term

_FROM_2024_07_23: Final = date(2024, 7, 23)
_RATES: Final = {
    Term.SHORT: (Decimal(15), Decimal(20)),
    Term.LONG: (Decimal(10), Decimal("12.5")),
}
"""In percent, before 23 July 2024 and since."""

_CARRIED_YEARS: Final = 8
_PAISA: Final = Decimal("0.01")

ByRate = Mapping[Decimal, Decimal]
ByYear = Mapping[str, Decimal]


@dataclass(frozen=True)
class TaxYear:
    """A financial year with disposals; rates in percent.

    Attributes
    ----------
    short, long
        Gains less losses of the year's own disposals, by rate.
    taxed_short, taxed_long
        What is taxed of them after all losses and the exemption, by rate.
    exempt
        What is used of the exemption.
    carried_short, carried_long
        Losses that later years may still use, by the year of their origin.
    intraday
        Gains less losses of what was bought and sold on one day.
    """

    name: str
    short: ByRate
    long: ByRate
    taxed_short: ByRate
    taxed_long: ByRate
    exempt: Decimal
    tax: Decimal
    carried_short: ByYear
    carried_long: ByYear
    intraday: Decimal


def financial_year(day: date) -> int:
    """The year in which the financial year of a day begins, on 1 April."""
    return day.year if day.month >= 4 else day.year - 1


def year_name(year: int) -> str:
    """The name of a financial year by the year in which it begins, such as 2025-26."""
    return f"{year}-{(year + 1) % 100:02d}"


def rate_pct(term: Term, sold_on: date) -> Decimal:
    """The rate in percent on short or long gains of a day."""
    return _RATES[term][sold_on >= _FROM_2024_07_23]


def tax_years(disposals: Iterable[Disposal]) -> list[TaxYear]:
    """The years that have disposals, oldest first."""
    ordered = sorted(disposals, key=lambda disposal: disposal.sold_on)
    carried: dict[Term, dict[int, Decimal]] = {Term.SHORT: {}, Term.LONG: {}}
    return [
        _tax_year(year, list(of_year), carried)
        for year, of_year in groupby(ordered, key=lambda disposal: financial_year(disposal.sold_on))
    ]


def _tax_year(year: int, disposals: list[Disposal], carried: dict[Term, dict[int, Decimal]]) -> TaxYear:
    """One year; `carried` has the losses of earlier years, and is left with those for later ones."""
    net = {term: dict.fromkeys(_rates_of(term, year), Decimal("0.00")) for term in carried}
    gains = {term: dict(net[term]) for term in carried}
    losses: dict[Term, Decimal] = defaultdict(Decimal)
    intraday = Decimal("0.00")
    for disposal in disposals:
        if disposal.term == Term.INTRADAY:
            intraday += disposal.gain
            continue
        rate = rate_pct(disposal.term, disposal.sold_on)
        net[disposal.term][rate] += disposal.gain
        gains[disposal.term][rate] += max(disposal.gain, Decimal(0))
        losses[disposal.term] -= min(disposal.gain, Decimal(0))
    short, long = gains[Term.SHORT], gains[Term.LONG]
    for term in carried:
        carried[term][year] = _reduced(losses[term], *((short, long) if term == Term.SHORT else (long,)))
    _use_carried(year, carried[Term.SHORT], short, long)
    _use_carried(year, carried[Term.LONG], long)
    exemption = Decimal("125000.00" if year >= 2024 else "100000.00")
    exempt = exemption - _reduced(exemption, long)
    tax = sum((gain * rate / 100 for taxed in (short, long) for rate, gain in taxed.items()), Decimal(0))
    return TaxYear(
        name=year_name(year),
        short=net[Term.SHORT],
        long=net[Term.LONG],
        taxed_short=short,
        taxed_long=long,
        exempt=exempt,
        tax=tax.quantize(_PAISA, ROUND_HALF_UP),
        carried_short=_named(carried[Term.SHORT]),
        carried_long=_named(carried[Term.LONG]),
        intraday=intraday,
    )


def _rates_of(term: Term, year: int) -> list[Decimal]:
    """The rates in force in a year, the higher one first."""
    ends = date(year, 4, 1), date(year + 1, 3, 31)
    return sorted({rate_pct(term, day) for day in ends}, reverse=True)


def _reduced(loss: Decimal, *gains: dict[Decimal, Decimal]) -> Decimal:
    """Reduce gains by a loss, the higher rate first, and return what is left of the loss."""
    for by_rate in gains:
        for rate in sorted(by_rate, reverse=True):
            used = min(loss, by_rate[rate])
            by_rate[rate] -= used
            loss -= used
    return loss


def _use_carried(year: int, carried: dict[int, Decimal], *gains: dict[Decimal, Decimal]) -> None:
    """Use the losses of earlier years, and leave those that the next year may still use."""
    for origin in sorted(carried):
        if year - _CARRIED_YEARS <= origin < year:
            carried[origin] = _reduced(carried[origin], *gains)
        if origin <= year - _CARRIED_YEARS or not carried[origin]:
            del carried[origin]


def _named(carried: Mapping[int, Decimal]) -> dict[str, Decimal]:
    return {year_name(year): loss for year, loss in sorted(carried.items())}
