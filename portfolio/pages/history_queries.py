"""Past lists, and what came of their picks as the scoreboard has it: nothing is computed here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from market_data.storage import queries as market
from ml.learning.labels import EXIT_DELAY
from ml.scoreboard import queries as scoreboard
from ml.scoreboard.figures import Figures
from stocks.models import Publication
from stocks.picks.queries import stored_picks
from stocks.picks.screening import STRATEGIES
from stocks.universe.symbols import successors

DATES_A_PAGE: Final = 10
# Eleven sessions take about two weeks; the rest covers the longest run of holidays.
_DAYS_TO_EXIT: Final = 40


@dataclass(frozen=True)
class PastList:
    """A list in force and the figures of its outcomes, None while nothing of it is judged."""

    publication: Publication
    figures: Figures | None


def publication_dates(strategy: str = "") -> list[date]:
    """Sessions with a list in force (of one strategy, if given), newest first."""
    in_force = Publication.objects.filter(superseded_at=None, strategy__in=[strategy] if strategy else STRATEGIES)
    return list(in_force.order_by("-date").values_list("date", flat=True).distinct())


def past_lists(days: Sequence[date], strategy: str = "") -> list[PastList]:
    """Lists in force of some sessions with the figures of their outcomes, newest first."""
    if not days:
        return []
    in_force = Publication.objects.filter(
        superseded_at=None, date__in=days, strategy__in=[strategy] if strategy else STRATEGIES
    )
    known = scoreboard.list_figures(days)
    return [
        PastList(publication, known.get((publication.date, publication.strategy)))
        for publication in in_force.defer("picks").order_by("-date", "strategy")
    ]


@dataclass(frozen=True)
class ListOutcomes:
    """A past list pick by pick, each with its current symbol and its outcome, None while it is waiting."""

    publication: Publication
    rows: list[tuple[dict[str, Any], str, dict[str, Any] | None]]
    figures: Figures | None
    sessions_since: int
    exit_after: int = EXIT_DELAY

    @property
    def waiting(self) -> int:
        return sum(outcome is None for *_, outcome in self.rows)


def list_outcomes(publication: Publication) -> ListOutcomes:
    """The outcome of each pick of a list, in the list's order."""
    renamed = successors(date.max)
    known = scoreboard.list_outcomes(publication.date, publication.strategy)
    published: list[tuple[dict[str, Any], str]] = [(pick, pick["symbol"]) for pick in stored_picks(publication)]
    rows = [(pick, renamed.get(symbol, symbol), known.get(symbol)) for pick, symbol in published]
    later = market.sessions_between(publication.date, publication.date + timedelta(days=_DAYS_TO_EXIT))
    return ListOutcomes(
        publication=publication,
        rows=rows,
        figures=scoreboard.list_figures([publication.date]).get((publication.date, publication.strategy)),
        sessions_since=min(sum(session > publication.date for session in later), EXIT_DELAY),
    )
