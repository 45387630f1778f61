"""The sectors as a tree map: area by market cap, colour by the median share's move."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from textwrap import wrap
from typing import Final, NamedTuple

from portfolio.pages.figures.breadth import Sector
from portfolio.pages.figures.tree_map import Rectangle, rectangles

WIDE: Final = (960.0, 440.0)
TALL: Final = (340.0, 520.0)
# Median moves in percent per square root of sessions, from which each of the three strengths of colour applies.
_STEPS: Final = (0.25, 0.75, 1.5)
_LETTER_WIDTH: Final = 9.5
_MARGIN: Final = 8
_FIRST_LINE, _LINE_HEIGHT = 20, 17


class Line(NamedTuple):
    """One line of a rectangle's text and how far below its top it stands."""

    text: str
    y: int


@dataclass(frozen=True)
class Box:
    """One sector's rectangle; `shade` is a CSS class such as up-2, flat or unknown.

    `lines` is its name, broken between words, with `move_y` as the place of its move; a name that does not fit has no
    lines but a `key`, a number under which the picture's legend names it.
    """

    sector: Sector
    place: Rectangle
    shade: str
    lines: tuple[Line, ...]
    move_pct: float | None
    key: int | None = None

    @property
    def move_y(self) -> int:
        return _FIRST_LINE + _LINE_HEIGHT * len(self.lines)

    @property
    def is_tiny(self) -> bool:
        """Whether the key needs small letters."""
        return min(self.place.width, self.place.height) < _LINE_HEIGHT


@dataclass(frozen=True)
class Swatch:
    """One colour of the scale and the moves that it stands for."""

    shade: str
    words: str


def sector_map(
    sectors: Sequence[Sector], horizon: int, sessions: int = 1, size: tuple[float, float] = WIDE
) -> list[Box]:
    """Boxes of the sectors whose market cap is known, largest first, as they are given.

    ``horizon`` is an index into each sector's moves, which grow with about the square root of its length in sessions.
    """
    sized = [sector for sector in sectors if sector.market_cap_crores]
    places = rectangles([sector.market_cap_crores or 0.0 for sector in sized], *size)
    keys = count(1)
    boxes = []
    for sector, place in zip(sized, places, strict=True):
        move_pct, lines = sector.moves[horizon].median_pct, _lines(sector.name, place)
        boxes.append(Box(sector, place, shade(move_pct, sessions), lines, move_pct, None if lines else next(keys)))
    return boxes


def _lines(name: str, place: Rectangle) -> tuple[Line, ...]:
    """A name in lines of whole words that leave room for the move below them; empty where it does not fit."""
    letters = int((place.width - 2 * _MARGIN) / _LETTER_WIDTH)
    wrapped = wrap(name, letters, break_long_words=False, break_on_hyphens=False) if letters > 0 else []
    needed = _FIRST_LINE + _LINE_HEIGHT * len(wrapped) + 3
    if not wrapped or needed > place.height or max(map(len, (*wrapped, "+00.0 %"))) > letters:
        return ()
    return tuple(Line(text, _FIRST_LINE + _LINE_HEIGHT * number) for number, text in enumerate(wrapped))


def scale(sessions: int) -> list[Swatch]:
    """The colours from the deepest fall to the steepest rise, with their moves over this many sessions."""
    first, second, third = (f"{step * sessions**0.5:.2f}" for step in _STEPS)
    ranges = (f"{first} to {second}", f"{second} to {third}", f"over {third}")
    falls = [Swatch(f"down-{strength}", f"−{words} %") for strength, words in enumerate(ranges, 1)]
    rises = [Swatch(f"up-{strength}", f"+{words} %") for strength, words in enumerate(ranges, 1)]
    falls[2], rises[2] = Swatch("down-3", f"below −{third} %"), Swatch("up-3", f"above +{third} %")
    return [*reversed(falls), Swatch("flat", f"within ±{first} %"), *rises]


def shade(move_pct: float | None, sessions: int) -> str:
    """CSS class of a move: up-1 … up-3, down-1 … down-3, flat, or unknown."""
    if move_pct is None:
        return "unknown"
    scaled = abs(move_pct) / sessions**0.5
    strength = sum(scaled >= step for step in _STEPS)
    return f"{'up' if move_pct > 0 else 'down'}-{strength}" if strength else "flat"
