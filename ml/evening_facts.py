"""What an evening has come to: findings, excluded shares, lists and models of a session.

The console, the pages and the terminal phrase these facts; none of them asks the tables its own way. Beside them stand
`market_data.quality.day_refusal`, `ml.champions.queries.model_in_force` and `market_data.runs.queries.standings`.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from statistics import fmean
from typing import Final, NamedTuple

from django.core.cache import cache
from django.db.models import Count, Max, Q, QuerySet

from market_data import quality
from market_data.models import Finding, PipelineRun
from ml.champions import queries as champions
from ml.models import TrainedModel
from stocks.models import Publication
from stocks.picks.standings import Standing

TURNOVER_SESSIONS: Final = 20
_TURNOVER_DAYS: Final = 60
"""Twenty sessions take about a month; the rest covers sessions without lists."""
_CACHE_SECONDS: Final = 300


def finding_counts(session: date) -> dict[str, int]:
    """Number of findings of a session by severity."""
    counts = Finding.objects.filter(session=session).order_by("severity").values_list("severity")
    return dict(counts.annotate(count=Count("pk")))


def kept_out(session: date) -> list[quality.KeptOut]:
    """What findings keep out of a session's picks (`quality.kept_out`).

    Cached until a run commits or is rolled back, because it reads all price jumps of the last year.
    """
    newest_finding = Finding.objects.aggregate(newest=Max("id"))["newest"]
    # Whichever run it was: one that began before the newest may be retried or rolled back after it.
    undone = Count("pk", filter=Q(status=PipelineRun.Status.ROLLED_BACK))
    runs = PipelineRun.objects.aggregate(newest_commit=Max("last_commit"), undone=undone)
    key = "-".join(map(str, ("kept_out", session, newest_finding, *runs.values())))
    entries: list[quality.KeptOut] | None = cache.get(key)
    if entries is None:
        entries = quality.kept_out(session)
        cache.set(key, entries, _CACHE_SECONDS)
    return entries


def exclusions_by_check(session: date) -> dict[str, int]:
    """Number of symbols that each check keeps out of a session's picks."""
    return dict(Counter(entry.check for entry in kept_out(session)))


def lists_in_force(session: date | None = None) -> "QuerySet[Publication]":
    """Publications in force of a session, or of the newest session that has any; by strategy, without their picks."""
    in_force = Publication.objects.filter(superseded_at=None)
    if session is None:
        session = in_force.aggregate(newest=Max("date"))["newest"]
    return in_force.filter(date=session).defer("picks").order_by("strategy")


class ListTurnover(NamedTuple):
    """How many places of a list changed against the list before it, and on average over its last sessions.

    Shares of the places, 0-1; None where a list is empty or was compared with none. `sessions` counts those of `mean`.
    """

    publication: Publication
    entries: int | None
    departures: int
    turnover: float | None
    mean: float | None
    sessions: int


def list_turnovers(publications: Sequence[Publication]) -> list[ListTurnover]:
    """Turnover of each list in force of one session."""
    if not publications:
        return []
    compared = Publication.objects.filter(
        superseded_at=None,
        previous__isnull=False,
        count__gt=0,
        date__range=(publications[0].date - timedelta(days=_TURNOVER_DAYS), publications[0].date),
    )
    entries = Count("picks_in_force", filter=Q(picks_in_force__standing=Standing.NEW))
    rows = compared.annotate(entries=entries).order_by("-date").values_list("strategy", "pk", "count", "entries")
    shares: dict[str, list[float]] = {}
    entries_of: dict[int, int] = {}
    for strategy, key, count, new in rows:
        shares.setdefault(strategy, []).append(new / count)
        entries_of[key] = new
    return [_turnover(each, entries_of.get(each.pk), shares.get(each.strategy, [])) for each in publications]


def _turnover(publication: Publication, entries: int | None, shares: list[float]) -> ListTurnover:
    recent = shares[:TURNOVER_SESSIONS]
    return ListTurnover(
        publication,
        entries,
        len(publication.departures),
        None if entries is None else entries / publication.count,
        fmean(recent) if recent else None,
        len(recent),
    )


def newest_model(until: date | None = None) -> TrainedModel | None:
    """The champion's model trained last (of any recipe while there is none), accepted or not, up to a session."""
    champion = champions.champion(until)
    models = TrainedModel.objects.order_by("-session", "-trained_at")
    models = models.filter(recipe=champion.recipe) if champion else models
    return (models.filter(session__lte=until) if until else models).first()
