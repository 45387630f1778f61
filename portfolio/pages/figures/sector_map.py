"""The sectors as a tree map: area by market cap, colour by the median share's move."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from portfolio.pages.figures.breadth import Sector
from portfolio.pages.figures.tree_map import Rectangle, rectangles

WIDE: Final = (960.0, 440.0)
TALL: Final = (340.0, 520.0)
# Median moves in percent per square root of sessions, from which each of the three strengths of colour applies.
_STEPS: Final = (0.25, 0.75, 1.5)
_LETTER_WIDTH: Final = 8.2
_SMALLEST_WITH_TEXT: Final = (54.0, 40.0)


@dataclass(frozen=True)
class Box:
    """One sector's rectangle; `shade` is a CSS class such as up-2, flat or unknown, `label` its name cut to fit."""

    sector: Sector
    place: Rectangle
    shade: str
    label: str
    move_pct: float | None

    @property
    def has_text(self) -> bool:
        """Whether label and move fit into the rectangle."""
        return self.place.width >= _SMALLEST_WITH_TEXT[0] and self.place.height >= _SMALLEST_WITH_TEXT[1]


def sector_map(
    sectors: Sequence[Sector], horizon: int, sessions: int = 1, size: tuple[float, float] = WIDE
) -> list[Box]:
    """Boxes of the sectors whose market cap is known, largest first, as they are given.

    ``horizon`` is an index into each sector's moves, which grow with about the square root of its length in sessions.
    """
    sized = [sector for sector in sectors if sector.market_cap_crores]
    places = rectangles([sector.market_cap_crores or 0.0 for sector in sized], *size)
    return [
        _box(sector, place, sector.moves[horizon].median_pct, sessions)
        for sector, place in zip(sized, places, strict=True)
    ]


def _box(sector: Sector, place: Rectangle, move_pct: float | None, sessions: int) -> Box:
    letters = int((place.width - 16) / _LETTER_WIDTH)
    label = sector.name if len(sector.name) <= letters else sector.name[: max(letters - 1, 1)].rstrip() + "…"
    return Box(sector, place, shade(move_pct, sessions), label, move_pct)


def flat_pct(sessions: int) -> float:
    """Smallest move in percent that is coloured, over this many sessions."""
    return float(_STEPS[0] * sessions**0.5)


def shade(move_pct: float | None, sessions: int) -> str:
    """CSS class of a move: up-1 … up-3, down-1 … down-3, flat, or unknown."""
    if move_pct is None:
        return "unknown"
    scaled = abs(move_pct) / sessions**0.5
    strength = sum(scaled >= step for step in _STEPS)
    return f"{'up' if move_pct > 0 else 'down'}-{strength}" if strength else "flat"
