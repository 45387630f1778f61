"""The picture of a cumulative return: its line, the line of zero, and the labels of both ends.

Numbers in, coordinates out: the template draws them as SVG attributes, so no inline style is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

WIDTH: Final = 640
HEIGHT: Final = 140
_MARGIN: Final = 6


@dataclass(frozen=True)
class Cumulative:
    """Coordinates in a box of WIDTH × HEIGHT; `points` as of an SVG polyline, `description` for screen readers."""

    points: str
    zero_y: float
    last_x: float
    last_y: float
    first: date
    last: date
    last_pct: float
    low_pct: float
    high_pct: float
    description: str
    width: int = WIDTH
    height: int = HEIGHT


def cumulative(points: Sequence[tuple[date, float]]) -> Cumulative | None:
    """The picture of at least two sessions, ascending, with the sum so far in percent; None for fewer."""
    if len(points) < 2:
        return None
    values = [value for _, value in points]
    low, high = min(*values, 0.0), max(*values, 0.0)
    span = (high - low) or 1.0
    step = (WIDTH - 2 * _MARGIN) / (len(points) - 1)

    def y(value: float) -> float:
        return round(_MARGIN + (high - value) / span * (HEIGHT - 2 * _MARGIN), 1)

    return Cumulative(
        points=" ".join(f"{_MARGIN + place * step:.1f},{y(value)}" for place, value in enumerate(values)),
        zero_y=y(0.0),
        last_x=round(_MARGIN + (len(points) - 1) * step, 1),
        last_y=y(values[-1]),
        first=points[0][0],
        last=points[-1][0],
        last_pct=values[-1],
        low_pct=min(values),
        high_pct=max(values),
        description=(
            f"{len(points)} lists from {points[0][0]} to {points[-1][0]}: {values[-1]:+.2f} %,"
            f" lowest {min(values):+.2f} %, highest {max(values):+.2f} %"
        ),
    )
