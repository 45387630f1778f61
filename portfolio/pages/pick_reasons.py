"""Why a share was picked: the parts of its score with their weights, and its figures beside the thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings

from stocks.models import StockMetrics
from stocks.picks import screening
from stocks.picks.filters import Filters


@dataclass(frozen=True)
class ScorePart:
    """One part of a score: its value 0-1 (None where the input was missing) and the weight it counts with, 0-1."""

    name: str
    value: float | None
    weight: float


@dataclass(frozen=True)
class Bound:
    """The thresholds on one figure beside the figure of the pick; a side without a threshold is None."""

    name: str
    column: str
    low: float | None
    high: float | None
    value: float | None

    @property
    def holds(self) -> bool | None:
        """Return whether the figure is inside, None where it is not known."""
        if self.value is None:
            return None
        return (self.low is None or self.value >= self.low) and (self.high is None or self.value <= self.high)

    @property
    def is_count(self) -> bool:
        """Return whether the figure is written without decimals."""
        return self.column in ("volume", "market_cap")


def filters() -> Filters:
    """Return the thresholds in force.

    Raises
    ------
    FiltersInvalid
        The file cannot be used; the sentence says what to mend.
    """
    return screening.load_filters(settings.STOCK_FILTERS_FILE, settings.SCREENING_OVERRIDES)


def score_parts(pick: Mapping[str, Any]) -> list[ScorePart]:
    """Parts of a pick's score; the known ones share out the weight of those whose input was missing."""
    rule = screening.STRATEGIES[pick["strategy"]]
    values = pick["score_parts"] or {}
    present = sum(weight for name, (weight, _) in rule.parts.items() if name in values)
    if not present:
        return []
    return [
        ScorePart(name, values.get(name), weight / present if name in values else 0.0)
        for name, (weight, _) in rule.parts.items()
    ]


def bounds(pick: Mapping[str, Any], known: Filters) -> list[Bound]:
    """Return the strategy's thresholds beside the figures of a pick, one entry a figure."""
    lows: dict[str, float] = {}
    highs: dict[str, float] = {}
    for one in known.of(pick["strategy"]):
        (lows if one.is_minimum else highs)[one.column] = one.value
    columns = dict.fromkeys(one.column for one in known.of(pick["strategy"]))
    return [
        Bound(screening.figure_name(column), column, lows.get(column), highs.get(column), pick.get(column))
        for column in columns
    ]


def with_dated_figures(picks: Sequence[dict[str, Any]], session: date) -> list[dict[str, Any]]:
    """Add what thresholds look at and picks do not keep, volume and debt to equity, from the session's own facts."""
    found = StockMetrics.objects.filter(date=session, symbol_id__in=[pick["symbol"] for pick in picks])
    facts = {row["symbol_id"]: row for row in found.values("symbol_id", "volume", "debt_to_equity")}
    nothing = {"volume": None, "debt_to_equity": None}
    return [pick | nothing | facts.get(pick["symbol"], {}) for pick in picks]
