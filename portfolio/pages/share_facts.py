"""What the latest lists say of one share, its range of 52 weeks and its reported quarters; read from what is stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from typing import Any, Final

import pandas as pd

from market_data.models import TechnicalIndicator
from portfolio.pages import pick_reasons
from portfolio.pages.picks_page import with_reasons
from stocks.models import FinancialStatement, Publication, StockMetrics
from stocks.picks import screening
from stocks.picks.filters import FiltersInvalid
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
    figures_on = cache(partial(_figures, symbol))  # the lists are of the same session, almost always
    standings = []
    for publication in [newest[strategy] for strategy in screening.STRATEGIES if strategy in newest]:
        mine = [pick for pick in published_picks(publication) if pick["symbol"] == symbol]
        if mine:
            standings.append(ListStanding(publication, with_reasons(publication, mine)[0], ""))
        else:
            reason = "It is kept out of the picks." if is_kept_out else _why_not(publication, figures_on)
            standings.append(ListStanding(publication, None, reason))
    return standings


def _why_not(publication: Publication, figures_on: Callable[[date], Mapping[str, Any] | None]) -> str:
    """Why a share is in none of a list's picks, by its figures of that session and the thresholds in force."""
    if publication.abstention:
        return "The system published no picks of this strategy."
    figures = figures_on(publication.date)
    if figures is None:
        return "It did not trade on that day."
    if not figures["tradable"]:
        return f"Not tradable: {figures['exclusion'] or 'no reason was stored'}."
    try:
        filters = pick_reasons.filters()
    except FiltersInvalid:
        return "Not picked."
    thresholds = screening.thresholds_of(publication.strategy, filters)
    share = {**dict.fromkeys(threshold.column for threshold in thresholds), **figures}
    # Of the model's figures nothing is said, because they are stored for the picked shares alone.
    failures = ", ".join(screening.failures(share, publication.strategy, filters, screening.MODEL_COLUMNS))
    if failures:
        return f"{failures[0].upper()}{failures[1:]}."
    return f"Its figures meet the thresholds. {_BY_THE_MODEL}" if thresholds else _BY_THE_MODEL


def _figures(symbol: str, session: date) -> dict[str, Any] | None:
    """The share's metrics and indicators of a session; None where it did not trade."""
    metrics = StockMetrics.objects.filter(symbol_id__in=[symbol], date=session).values().first()
    indicators = TechnicalIndicator.objects.filter(symbol_id__in=[symbol], date=session).values().first()
    return None if metrics is None else {**(indicators or {}), **metrics}


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
