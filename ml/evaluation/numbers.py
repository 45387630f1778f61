"""Figures as text; – where a figure is not known."""

from collections.abc import Mapping

_CRORE = 10_000_000


def number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{share * 100:.{digits}f} %"


def interval(figures: Mapping[str, float | None], digits: int = 1) -> str:
    """The 90 % interval of an ``Interval.as_json``."""
    return f"[{number(figures['low_90'], digits)}, {number(figures['high_90'], digits)}]"


def rupees(value: float | None) -> str:
    return "–" if value is None else f"₹{value / _CRORE:,.1f} crore"
