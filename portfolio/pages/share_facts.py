"""What the latest lists say of one share, its range of 52 weeks and its reported quarters; read from what is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pandas as pd

from market_data.models import TechnicalIndicator
from portfolio.pages import pick_reasons
from portfolio.pages.picks_page import with_reasons
from stocks.models import FinancialStatement, Publication, StockMetrics
from stocks.picks import screening
from stocks.picks.filters import Filters, FiltersInvalid
from stocks.picks.queries import newest_publications, published_picks

QUARTERS: Final = 8
_BY_THE_MODEL: Final = "By the model's score it was not among the picks."


@dataclass(frozen=True)
class ListStanding:
    """A share's pick in a list, or why it is not in it."""

    publication: Publication
    pick: Mapping[str, Any] | None
    reason: str


@dataclass(frozen=True)
class YearRange:
    """Lowest low and highest high of the last 52 weeks, adjusted, and where the last close lies between them, 0-1."""

    low: float
    high: float
    at: float
    below_high_pct: float


def list_standings(symbol: str, *, is_kept_out: bool) -> list[ListStanding]:
    """The share in the newest list of each strategy, in the strategies' order; `is_kept_out` by findings."""
    newest = newest_publications()
    return [_standing(newest[strategy], symbol, is_kept_out) for strategy in screening.STRATEGIES if strategy in newest]


def _standing(publication: Publication, symbol: str, is_kept_out: bool) -> ListStanding:
    mine = [pick for pick in published_picks(publication) if pick["symbol"] == symbol]
    if mine:
        return ListStanding(publication, with_reasons(publication, mine)[0], "")
    if is_kept_out:
        return ListStanding(publication, None, "It is kept out of the picks.")
    if publication.abstention:
        return ListStanding(publication, None, "The system published no picks of this strategy.")
    return ListStanding(publication, None, _why_not(publication.strategy, symbol, publication.date))


def _why_not(strategy: str, symbol: str, session: date) -> str:
    """Why a share is in none of a session's picks, by its figures of that session and the thresholds in force."""
    metrics = StockMetrics.objects.filter(symbol_id__in=[symbol], date=session).values().first()
    if metrics is None:
        return "It did not trade on that day."
    if not metrics["tradable"]:
        return f"Not tradable: {metrics['exclusion'] or 'no reason was stored'}."
    try:
        filters = pick_reasons.filters()
    except FiltersInvalid:
        return "Not picked."
    failures = _failures(metrics, strategy, symbol, session, filters)
    if failures:
        return f"{failures[0].upper()}{failures[1:]}."
    has_thresholds = bool(screening.thresholds_of(strategy, filters))
    return f"Its figures meet the thresholds. {_BY_THE_MODEL}" if has_thresholds else _BY_THE_MODEL


def _failures(metrics: Mapping[str, Any], strategy: str, symbol: str, session: date, filters: Filters) -> str:
    """In words; of the model's figures nothing is said, because they are stored for the picked shares alone."""
    indicators = TechnicalIndicator.objects.filter(symbol_id__in=[symbol], date=session).values()
    unknown: dict[str, Any] = {threshold.column: None for threshold in screening.thresholds_of(strategy, filters)}
    share = {**unknown, **(indicators.first() or {}), **metrics}
    return ", ".join(screening.failures(share, strategy, filters, screening.MODEL_COLUMNS))


def year_range(bars: pd.DataFrame) -> YearRange | None:
    """The range of a frame of a year's adjusted bars; None without bars."""
    if bars.empty:
        return None
    low, high, close = float(bars["low"].min()), float(bars["high"].max()), float(bars["close"].iloc[-1])
    at = (close - low) / (high - low) if high > low else 1.0
    return YearRange(low, high, at, (1 - close / high) * 100)


def quarters(symbols: list[str], known_on: date) -> list[FinancialStatement]:
    """The latest quarters of a share under any of its symbols that were published by a day, newest first."""
    reported = FinancialStatement.objects.filter(
        symbol__in=symbols, kind=FinancialStatement.Kind.QUARTER, published_on__lte=known_on
    )
    return list(reported.order_by("-period_end", "symbol")[:QUARTERS])
