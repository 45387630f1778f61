"""Why a share was picked: the parts of its score with their weights, and its figures against the thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.conf import settings

from stocks.models import StockMetrics
from stocks.picks import screening
from stocks.picks.filters import Filters

_UNITS: Final = {
    "market_cap": " crore",
    "volume": " shares",
    "macd": " ₹",
    **dict.fromkeys(("roe", "earnings_growth", "revenue_growth"), " %"),
}
_RUPEES: Final = ("current_price", "market_cap")


@dataclass(frozen=True)
class ScorePart:
    """One part of a score: its value 0-1 (None if the input was missing) and its effective weight, 0-1."""

    name: str
    value: float | None
    weight: float


@dataclass(frozen=True)
class Bound:
    """A pick's figure and its thresholds; a side without a threshold is None."""

    name: str
    column: str
    low: float | None
    high: float | None
    value: float | None

    @property
    def is_met(self) -> bool | None:
        """Whether the figure is within the thresholds; None if it is not known."""
        if self.value is None:
            return None
        return (self.low is None or self.value >= self.low) and (self.high is None or self.value <= self.high)

    @property
    def sign(self) -> str:
        """What stands before a threshold."""
        return "₹" if self.column in _RUPEES else ""

    @property
    def unit(self) -> str:
        """What stands after a threshold."""
        return _UNITS.get(self.column, "")

    @property
    def is_count(self) -> bool:
        """Whether the figure is shown without decimals."""
        return self.column in ("volume", "market_cap")


def filters() -> Filters:
    """The thresholds in force; FiltersInvalid says what to correct if the file cannot be used."""
    return screening.load_filters(settings.STOCK_FILTERS_FILE, settings.SCREENING_OVERRIDES)


def score_parts(pick: Mapping[str, Any]) -> list[ScorePart]:
    """Parts of a pick's score; those whose input was missing pass their weight to the others."""
    values = pick["score_parts"] or {}
    weights = screening.effective_weights(pick["strategy"], values)
    if not weights:
        return []
    parts = screening.STRATEGIES[pick["strategy"]].parts
    return [ScorePart(name, values.get(name), weights.get(name, 0.0)) for name in parts]


def bounds(pick: Mapping[str, Any], filters: Filters) -> list[Bound]:
    """The strategy's thresholds with the figures of a pick, one entry per figure."""
    thresholds = screening.thresholds_of(pick["strategy"], filters)
    lows = {threshold.column: threshold.value for threshold in thresholds if threshold.is_minimum}
    highs = {threshold.column: threshold.value for threshold in thresholds if not threshold.is_minimum}
    return [
        Bound(screening.figure_name(column), column, lows.get(column), highs.get(column), pick.get(column))
        for column in dict.fromkeys(threshold.column for threshold in thresholds)
    ]


def with_dated_figures(picks: Sequence[dict[str, Any]], session: date) -> list[dict[str, Any]]:
    """Add volume and debt to equity of the session: thresholds use them, but picks do not store them."""
    metrics = StockMetrics.objects.filter(date=session, symbol_id__in=[pick["symbol"] for pick in picks])
    figures = {row["symbol_id"]: row for row in metrics.values("symbol_id", "volume", "debt_to_equity")}
    unknown = {"volume": None, "debt_to_equity": None}
    return [pick | unknown | figures.get(pick["symbol"], {}) for pick in picks]
