"""How figures are rounded where they leave the database: one table for admin, API, nightly CSV files and pages.

Each figure names its unit at the start of its help text, and the unit says to how many decimals it is rounded; but at
least four significant digits stay, so 0.001234 is never 0.00. The database, the streamed exports and whatever is
imported again keep all digits.
"""

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

SIGNIFICANT_DIGITS: Final = 4
_DIGITS: Final = 15
MINUS: Final = "−"


class Unit(NamedTuple):
    """What a figure is counted in, as a heading says it, and its decimals."""

    words: str
    decimals: int


RUPEES: Final = Unit("₹", 2)
CRORES: Final = Unit("₹ crore", 2)
LAKHS: Final = Unit("₹ lakh", 2)
PERCENT: Final = Unit("%", 2)
RATIO: Final = Unit("", 2)
SCORE: Final = Unit("0-1", 4)
COUNT: Final = Unit("", 0)
_TABLE: Final = {
    "₹ crore": CRORES,
    "₹ lakh": LAKHS,
    "₹": RUPEES,
    "percent": PERCENT,
    "ratio": RATIO,
    "0-100": Unit("0-100", 2),
    "0-1": SCORE,
    "-1 to 1": Unit("-1 to 1", 4),
    "seconds": Unit("s", 2),
    "count": COUNT,
}
"""Beginning of a help text → unit; the first that fits counts."""

_FINE: Final = {"beta": RATIO, "macd": RUPEES, "signal_line": RUPEES, "macd_histogram": RUPEES}
"""Columns whose differences show in the third and fourth decimal only."""


def unit_of(name: str, help_text: str) -> Unit | None:
    """The unit of a column or key; None where its help text begins with none."""
    if name in _FINE:
        return _FINE[name]._replace(decimals=4)
    return next((unit for start, unit in _TABLE.items() if help_text.startswith(start)), None)


def rounded(value: float, unit: Unit) -> float:
    """A figure as it leaves the database; what is no number stays what it is."""
    if not value or not math.isfinite(value):
        return value
    return float(_rounded(value, unit))


def rounded_sql(expression: str, unit: Unit) -> str:
    """The SQL expression of the same figure."""
    places = f"greatest({unit.decimals}, {SIGNIFICANT_DIGITS - 1} - floor(log(abs({expression})))::integer)"
    is_plain = f"{expression} IN (0, 'NaN', 'Infinity', '-Infinity')"
    return f"CASE WHEN {is_plain} THEN {expression} ELSE round(({expression})::numeric, {places})::float8 END"


def figure_text(value: float | int | Decimal, unit: Unit) -> str:
    """A figure for people: the decimals of its unit, Indian grouping, without the unit's words.

    Where more are needed for four significant digits, they follow.
    """
    if not math.isfinite(value):
        return str(value)
    figure = _rounded(value, unit) if value else Decimal(0)
    integer, _, decimals = f"{abs(figure):f}".partition(".")
    decimals = decimals.rstrip("0").ljust(unit.decimals, "0")
    return f"{MINUS if figure < 0 else ''}{grouped(integer)}{'.' if decimals else ''}{decimals}"


def count_text(value: float | int) -> str:
    """A count for people."""
    return figure_text(round(value), COUNT)


def grouped(digits: str) -> str:
    """Digits in Indian grouping: 1234567 is 12,34,567."""
    head, tail = digits[:-3], digits[-3:]
    groups: list[str] = []
    while head:
        head, group = head[:-2], head[-2:]
        groups.insert(0, group)
    return ",".join([*groups, tail])


def _rounded(value: float | int | Decimal, unit: Unit) -> Decimal:
    # So many digits, as the database converts a float: both round the same figure.
    exact = Decimal(f"{value:.{_DIGITS}g}") if isinstance(value, float) else Decimal(value)
    if exact.adjusted() > _DIGITS:  # nothing behind the point
        return exact
    places = max(unit.decimals, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(abs(float(value)))))
    return exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
