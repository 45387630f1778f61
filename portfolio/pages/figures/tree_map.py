"""A tree map: rectangles with areas in proportion to sizes, as square as possible.

Squarified tree map of Bruls, Huizing and van Wijk (2000): rows are laid along the shorter side of the remaining box,
and a row takes the next size as long as its worst aspect ratio does not get worse.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rectangle:
    """A rectangle in the units of the picture."""

    x: float
    y: float
    width: float
    height: float


def rectangles(sizes: Sequence[float], width: float, height: float) -> list[Rectangle]:
    """One rectangle per size, largest first, together filling a box.

    Raises
    ------
    ValueError
        A size is not above 0.
    """
    if any(not size > 0 for size in sizes):
        raise ValueError("Every size of a tree map must be above 0; leave out items without one.")
    scale = width * height / sum(sizes) if sizes else 0.0
    areas = [size * scale for size in sizes]
    placed: list[Rectangle] = []
    box = Rectangle(0.0, 0.0, width, height)
    while areas:
        count = _row_length(areas, min(box.width, box.height))
        row, box = _row_and_rest(areas[:count], box)
        placed += row
        areas = areas[count:]
    return placed


def _row_length(areas: Sequence[float], side: float) -> int:
    """Number of areas that make the best next row along a side."""
    best = 1
    while best < len(areas) and _worst_aspect(areas[: best + 1], side) <= _worst_aspect(areas[:best], side):
        best += 1
    return best


def _worst_aspect(row: Sequence[float], side: float) -> float:
    """Largest ratio of long to short side in a row."""
    total = sum(row)
    return max(max(side**2 * area / total**2, total**2 / (side**2 * area)) for area in row)


def _row_and_rest(row: Sequence[float], box: Rectangle) -> tuple[list[Rectangle], Rectangle]:
    """Rectangles of a row along the shorter side of a box, and the rest of the box."""
    total = sum(row)
    placed: list[Rectangle] = []
    if box.width >= box.height:
        thickness, y = total / box.height, box.y
        for area in row:
            placed.append(Rectangle(box.x, y, thickness, area / thickness))
            y += area / thickness
        return placed, Rectangle(box.x + thickness, box.y, box.width - thickness, box.height)
    thickness, x = total / box.width, box.x
    for area in row:
        placed.append(Rectangle(x, box.y, area / thickness, thickness))
        x += area / thickness
    return placed, Rectangle(box.x, box.y + thickness, box.width, box.height - thickness)
