"""What an account's value consists of as a tree map: area by value, colour by the gain since the purchase."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from portfolio.pages.figures.sector_map import shade
from portfolio.pages.figures.tree_map import Rectangle, rectangles

WIDE: Final = (960.0, 300.0)
TALL: Final = (340.0, 420.0)
_SESSIONS: Final = 40
"""Steps of colour as of a move over so many sessions: 1.6, 4.7 and 9.5 %."""
_LETTER_WIDTH: Final = 8.2
_SMALLEST_WITH_TEXT: Final = (54.0, 40.0)


@dataclass(frozen=True)
class Part:
    """A share, or the money; `value` in ₹, `gain_pct` None where it is not known."""

    name: str
    value: float
    gain_pct: float | None
    is_cash: bool = False


@dataclass(frozen=True)
class Box:
    """A part's rectangle; `shade` is a CSS class, `label` its name cut to fit, `share` its part of all, 0-1."""

    part: Part
    place: Rectangle
    shade: str
    label: str
    share: float

    @property
    def has_text(self) -> bool:
        return self.place.width >= _SMALLEST_WITH_TEXT[0] and self.place.height >= _SMALLEST_WITH_TEXT[1]


def holdings_map(parts: Sequence[Part], size: tuple[float, float] = WIDE) -> list[Box]:
    """Boxes of parts, largest first, each with a value above 0."""
    total = sum(part.value for part in parts)
    places = rectangles([part.value for part in parts], *size)
    return [_box(part, place, part.value / total) for part, place in zip(parts, places, strict=True)]


def _box(part: Part, place: Rectangle, share: float) -> Box:
    letters = int((place.width - 16) / _LETTER_WIDTH)
    label = part.name if len(part.name) <= letters else part.name[: max(letters - 1, 1)] + "…"
    return Box(part, place, "flat" if part.is_cash else shade(part.gain_pct, _SESSIONS), label, share)
