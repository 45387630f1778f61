"""The lists of past sessions, by the code that chooses those of an evening: metrics, checks, thresholds, scores.

Nothing is fitted: scores, risk and confidence are the stored predictions of a recipe. Figures of companies, volatility,
market cap and what is tradable are computed as of each session (`session_metrics.sources_between`), and the checks of
data quality run on them, so that a session that no evening ran for is what its evening would have been.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from market_data import quality
from market_data.quality.past import blocked_between
from market_data.steps import session_metrics
from market_data.steps.session_metrics import Sources
from ml.candidates import tradable_candidates
from ml.learning.samples import day_percentiles
from ml.predictions import predictions_between
from stocks.picks import screening
from stocks.picks.filters import Filters

MOST_PLACES: Final = 150
_SCORES = ("ml_prediction_score", "ml_confidence", "ml_risk_score")
_PLACE_COLUMNS = ["symbol", "place", "selection_score"]


class PlacedList(NamedTuple):
    """A strategy's places on a session: symbol, place (1 … 150) and selection_score, best first.

    `reason` says why there are none.
    """

    places: pd.DataFrame
    considered: int
    passed: int
    reason: str


class PastDay(NamedTuple):
    """The lists of one session by strategy."""

    session: date
    lists: Mapping[str, PlacedList]


def past_days(
    sessions: Sequence[date],
    recipe: str,
    filters: Filters,
    strategies: Sequence[str] = tuple(screening.STRATEGIES),
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[PastDay]:
    """Yield each session, ascending, with the places that its lists would have had if no share had been held.

    Point in time: predictions of the session by models of before it; bars, events, statements and findings known at its
    close. Three things are those of today: symbols, sectors, and which symbols are shares.
    """
    if not sessions:
        return
    days = sorted(sessions)
    predicted = dict(list(scores_as_picked(recipe, days[0], days[-1]).groupby("date")))
    for done, day in enumerate(_evenings(days), start=1):
        scores = predicted.get(pd.Timestamp(day.sources.session))
        yield PastDay(day.sources.session, {name: _placed(day, scores, name, filters) for name in strategies})
        report(done, len(days))


def scores_as_picked(recipe: str, first: date, last: date) -> pd.DataFrame:
    """Stored predictions as the picks name them: symbol, date, ml_prediction_score, ml_confidence, ml_risk_score.

    ml_prediction_score is the percentile of the return head among all shares that were predicted on the session.
    """
    stored = predictions_between(recipe, first, last)
    position = np.asarray((stored["date"] - pd.Timestamp(0)).dt.days, dtype=np.int64)
    score = day_percentiles(position, stored["score"].to_numpy(dtype=np.float64))
    named = stored.rename(columns={"confidence": "ml_confidence"})
    return named.assign(ml_prediction_score=score)[["symbol", "date", *_SCORES]]


class _Evening(NamedTuple):
    """A session's sources and metrics, the symbols that findings keep out, and why none may be picked."""

    sources: Sources
    metrics: pd.DataFrame
    kept_out: set[str]
    refusal: str


def _evenings(sessions: Sequence[date]) -> Iterator[_Evening]:
    sources, wanted = session_metrics.sources_between(sessions), set(sessions)
    computed: dict[date, tuple[Sources, pd.DataFrame]] = {}

    def metrics_of(session: date) -> pd.DataFrame | None:
        """Metrics of the next session that is wanted; the findings of those before it do not depend on theirs."""
        if session not in wanted:
            return None
        of_day = next(sources)
        computed[session] = of_day, session_metrics.metrics_from(of_day, provenance=False)
        return computed[session][1]

    for session, blocked in blocked_between(sessions, metrics_of):
        of_day, metrics = computed.pop(session)
        jumped = quality.jumped_symbols(session, of_day.jumps)
        yield _Evening(of_day, metrics, jumped | blocked.symbols, blocked.refusal)


def _placed(day: _Evening, scores: pd.DataFrame | None, strategy: str, filters: Filters) -> PlacedList:
    nothing = pd.DataFrame(columns=_PLACE_COLUMNS)
    if day.refusal:
        return PlacedList(nothing, 0, 0, day.refusal)
    shares = tradable_candidates(day.metrics, day.sources.indicators, day.kept_out)
    if scores is None or shares.empty:
        return PlacedList(nothing, 0, 0, "no predictions" if scores is None else "no share was tradable")
    frame = shares.merge(scores.drop(columns="date"), on="symbol", how="inner")
    placed = screening.placed(frame, strategy, filters)
    places = placed.shares[_PLACE_COLUMNS].head(MOST_PLACES).reset_index(drop=True)
    ranking = screening.Ranking(places, {}, len(frame), len(placed.shares), placed.rejected)
    return PlacedList(places, len(frame), len(placed.shares), "" if len(places) else ranking.summary)
