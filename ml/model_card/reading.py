"""What a stored report says, in the order in which it is shown; pure.

A report is the JSON of ``stored_report`` or of the walk-forward report; of an older one, figures are unknown that it
did not compute yet. Stored JSON has no order of keys: every order is made here.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from ml.model_card.figure import Estimate, Figure, Part

RANK_GROUPS: Final = ("1-10", "11-20", "21-50", "51-150", "151-300", "rest")
LIST_PLACES: Final = "50"
MODEL_LIST: Final = "model"
SKILL: Final = "skill_above_noise"


class Headline(NamedTuple):
    """One of the figures that a reader wants first, with what it means."""

    key: str
    name: str
    figure: Estimate
    sentence: str


_LIST, _STATED = ("lengths", LIST_PLACES), ("expectations",)
# Key, name, style, place in a report's row (skill above noise: in the model's metrics), meaning.
_HEADLINES: Final[Sequence[tuple[str, str, str, tuple[str, ...], str]]] = (
    (
        *("net_excess_pct", "Net of costs, a year", "yearly", ("net_excess_pct",)),
        "What the fifty best shares earned over the average share, after charges and impact.",
    ),
    (
        *("liquid_net_excess_pct", "The same above ₹10 crore", "yearly", ("liquid_net_excess_pct",)),
        "Chosen among the shares alone that trade more than ₹10 crore a day.",
    ),
    (
        *("rank_ic", "Rank correlation", "correlation", ("heads", "rank", "rank_ic")),
        "How well the whole order of a day agrees with what came: 0 is chance, 1 is perfect, 0.05 is good.",
    ),
    (
        *(SKILL, "Skill above noise", "correlation", ()),
        "The rank correlation of the last year less that of models which were taught nothing.",
    ),
    (
        *("expected_above_costs", "Days above costs", "share", (*_STATED, "excess", "first_50_over_costs")),
        "Days on which the fifty best were expected to earn more than buying and selling them costs.",
    ),
    (
        *("calibration_error", "Calibration error", "error", (*_STATED, "probability", "calibration_error")),
        "Mean distance of the stated probability from what came; 0 is perfect.",
    ),
    (
        *("coverage", "Inside the interval", "share", (*_STATED, "interval", "pooled")),
        "Returns that fell inside the interval stated for eight cases of ten.",
    ),
    (
        *("target_reached", "Target reached", "share", (*_STATED, "levels", "target", "came")),
        "Shares whose price reached its target within the ten sessions.",
    ),
    (
        *("stop_undercut", "Stop undercut", "share", (*_STATED, "levels", "stop", "came")),
        "Shares whose price fell below its stop within the ten sessions.",
    ),
    (
        *("deepest_fall_pct", "Deepest fall", "cost", ("deepest_fall_pct",)),
        "The largest loss against the average share, from a height to the low after it.",
    ),
    (
        *("capacity", "Capacity", "rupees", (*_LIST, "capacity", "half_of_orders")),
        "Money that the list can hold while half of its orders stay below 1 % of a share's daily turnover.",
    ),
    (
        *("cost_pct", "Costs, a year", "cost", (*_LIST, "cost_pct")),
        "Charges and impact of the list of fifty, in percent of what is invested.",
    ),
)


def headlines(row: Part, skill: Part) -> list[Headline]:
    """The figures that matter first; ``row`` is a report's row of a recipe, ``skill`` a model's skill above noise."""
    return [
        Headline(key, name, _figure(skill if key == SKILL else row.at(*place), style), sentence)
        for key, name, style, place, sentence in _HEADLINES
    ]


def _figure(part: Part, style: str) -> Estimate:
    """A stored estimate, or a number that is stored without an interval."""
    if part.names() or part.content is None:
        return part.estimate(style)
    none = Figure("", None, style)
    return Estimate(part.figure(style), none, none, 90)


class Period(NamedTuple):
    """A half-year: its order and its money, and the money of the plain baseline where it is stored."""

    name: str
    rank_ic: Estimate
    net: Estimate
    baseline: Estimate


def half_years(row: Part, baseline: Part) -> list[Period]:
    """Every half-year of a row, the weak ones too, ascending."""
    parts, others = row.at("segments", "half_year"), baseline.at("segments", "half_year")
    return [
        Period(
            name,
            parts.estimate("correlation", name, "rank_ic"),
            parts.estimate("yearly", name, "net_excess_pct"),
            others.estimate("yearly", name, "net_excess_pct"),
        )
        for name in sorted(parts.names())
    ]


class Group(NamedTuple):
    """A group of places: the excess that was expected of it and the one that came, in percent of ten sessions."""

    name: str
    expected: Figure
    came: Estimate
    is_within: bool | None


def rank_groups(row: Part) -> list[Group]:
    """Expected against what came, the best places first."""
    groups = row.at("expectations", "excess", "groups")
    return [
        Group(
            "rest" if name == "rest" else name.replace("-", "–"),
            groups.figure("move", name, "expected_pct"),
            groups.estimate("move", name, "came_pct"),
            groups.at(name, "within_two_errors").content,
        )
        for name in RANK_GROUPS
        if groups.at(name)
    ]


class Chance(NamedTuple):
    """A tenth of all stated probabilities, and how often its shares beat the day's median share."""

    stated: Figure
    came: Estimate


def reliability(row: Part) -> list[Chance]:
    """Stated against what came, ascending."""
    curve = row.at("expectations", "probability", "curve")
    count = len(curve.content) if isinstance(curve.content, list) else 0
    return [
        Chance(curve.figure("share", number, "stated"), curve.estimate("share", number, "came"))
        for number in range(count)
    ]


class Month(NamedTuple):
    """The share of a month's returns that fell inside their interval."""

    name: str
    inside: Figure


def coverage_by_month(row: Part) -> list[Month]:
    months = row.at("expectations", "interval", "by_month")
    return [Month(name, months.figure("share", name)) for name in sorted(months.names())]


class Level(NamedTuple):
    """A level with its stated chance, and how often it was reached: by all shares, and by the first fifty."""

    name: str
    stated: Figure
    came: Estimate
    came_first_50: Estimate


def levels(row: Part) -> list[Level]:
    parts = row.at("expectations", "levels")
    return [
        Level(
            name,
            parts.figure("share", name, "stated"),
            parts.estimate("share", name, "came"),
            parts.estimate("share", name, "came_first_50"),
        )
        for name in ("target", "stop")
        if parts.at(name)
    ]


class Trial(NamedTuple):
    """The money of a part of the market, or under another assumption."""

    name: str
    net: Estimate
    liquid: Estimate
    rank_ic: Estimate


_STRESS: Final = {"impact_doubled": "Orders move prices twice as much", "entry_late": "Bought one session later"}
_TERCILES: Final = ("least traded", "middle", "most traded")


def stress(row: Part) -> list[Trial]:
    """What would be left if trading were harder."""
    parts = row.at("stress")
    return [
        Trial(
            title,
            parts.estimate("yearly", name, "net_excess_pct"),
            parts.estimate("yearly", name, "liquid_net_excess_pct"),
            parts.estimate("correlation", name, "rank_ic"),
        )
        for name, title in _STRESS.items()
        if parts.at(name)
    ]


def thirds(row: Part) -> list[Trial]:
    """The thirds of the market by turnover, each chosen and measured among its own shares."""
    parts = row.at("segments", "liquidity")
    return [
        Trial(
            f"Third of the shares: {name}",
            parts.estimate("yearly", name, "net_excess_pct"),
            parts.estimate("yearly", name, "liquid_net_excess_pct"),
            parts.estimate("correlation", name, "rank_ic"),
        )
        for name in _TERCILES
        if parts.at(name)
    ]


class ListFigures(NamedTuple):
    """What a strategy's list would have earned; ``against_model`` is what its thresholds and weights gain or cost."""

    name: str
    net: Estimate
    against_model: Estimate
    bought: Estimate
    cost: Estimate
    fall: Figure
    shares: Figure
    sessions: Figure
    without: Figure
    first: str
    last: str

    @property
    def is_model(self) -> bool:
        return self.name == MODEL_LIST


def lists(parts: Part, names: Sequence[str]) -> list[ListFigures]:
    """The figures of the lists that have any, in the order of ``names``; ``parts`` is list → ``lists.lists``."""
    return [_list(name, parts.at(name)) for name in names if parts.figure("count", name, "sessions").value]


def _list(name: str, part: Part) -> ListFigures:
    return ListFigures(
        name,
        part.estimate("yearly", "net_excess_pct"),
        part.estimate("yearly", "paired"),
        part.estimate("share", "bought"),
        part.estimate("cost", "cost_pct"),
        part.figure("cost", "deepest_fall_pct"),
        part.figure("count", "shares"),
        part.figure("count", "sessions"),
        part.figure("count", "without_list"),
        part.text("first"),
        part.text("last"),
    )


class Length(NamedTuple):
    """The money of the first places, held until a rank."""

    places: str
    kept_until: Figure
    gross: Estimate
    cost: Estimate
    net: Estimate
    bought: Estimate
    fall: Figure
    every_order: Figure
    half_of_orders: Figure


def lengths(row: Part) -> list[Length]:
    parts = row.at("lengths")
    return [_length(name, parts.at(name)) for name in sorted(parts.names(), key=int)]


def _length(name: str, part: Part) -> Length:
    return Length(
        name,
        part.figure("count", "kept_until"),
        part.estimate("yearly", "gross_excess_pct"),
        part.estimate("cost", "cost_pct"),
        part.estimate("yearly", "net_excess_pct"),
        part.estimate("share", "bought"),
        part.figure("cost", "deepest_fall_pct"),
        part.figure("rupees", "capacity", "every_order"),
        part.figure("rupees", "capacity", "half_of_orders"),
    )


class Experiment(NamedTuple):
    """A row of a walk-forward report: an estimator, a baseline, or the linear part without a group of features."""

    name: str
    kind: str
    note: str
    rank_ic: Estimate
    net: Estimate
    liquid: Estimate
    paired: Estimate


def experiments(report: Part) -> list[Experiment]:
    """Every estimator and baseline of a report, the best of each kind first, the failures too."""
    rows = report.at("rows")
    unsorted = [_experiment(name, rows.text(name, "kind"), rows.at(name)) for name in rows.names()]
    return sorted(unsorted, key=lambda row: (row.kind != "model", *_falling(row.net)))


def ablations(report: Part) -> list[Experiment]:
    """The linear part with all features, and without each group of them: the most missed group first."""
    rows = report.at("ablations", "rows")
    unsorted = [_experiment(name, "ablation", rows.at(name)) for name in rows.names()]
    return sorted(unsorted, key=lambda row: (row.paired.mean.value is not None, row.paired.mean.value or 0.0))


def _experiment(name: str, kind: str, row: Part) -> Experiment:
    return Experiment(
        name.replace("_", " "),
        kind,
        row.text("note"),
        row.estimate("correlation", "rank_ic"),
        row.estimate("yearly", "net_excess_pct"),
        row.estimate("yearly", "liquid_net_excess_pct"),
        row.estimate("yearly", "paired", "net_excess_pct"),
    )


def _falling(estimate: Estimate) -> tuple[bool, float]:
    return estimate.mean.value is None, -(estimate.mean.value or 0.0)


class Point(NamedTuple):
    """A session of the curve, with the sum of the net excess so far in percent of what is invested."""

    day: str
    total: Figure


def curve(row: Part) -> list[Point]:
    """The cumulative net excess, session by session."""
    days = row.at("curve", "dates").content or []
    return [Point(day, row.figure("cost", "curve", "net_excess_pct", number)) for number, day in enumerate(days)]
