"""The plots of a backtest: its value beside the yardsticks, its drawdown, and two backtests in one picture."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from portfolio.pages.figures.plot import (
    Dot,
    Frame,
    Label,
    Plot,
    Stroke,
    bottom_labels,
    level_axis,
    ticks,
)

Curve = Sequence[tuple[str, float]]
"""Day (ISO) and value of each session, ascending."""

_LABELS: Final = 6


class Line(NamedTuple):
    """A curve to draw: CSS class and words of its key."""

    kind: str
    words: str
    curve: Curve


def gains(curve: Sequence[Sequence[str]]) -> list[tuple[str, float]]:
    """Percent gained since the first day, of stored (day, value) pairs."""
    start = float(curve[0][1]) if curve else 1.0
    return [(day, (float(value) / start - 1) * 100) for day, value in curve]


def drawdowns(curve: Sequence[Sequence[str]]) -> list[tuple[str, float]]:
    """Percent below the highest value so far, of stored (day, value) pairs."""
    highest, falls = 0.0, []
    for day, text in curve:
        highest = max(highest, float(text))
        falls.append((day, (float(text) / highest - 1) * 100 if highest else 0.0))
    return falls


def lines_plot(name: str, title: str, lines: Sequence[Line]) -> Plot | None:
    """Curves in percent over the days that any has; None for fewer than two days."""
    days = sorted({day for line in lines for day, _ in line.curve})
    if len(days) < 2:
        return None
    places = {day: float(number) for number, day in enumerate(days)}
    values = [value for line in lines for _, value in line.curve]
    marks = ticks(min(*values, 0.0), max(*values, 0.0))
    frame = Frame(0, len(days) - 1, marks[0], marks[-1])
    grid, labels = level_axis(frame, marks, " %")
    # The first one is drawn last, above the others.
    drawn = [line for line in reversed(lines) if len(line.curve) > 1]
    strokes = [Stroke(frame.line((places[day], value) for day, value in line.curve), line.kind) for line in drawn]
    ends = [Dot(frame.x(places[line.curve[-1][0]]), frame.y(line.curve[-1][1]), line.kind) for line in drawn]
    by_day = [dict(line.curve) for line in lines]
    return Plot(
        name,
        title,
        f"From {days[0]} to {days[-1]}, at the end: "
        + ", ".join(f"{line.words} {_percent(line.curve[-1][1])}" for line in lines if line.curve)
        + ".",
        [*grid, *strokes],
        [],
        ends,
        [*labels, *_quarters(frame, days)],
        [(line.kind, line.words) for line in lines],
        ["Last session of the month", *(line.words for line in lines)],
        [(day, *(_percent(values.get(day)) for values in by_day)) for day in _month_ends(days)],
    )


def value_plot(
    equity: Sequence[Sequence[str]], yardsticks: Mapping[str, Sequence[Sequence[str]] | None]
) -> Plot | None:
    """The list's gain beside that of its yardsticks, from the same capital."""
    named = (("equal_weight", "plain", "all tradable shares"), ("niftybees", "fund", "NIFTYBEES"))
    others = [(kind, words, yardsticks.get(name)) for name, kind, words in named]
    lines = [Line(kind, words, gains(curve)) for kind, words, curve in others if curve]
    return lines_plot("value", "Gained since the first session", [Line("model", "the list", gains(equity)), *lines])


def drawdown_plot(equity: Sequence[Sequence[str]]) -> Plot | None:
    """How far the list lay below its highest value so far."""
    return lines_plot("drawdown", "Below the highest value so far", [Line("model", "the list", drawdowns(equity))])


def _quarters(frame: Frame, days: Sequence[str]) -> list[Label]:
    """The first session of each quarter, thinned out to fit."""
    firsts = [
        (number, day)
        for number, day in enumerate(days)
        if number and day[:7] != days[number - 1][:7] and day[5:7] in ("01", "04", "07", "10")
    ]
    step = -(-len(firsts) // _LABELS) or 1
    return bottom_labels(frame, ((float(number), day[:7]) for number, day in firsts[::step]))


def _month_ends(days: Sequence[str]) -> list[str]:
    after = [*days[1:], ""]
    return [day for day, following in zip(days, after, strict=True) if day[:7] != following[:7]]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f} %".replace("-", "−")
