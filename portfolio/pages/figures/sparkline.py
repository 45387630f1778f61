"""A pick's sparkline: the line of its last closes, with target and stop.

Numbers in, coordinates out: the template draws them as SVG attributes, so no inline style is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stocks.units import RUPEES, figure_text

WIDTH: Final = 160
HEIGHT: Final = 44
_MARGIN: Final = 3
# The right end of the picture stands for the ten sessions ahead.
_AHEAD: Final = 28


@dataclass(frozen=True)
class Sparkline:
    """Coordinates in a box of WIDTH × HEIGHT; `points` as of an SVG polyline, `now_x` and `now_y` of the latest close.

    `description` is the text alternative for screen readers.
    """

    points: str
    now_x: float
    now_y: float
    target_y: float | None
    stop_y: float | None
    description: str
    width: int = WIDTH
    height: int = HEIGHT


def sparkline(closes: Sequence[float], target: float | None, stop: float | None) -> Sparkline | None:
    """The sparkline of at least two closes, oldest first, with target and stop, all in ₹; None for fewer."""
    if len(closes) < 2:
        return None
    levels = [level for level in (target, stop) if level is not None]
    low, high = min(*closes, *levels), max(*closes, *levels)
    span = (high - low) or 1.0

    def y(value: float) -> float:
        return round(_MARGIN + (high - value) / span * (HEIGHT - 2 * _MARGIN), 1)

    now_x = WIDTH - _AHEAD
    step = (now_x - _MARGIN) / (len(closes) - 1)
    points = " ".join(f"{_MARGIN + place * step:.1f},{y(close)}" for place, close in enumerate(closes))
    return Sparkline(
        points=points,
        now_x=now_x,
        now_y=y(closes[-1]),
        target_y=None if target is None else y(target),
        stop_y=None if stop is None else y(stop),
        description=_description(closes),
    )


def _description(closes: Sequence[float]) -> str:
    change_pct = (closes[-1] / closes[0] - 1) * 100 if closes[0] else 0.0
    first, last = (figure_text(close, RUPEES) for close in (closes[0], closes[-1]))
    return f"{len(closes)} sessions: from ₹{first} to ₹{last}, {change_pct:+.1f} %"
