"""The plots of the model card, each None where its figures are not stored."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from ml.model_card.figure import Estimate, Figure
from ml.model_card.reading import Chance, Experiment, Group, ListFigures, Month, Period, Point
from portfolio.pages.figures.plot import (
    WIDTH,
    Box,
    Dot,
    Frame,
    Label,
    Plot,
    Stroke,
    bottom_labels,
    extremes,
    level_axis,
    tick_text,
    ticks,
)

_BAR: Final = 0.56
_ROW_HEIGHT: Final = 26
_NAMES_WIDTH: Final = 138
_INTERVAL_KEY: Final = ("whisker", "interval")


def cumulative_plot(model: Sequence[Point], baseline: Sequence[Point]) -> Plot | None:
    """Cumulative net excess of the fifty best shares, beside the plain baseline on the sessions that both have."""
    known = [point for point in model if point.total.value is not None]
    if len(known) < 2:
        return None
    places = {point.day: number for number, point in enumerate(known)}
    others = [point for point in baseline if point.day in places and point.total.value is not None]
    marks = ticks(*extremes([point.total for point in (*known, *others)], 0.0))
    frame = Frame(0, len(known) - 1, marks[0], marks[-1])
    grid, labels = level_axis(frame, marks, " %")
    strokes = [Stroke(frame.line((places[point.day], point.total.value or 0.0) for point in others), "plain")]
    strokes = [*grid, *(strokes if len(others) > 1 else ()), Stroke(frame.line(_numbered(known)), "model")]
    starts = _half_year_starts(known)
    last = known[-1]
    keys = [("model", "the model"), ("plain", "plain baseline"), ("zero", "average share")]
    by_day = {point.day: point.total for point in others}
    unknown = Figure("", None, last.total.style)
    return Plot(
        "cumulative",
        "Gained over the average share",
        f"Sum of the net excess of the fifty best shares, in percent of what is invested, from {known[0].day} to"
        f" {last.day}: {last.total.text} at the end.",
        strokes,
        [],
        [Dot(frame.x(len(known) - 1), frame.y(last.total.value or 0.0), "model")],
        [*labels, *bottom_labels(frame, starts)],
        keys if len(others) > 1 else [keys[0], keys[2]],
        ["Last session of the month", "Model", "Plain baseline"],
        [(point.day, point.total, by_day.get(point.day, unknown)) for point in _month_ends(known)],
    )


def _numbered(points: Sequence[Point]) -> list[tuple[float, float]]:
    return [(float(number), point.total.value or 0.0) for number, point in enumerate(points)]


def _half_year_starts(points: Sequence[Point]) -> list[tuple[float, str]]:
    """The first session of each half-year that the points reach from its beginning on."""
    starts = []
    for number, (before, point) in enumerate(pairwise(points), 1):
        if _half_year(before.day) != _half_year(point.day):
            starts.append((float(number), f"{'Jan' if point.day[5:7] == '01' else 'Jul'} {point.day[:4]}"))
    return starts


def _half_year(day: str) -> tuple[str, bool]:
    return day[:4], day[5:7] > "06"


def _month_ends(points: Sequence[Point]) -> list[Point]:
    return [
        point
        for point, after in zip(points, [*points[1:], None], strict=True)
        if after is None or after.day[:7] != point.day[:7]
    ]


def half_years_plot(periods: Sequence[Period]) -> Plot | None:
    """Net excess of each half-year with its interval, and the plain baseline's."""
    if not any(period.net.mean.value is not None for period in periods):
        return None
    marks = ticks(*extremes([entry for period in periods for entry in (period.net, period.baseline)], 0.0))
    frame = Frame(-0.5, len(periods) - 0.5, marks[0], marks[-1])
    strokes, labels = level_axis(frame, marks, " %")
    boxes, dots = [], []
    for number, period in enumerate(periods):
        if period.net.mean.value is not None:
            boxes.append(_bar(frame, number, period.net.mean.value))
            strokes += frame.whisker(number, period.net)
        if period.baseline.mean.value is not None:
            dots.append(Dot(frame.x(number), frame.y(period.baseline.mean.value), "plain"))
    keys = [("gain", "the model"), _INTERVAL_KEY, ("plain", "plain baseline")]
    return Plot(
        "half-years",
        "Net of costs by half-year",
        "Net excess of the fifty best shares, percent a year: "
        + ", ".join(f"{period.name} {period.net.mean.text}" for period in periods)
        + ".",
        strokes,
        boxes,
        dots,
        [*labels, *bottom_labels(frame, ((number, period.name) for number, period in enumerate(periods)))],
        keys if dots else keys[:2],
        ["Half-year", "Model", "Plain baseline", "Rank correlation"],
        [(period.name, period.net, period.baseline, period.rank_ic) for period in periods],
    )


def _bar(frame: Frame, number: int, value: float) -> Box:
    left, right = frame.x(number - _BAR / 2), frame.x(number + _BAR / 2)
    upper, lower = sorted((frame.y(value), frame.y(0.0)))
    return Box(left, upper, round(right - left, 1), round(lower - upper, 1), "gain" if value >= 0 else "loss")


def groups_plot(groups: Sequence[Group]) -> Plot | None:
    """Expected excess of each group of places against the one that came."""
    if not groups:
        return None
    marks = ticks(*extremes([entry for group in groups for entry in (group.came, group.expected)], 0.0))
    frame = Frame(-0.5, len(groups) - 0.5, marks[0], marks[-1])
    strokes, labels = level_axis(frame, marks, " %")
    boxes, dots = [], []
    for number, group in enumerate(groups):
        if group.came.mean.value is not None:
            boxes.append(_bar(frame, number, group.came.mean.value))
            strokes += frame.whisker(number, group.came)
        if group.expected.value is not None:
            dots.append(Dot(frame.x(number), frame.y(group.expected.value), "model"))
    return Plot(
        "groups",
        "Expected against what came",
        "Excess over ten sessions by place: "
        + ", ".join(f"{group.name} expected {group.expected.text}, came {group.came.mean.text}" for group in groups)
        + ".",
        strokes,
        boxes,
        dots,
        [*labels, *bottom_labels(frame, ((number, group.name) for number, group in enumerate(groups)))],
        [("gain", "came"), _INTERVAL_KEY, ("model", "expected")],
        ["Places", "Expected", "Came", "Within two errors"],
        [(group.name, group.expected, group.came, _yes_no(group.is_within)) for group in groups],
    )


def _yes_no(is_so: bool | None) -> str:
    return "–" if is_so is None else "yes" if is_so else "no"


def reliability_plot(chances: Sequence[Chance]) -> Plot | None:
    """How often the shares of each tenth of stated probabilities beat the median share."""
    known = [chance for chance in chances if chance.stated.value is not None and chance.came.mean.value is not None]
    if len(known) < 2:
        return None
    marks = ticks(*extremes([entry for chance in known for entry in (chance.stated, chance.came)]))
    frame = Frame(marks[0], marks[-1], marks[0], marks[-1])
    strokes = [Stroke(frame.across(mark), "grid") for mark in marks]
    strokes.append(Stroke(frame.line([(marks[0], marks[0]), (marks[-1], marks[-1])]), "zero"))
    for chance in known:
        strokes += frame.whisker(chance.stated.value or 0.0, chance.came)
    dots = [
        Dot(frame.x(chance.stated.value or 0.0), frame.y(chance.came.mean.value or 0.0), "model") for chance in known
    ]
    left = [Label(frame.left - 6, frame.y(mark) + 4, _share(mark), "end") for mark in marks]
    return Plot(
        "reliability",
        "Stated probability against what came",
        f"Chance to beat the day's median share: stated {known[0].stated.text} came {known[0].came.mean.text}, stated"
        f" {known[-1].stated.text} came {known[-1].came.mean.text}.",
        strokes,
        [],
        dots,
        [*left, *bottom_labels(frame, ((mark, _share(mark)) for mark in marks))],
        [("model", "a tenth of all statements"), _INTERVAL_KEY, ("zero", "perfect")],
        ["Stated", "Came"],
        [(chance.stated, chance.came) for chance in known],
    )


def _share(value: float) -> str:
    return tick_text(round(value * 100, 6), " %")


def coverage_plot(months: Sequence[Month], stated: Figure) -> Plot | None:
    """Share of each month's returns inside their interval, beside the share that was stated."""
    known = [month for month in months if month.inside.value is not None]
    if len(known) < 2 or stated.value is None:
        return None
    marks = ticks(*extremes([month.inside for month in known], stated.value))
    frame = Frame(0, len(known) - 1, marks[0], marks[-1])
    strokes = [Stroke(frame.across(mark), "grid") for mark in marks]
    strokes += [
        Stroke(frame.across(stated.value), "zero"),
        Stroke(frame.line((float(number), month.inside.value or 0.0) for number, month in enumerate(known)), "model"),
    ]
    dots = [Dot(frame.x(number), frame.y(month.inside.value or 0.0), "model") for number, month in enumerate(known)]
    left = [Label(frame.left - 6, frame.y(mark) + 4, _share(mark), "end") for mark in marks]
    ends = [(float(number), known[number].name) for number in (0, len(known) - 1)]
    worst = min(known, key=lambda month: month.inside.value or 0.0)
    return Plot(
        "coverage",
        "Inside the stated interval, by month",
        f"Share of the returns inside the interval of {stated.text}: the worst of {len(known)} months is {worst.name}"
        f" with {worst.inside.text}.",
        strokes,
        [],
        dots,
        [*left, *_end_labels(frame, ends)],
        [("model", "came"), ("zero", "stated")],
        ["Month", "Inside"],
        [(month.name, month.inside) for month in known],
    )


def _end_labels(frame: Frame, ends: Sequence[tuple[float, str]]) -> list[Label]:
    (first, opening), (last, closing) = ends
    height = frame.height - 10
    return [Label(frame.x(first), height, opening, "start"), Label(frame.x(last), height, closing, "end")]


def ablations_plot(rows: Sequence[Experiment]) -> Plot | None:
    """What the linear part loses without each group of features, percent a year."""
    pairs = [(row.name.removeprefix("without "), row.paired) for row in rows if row.paired.mean.value is not None]
    return _lying(
        "ablations",
        "Without a group of features",
        "Net excess of the linear part without a group of features less that with all, percent a year: ",
        pairs,
        "Left out",
    )


def lists_plot(rows: Sequence[ListFigures]) -> Plot | None:
    """Net excess of each list with its interval, percent a year."""
    return _lying(
        "lists",
        "What each list would have earned",
        "Net excess of each list, percent a year: ",
        [(row.name.capitalize(), row.net) for row in rows if row.net.mean.value is not None],
        "List",
    )


def _lying(name: str, title: str, words: str, pairs: Sequence[tuple[str, Estimate]], column: str) -> Plot | None:
    """Estimates below each other with lying intervals."""
    if not pairs:
        return None
    marks = ticks(*extremes([estimate for _, estimate in pairs], 0.0))
    height = 44 + _ROW_HEIGHT * len(pairs)
    frame = Frame(marks[0], marks[-1], len(pairs) - 0.5, -0.5, _NAMES_WIDTH, height)
    strokes = [Stroke(frame.upright(mark), "zero" if mark == 0 else "grid") for mark in marks]
    for number, (_, estimate) in enumerate(pairs):
        strokes += frame.lying_whisker(number, estimate)
    return Plot(
        name,
        title,
        words + ", ".join(f"{label} {estimate.mean.text}" for label, estimate in pairs) + ".",
        strokes,
        [],
        [Dot(frame.x(estimate.mean.value or 0.0), frame.y(n), "model") for n, (_, estimate) in enumerate(pairs)],
        [
            *(Label(_NAMES_WIDTH - 8, frame.y(n) + 4, label, "end") for n, (label, _) in enumerate(pairs)),
            *bottom_labels(frame, ((mark, tick_text(mark, " %")) for mark in marks)),
        ],
        [("model", "mean"), _INTERVAL_KEY],
        [column, "Percent a year"],
        [(label, estimate) for label, estimate in pairs],
        WIDTH,
        height,
    )
