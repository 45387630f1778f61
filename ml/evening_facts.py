"""What an evening has come to: findings, excluded shares, lists and models of a session.

The console, the pages and the terminal phrase these facts; none of them asks the tables its own way. Beside them stand
`market_data.quality.day_refusal`, `ml.sagas.model_in_force` and `market_data.runs.queries.standings`.
"""

from collections import Counter
from datetime import date
from typing import Final

from django.core.cache import cache
from django.db.models import Count, Max, Q, QuerySet

from market_data import quality
from market_data.models import Finding, PipelineRun
from ml.models import TrainedModel
from stocks.models import Publication

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


def newest_model(until: date | None = None) -> TrainedModel | None:
    """The model trained last, accepted or not, for a session up to a day."""
    models = TrainedModel.objects.order_by("-session", "-trained_at")
    return (models.filter(session__lte=until) if until else models).first()
