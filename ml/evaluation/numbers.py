"""Figures as text; – where a figure is not known."""

from collections.abc import Mapping

_CRORE = 10_000_000


def number(value: float | None, digits: int = 3, *, signed: bool = False) -> str:
    return "–" if value is None else f"{value:{'+' if signed else ''}.{digits}f}"


def percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{share * 100:.{digits}f} %"


def interval(figures: Mapping[str, float | None], digits: int = 1, *, signed: bool = False) -> str:
    """The 90 % interval of an ``Interval.as_json``."""
    low, high = (number(figures[name], digits, signed=signed) for name in ("low_90", "high_90"))
    return f"[{low}, {high}]"


def rupees(value: float | None) -> str:
    return "–" if value is None else f"₹{value / _CRORE:,.1f} crore"
