"""The order of runs by what they committed: a number is drawn at each commit of a run.

The order of creation says nothing about who wrote on whose rows: a run created first may commit last, after a retry for
instance. A number is one more than the highest so far, read in the transaction that it numbers. Two transactions at
once may draw the same number; then neither has read what the other wrote.
"""

from typing import Any

from django.db.models import F, Q, Subquery
from django.db.models.functions import Coalesce

from market_data.models import PipelineRun
from market_data.runs.saga import NotRetryable, Saga, saga_of
from stocks.storage import bulk

_BY_NATURAL_KEY = ("market_days", "market_years")
"""Tables whose primary key is what a row is about, so that it tells whether two runs wrote the same rows."""


def numbered_commit() -> dict[str, Any]:
    """Return the change of a run's row that draws the number of the commit in progress."""
    highest = PipelineRun.objects.exclude(last_commit=None).order_by("-last_commit").values("last_commit")[:1]
    number = Coalesce(Subquery(highest), 0) + 1
    return {"last_commit": number, "first_commit": Coalesce(F("first_commit"), number)}


def runs_built_on(run: PipelineRun) -> list[PipelineRun]:
    """Return the runs that have committed on top of what a run wrote, the latest first: the order of their rollback.

    A run that only reads the other's tables counts from the other's first commit on: it may have read a part.
    """
    if run.first_commit is None:
        return []
    saga = saga_of(run.job)
    later = PipelineRun.objects.filter(last_commit__gt=run.first_commit, is_replay=False).exclude(pk=run.pk)
    later = later.exclude(status__in=(PipelineRun.Status.ROLLED_BACK, PipelineRun.Status.SKIPPED))
    return [other for other in later.order_by("-last_commit") if _is_built_on(other, run, saga)]


def _is_built_on(other: PipelineRun, run: PipelineRun, saga: Saga) -> bool:
    others = saga_of(other.job)
    if not touches(others, saga):
        return False
    since = run.last_commit if touches(saga, others) else run.first_commit
    return bool(other.last_commit and since and other.last_commit > since)


def touches(saga: Saga, written: Saga) -> bool:
    """Whether a saga that can itself be rolled back may write or read what the other one writes."""
    return bool(saga.tables) and not {*saga.tables, *saga.reads}.isdisjoint(written.tables)


def refuse_if_changed_since(run: PipelineRun) -> None:
    """Refuse to let a run write more once a later run has changed what it has already written.

    Its rollback would otherwise restore before-images of two different moments. A run that has written no row yet, or
    whose tables a later run only added rows to as the run itself did, may go on: whatever was missing can be imported.
    Market days are compared day by day: days that an import brings are no reason, unless the run wrote the same ones.

    Raises
    ------
    NotRetryable
        The sentence names the later run, the tables, and what to start instead.
    """
    if run.last_commit is None:
        return
    written = {table: bulk.kinds_of_change(table, run.id) for table in saga_of(run.job).tables}
    later = PipelineRun.objects.filter(Q(last_commit__gt=run.last_commit), is_replay=False)
    for other in later.exclude(status=PipelineRun.Status.ROLLED_BACK).order_by("last_commit"):
        tables = [
            table
            for table in saga_of(other.job).tables
            if table in written
            and _collide(written[table], bulk.kinds_of_change(table, other.id))
            and (table not in _BY_NATURAL_KEY or bulk.wrote_same_rows(table, run.id, other.id))
        ]
        if tables:
            raise NotRetryable(
                f"{other.id} has changed {', '.join(tables)} since {run.id} wrote there, so {run.id} cannot go on:"
                f" its roll back would no longer be exact. Start {run.job} again instead."
            )


def _collide(ours: bulk.KindsOfChange, theirs: bulk.KindsOfChange) -> bool:
    """Whether two runs may have written the same rows: rows that both only inserted are different ones."""
    return any(ours) and any(theirs) and (ours.changed or theirs.changed)
