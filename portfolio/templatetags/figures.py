"""Template filters that format figures. A missing value is a dash, never 0."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from django import template
from django.utils.dateformat import format as format_date
from django.utils.dateparse import parse_date
from django.utils.html import format_html

from ml.model_card.figure import Estimate, Figure
from stocks.units import CRORES, MINUS, PERCENT, RATIO, RUPEES, SCORE, count_text, figure_text

register = template.Library()
_MISSING: Final = "–"


@register.filter
def rupees(value: float | Decimal | None) -> str:
    """An amount with Indian digit grouping: 1234567.5 is ₹12,34,567.50."""
    if value is None:
        return _MISSING
    text = figure_text(value, RUPEES)
    return f"{MINUS}₹{text[1:]}" if text.startswith(MINUS) else f"₹{text}"


@register.filter
def crores(value: float | None) -> str:
    """An amount in ₹ crore: 1658000 is ₹16,58,000.00 cr."""
    return _MISSING if value is None else f"₹{figure_text(value, CRORES)} cr"


@register.filter
def whole(value: float | None) -> str:
    """A count with Indian digit grouping."""
    return _MISSING if value is None else count_text(value)


@register.filter
def ratio(value: float | None) -> str:
    """A ratio, rounded by the table of units."""
    return _MISSING if value is None else figure_text(value, RATIO)


@register.filter
def fine(value: float | None) -> str:
    """A beta, MACD or score: its differences show in the third and fourth decimal."""
    return _MISSING if value is None else figure_text(value, SCORE)


@register.filter
def decimals(value: float | None, places: int = 2) -> str:
    """A number with a fixed number of decimals."""
    return _MISSING if value is None else _rounded(value, places)


@register.filter
def limit(value: float) -> str:
    """A threshold: grouped digits from a thousand on, no trailing zeros below."""
    return whole(value) if abs(value) >= 1000 else f"{value:g}".replace("-", "−")


@register.filter
def percent(value: float | None) -> str:
    """A fraction 0-1 as a whole percentage."""
    return _MISSING if value is None else f"{_rounded(value * 100, 0)} %"


@register.filter
def cases(chance: float | None) -> str:
    """A chance 0-1 in plain words: 0.2 is `2 of 10 cases`, 0.25 is `25 of 100 cases`."""
    if chance is None:
        return _MISSING
    whole = 10 if math.isclose(chance * 10, round(chance * 10)) else 100
    return f"{chance * whole:.0f} of {whole} cases"


@register.filter
def pct(value: float | None) -> str:
    """A value in percent, rounded by the table of units."""
    return _MISSING if value is None else f"{figure_text(value, PERCENT)} %"


@register.filter
def change(value: float | None) -> str:
    """A signed move in percent: read at a glance, it has two decimals and no more."""
    if value is None:
        return _MISSING
    return f"{_signed(value, 2)} %"


@register.filter
def amount(text: str | None) -> str:
    """A stored amount in ₹, which is a text so that it stays exact."""
    return _MISSING if text is None else rupees(Decimal(text))


@register.filter
def lakhs(text: str | None) -> str:
    """A stored amount of lakhs or crores of rupees, rounded: 86877661 is ₹8.7 crore."""
    if text is None:
        return _MISSING
    value = float(text)
    return f"₹{value / 1e7:.1f} crore" if value >= 1e7 else f"₹{value / 1e5:.1f} lakh"


@register.filter
def fold(value: float | None) -> str:
    """A multiple, with one decimal."""
    return _MISSING if value is None else f"{value:.1f} ×"


@register.filter
def tone(value: float | None) -> str:
    """CSS class of a move: up, down, or none."""
    if value is None or round(value, 2) == 0:
        return ""
    return "up" if value > 0 else "down"


@register.filter
def styled(value: Any, style: str) -> str:
    """A figure in a named style (see `fundamentals_table`)."""
    return _STYLES[style](value)


@register.filter
def from_entry(level: float | None, pick: Mapping[str, Any]) -> str:
    """Signed distance of a pick's level from its expected entry, in percent; from its close where none is stored."""
    entry = pick["expected_entry"] or pick["current_price"]
    if level is None or not entry:
        return ""
    return f"{_signed((level / entry - 1) * 100, 1)} %"


def _signed(value: float, places: int) -> str:
    """Rounded first, so that what is shown as 0 has no sign."""
    text = _rounded(value, places)
    return f"+{text}" if round(value, places) > 0 else text


def _rounded(value: float, places: int) -> str:
    rounded = round(value, places)
    return f"{'−' if rounded < 0 else ''}{abs(rounded):.{places}f}"


@register.filter
def hundredths(value: float | None) -> int:
    """A fraction 0-1 as the length 0-100 of a drawn bar."""
    return round(min(max(value or 0.0, 0.0), 1.0) * 100)


@register.filter
def times(value: float | None, factor: float | None) -> float | None:
    """The product, or None if a factor is missing."""
    return None if value is None or factor is None else value * factor


@register.filter
def wording(value: str | None) -> str:
    """A constant such as STRONG_BUY as words."""
    return (value or _MISSING).replace("_", " ").capitalize()


@register.filter
def datum(cell: Figure | Estimate | str) -> str:
    """A stored figure or estimate as it is worded, with its path and the value to its last digit; else a text."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Figure):
        return _data(cell)
    if not cell.has_interval:
        return _data(cell.mean)
    ends = _data(cell.low), _data(cell.high)
    return format_html('{} <span class="range">{} to {}</span>', _data(cell.mean), *ends)


def _data(figure: Figure) -> str:
    if figure.value is None:
        return _MISSING
    return format_html(
        '<data value="{}" data-figure="{}">{}</data>', figure.stored, f"{figure.style}:{figure.path}", figure.text
    )


@register.filter
def day(text: str) -> str:
    """A stored day such as 2026-04-30 in words."""
    value = parse_date(text) if text else None
    return format_date(value, "j M Y") if value else _MISSING


_STYLES: Final[dict[str, Callable[[Any], str]]] = {
    "rupees": rupees,
    "signed": change,
    "fold": fold,
    "ratio": ratio,
    "crores": crores,
    "whole": whole,
    "plain": ratio,
    "fine": fine,
    "pct": pct,
    "text": wording,
}
