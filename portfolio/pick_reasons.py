"""Why a share was picked: the parts of its score with their weights, and its figures beside the thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings

from stocks import screening
from stocks.filters import Filters
from stocks.models import StockMetrics


@dataclass(frozen=True)
class ScorePart:
    """One part of a score: its value 0-1 (None where the input was missing) and the weight it counts with, 0-1."""

    name: str
    value: float | None
    weight: float


@dataclass(frozen=True)
class Bound:
    """A threshold beside the figure of the pick; `holds` is None where the figure is not known."""

    name: str
    column: str
    is_minimum: bool
    limit: float
    value: float | None

    @property
    def holds(self) -> bool | None:
        """Return whether the figure is inside."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.is_minimum else self.value <= self.limit


def filters() -> Filters:
    """Return the thresholds in force.

    Raises
    ------
    FiltersInvalid
        The file cannot be used; the sentence says what to mend.
    """
    return screening.load_filters(settings.STOCK_FILTERS_FILE, settings.SCREENING_OVERRIDES)


def score_parts(pick: Mapping[str, Any]) -> list[ScorePart]:
    """Return the parts of a pick's score as its reason states them; weights are shared out among the known ones."""
    rule = screening.STRATEGIES[pick["strategy"]]
    stated = screening.stated_parts(pick["reason"] or "", pick["strategy"])
    present = sum(weight for name, (weight, _) in rule.parts.items() if name in stated)
    if not present:
        return []
    return [
        ScorePart(name, stated.get(name), weight / present if name in stated else 0.0)
        for name, (weight, _) in rule.parts.items()
    ]


def bounds(pick: Mapping[str, Any], known: Filters) -> list[Bound]:
    """Return the strategy's thresholds beside the figures of a pick."""
    return [
        Bound(screening.figure_name(one.column), one.column, one.is_minimum, one.value, pick.get(one.column))
        for one in known.of(pick["strategy"])
    ]


def with_dated_figures(picks: Sequence[dict[str, Any]], session: date) -> list[dict[str, Any]]:
    """Add what thresholds look at and picks do not keep, volume and debt to equity, from the session's own facts."""
    found = StockMetrics.objects.filter(date=session, symbol_id__in=[pick["symbol"] for pick in picks])
    facts = {row["symbol_id"]: row for row in found.values("symbol_id", "volume", "debt_to_equity")}
    nothing = {"volume": None, "debt_to_equity": None}
    return [pick | nothing | facts.get(pick["symbol"], {}) for pick in picks]
