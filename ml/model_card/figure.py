"""Stored figures as they are shown: each with its path in what is stored, and one wording for all readers; pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

UNKNOWN: Final = "–"
_CRORE: Final = 10_000_000


def _signed(value: float, digits: int) -> str:
    rounded = round(value, digits)
    sign = "−" if rounded < 0 else "+" if rounded > 0 else ""
    return f"{sign}{abs(rounded):.{digits}f}"


STYLES: Final[Mapping[str, Callable[[float], str]]] = {
    "yearly": lambda value: f"{_signed(value, 1)} %",
    "move": lambda value: f"{_signed(value, 2)} %",
    "cost": lambda value: f"{value:.1f} %".replace("-", "−"),
    "cost_2": lambda value: f"{value:.2f} %".replace("-", "−"),
    "share": lambda value: f"{value * 100:.1f} %",
    "correlation": lambda value: _signed(value, 3),
    "ratio": lambda value: f"{value:.2f}".replace("-", "−"),
    "error": lambda value: f"{value:.4f}",
    "rupees": lambda value: f"₹{value / _CRORE:,.1f} crore",
    "count": lambda value: f"{value:,.0f}",
}
"""Style → wording of a known value. yearly, move, cost and cost_2 are given in percent, share as 0-1, rupees in ₹."""

UNITS: Final[Mapping[str, str]] = {
    "yearly": "percent a year",
    "move": "percent",
    "cost": "percent",
    "cost_2": "percent",
    "share": "0-1",
    "correlation": "-1 to 1",
    "ratio": "ratio",
    "error": "0-1",
    "rupees": "₹",
    "count": "count",
}


@dataclass(frozen=True)
class Figure:
    """A number and where it is stored: the keys to it, joined by slashes. None: not known."""

    path: str
    value: float | int | None
    style: str

    @property
    def text(self) -> str:
        return UNKNOWN if self.value is None else STYLES[self.style](self.value)

    @property
    def stored(self) -> str:
        """The value to its last digit, as JSON writes it."""
        return json.dumps(self.value)


@dataclass(frozen=True)
class Estimate:
    """A mean with the ends of its interval, which covers ``level`` percent; the ends may be unknown."""

    mean: Figure
    low: Figure
    high: Figure
    level: int

    @property
    def has_interval(self) -> bool:
        return self.low.value is not None and self.high.value is not None

    @property
    def text(self) -> str:
        return f"{self.mean.text} [{self.low.text}, {self.high.text}]" if self.has_interval else self.mean.text

    def includes_zero(self) -> bool:
        """Whether the interval is known and does not tell the mean from 0."""
        low, high = self.low.value, self.high.value
        return low is not None and high is not None and low <= 0 <= high


@dataclass(frozen=True)
class Part:
    """A part of something stored, with its path; what is missing there reads as unknown."""

    content: Any
    path: str = ""

    def __bool__(self) -> bool:
        return bool(self.content)

    def at(self, *keys: str | int) -> "Part":
        """A part of this part; empty where it is missing."""
        content = self.content
        for key in keys:
            content = _item(content, key)
        return Part(content, "/".join(filter(None, (self.path, *map(str, keys)))))

    def names(self) -> list[str]:
        """The keys of a part that is an object, in their stored order."""
        return list(self.content) if isinstance(self.content, Mapping) else []

    def figure(self, style: str, *keys: str | int) -> Figure:
        part = self.at(*keys)
        is_number = isinstance(part.content, (int, float)) and not isinstance(part.content, bool)
        return Figure(part.path, part.content if is_number else None, style)

    def estimate(self, style: str, *keys: str | int) -> Estimate:
        """A stored mean with its interval: of 90 % where it has one, else of 95 %."""
        part = self.at(*keys)
        level = 95 if "low_95" in part.names() else 90
        mean, low, high = (part.figure(style, name) for name in ("mean", f"low_{level}", f"high_{level}"))
        return Estimate(mean, low, high, level)

    def text(self, *keys: str | int) -> str:
        """A stored text; empty where it is missing."""
        content = self.at(*keys).content
        return content if isinstance(content, str) else ""


def _item(content: Any, key: str | int) -> Any:
    if isinstance(content, Mapping):
        return content.get(str(key))
    if isinstance(content, list) and isinstance(key, int) and -len(content) <= key < len(content):
        return content[key]
    return None
