"""Plots of figures with their intervals, drawn on the server.

Numbers in, marks out: the template draws them as SVG attributes, so no inline style is needed. Every plot has a title,
a description and a table of the same figures for those who do not see it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ml.model_card.figure import Estimate, Figure

WIDTH: Final = 440
HEIGHT: Final = 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 20, 14, 30
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_WHISKER: Final = 4.0

Cell = Figure | Estimate | str


@dataclass(frozen=True)
class Stroke:
    """A path; ``kind`` is a CSS class: axis, grid, zero, model, plain, whisker."""

    path: str
    kind: str


@dataclass(frozen=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float
    kind: str


@dataclass(frozen=True)
class Dot:
    """A point."""

    x: float
    y: float
    kind: str


@dataclass(frozen=True)
class Label:
    """A text; ``anchor`` as of SVG."""

    x: float
    y: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Plot:
    """Marks in a box of ``width`` × ``height``, with the same figures as a table.

    ``keys`` are the legend: CSS class and words. ``rows`` begin with the name of the row.
    """

    name: str
    title: str
    description: str
    strokes: Sequence[Stroke]
    boxes: Sequence[Box]
    dots: Sequence[Dot]
    labels: Sequence[Label]
    keys: Sequence[tuple[str, str]]
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True)
class Frame:
    """Maps figures to the inside of a plot; ``top`` is the largest of the vertical axis."""

    first: float
    last: float
    bottom: float
    top: float
    left: int = _LEFT
    height: int = HEIGHT

    def x(self, value: float) -> float:
        span = (self.last - self.first) or 1.0
        return round(self.left + (value - self.first) / span * (WIDTH - self.left - _RIGHT), 1)

    def y(self, value: float) -> float:
        span = (self.top - self.bottom) or 1.0
        return round(_TOP + (self.top - value) / span * (self.height - _TOP - _BOTTOM), 1)

    def line(self, points: Iterable[tuple[float, float]]) -> str:
        """The path through points."""
        return "M" + " L".join(f"{self.x(x)} {self.y(y)}" for x, y in points)

    def across(self, value: float) -> str:
        """The path at one height from end to end."""
        return f"M{self.left} {self.y(value)}H{WIDTH - _RIGHT}"

    def upright(self, value: float) -> str:
        """The path at one place from bottom to top."""
        return f"M{self.x(value)} {_TOP}V{self.height - _BOTTOM}"

    def whisker(self, x: float, estimate: Estimate) -> list[Stroke]:
        """The interval of an estimate as an upright line with caps; nothing where it is not known."""
        low, high = estimate.low.value, estimate.high.value
        if low is None or high is None:
            return []
        at, caps = self.x(x), (self.y(low), self.y(high))
        ends = "".join(f"M{round(at - _WHISKER, 1)} {cap}h{2 * _WHISKER}" for cap in caps)
        return [Stroke(f"M{at} {caps[0]}V{caps[1]}{ends}", "whisker")]

    def lying_whisker(self, y: float, estimate: Estimate) -> list[Stroke]:
        """The same along the horizontal axis."""
        low, high = estimate.low.value, estimate.high.value
        if low is None or high is None:
            return []
        at, caps = self.y(y), (self.x(low), self.x(high))
        ends = "".join(f"M{cap} {round(at - _WHISKER, 1)}v{2 * _WHISKER}" for cap in caps)
        return [Stroke(f"M{caps[0]} {at}H{caps[1]}{ends}", "whisker")]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values that span low to high."""
    if not high > low:
        high = low + 1.0
    raw = (high - low) / about
    power = 10 ** math.floor(math.log10(raw))
    step = next(size * power for size in _STEPS if size * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def tick_text(value: float, unit: str = "") -> str:
    """A round value as the label of an axis."""
    return f"{value:g}{unit}".replace("-", "−")


def extremes(estimates: Iterable[Estimate | Figure], *more: float) -> tuple[float, float]:
    """The lowest and the highest of known means, ends and further values."""
    values = list(more)
    for entry in estimates:
        figures = (entry.mean, entry.low, entry.high) if isinstance(entry, Estimate) else (entry,)
        values += [figure.value for figure in figures if figure.value is not None]
    return (min(values), max(values)) if values else (0.0, 1.0)


def level_axis(frame: Frame, marks: Sequence[float], unit: str = "") -> tuple[list[Stroke], list[Label]]:
    """Lines across at round values, and their labels at the left."""
    strokes = [Stroke(frame.across(mark), "zero" if mark == 0 else "grid") for mark in marks]
    labels = [Label(frame.left - 6, frame.y(mark) + 4, tick_text(mark, unit), "end") for mark in marks]
    return strokes, labels


def bottom_labels(frame: Frame, entries: Iterable[tuple[float, str]]) -> list[Label]:
    """Texts below the horizontal axis."""
    return [Label(frame.x(value), frame.height - 10, text) for value, text in entries]
