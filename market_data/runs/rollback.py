"""Rollback of a run: rows it inserted go, before-images return; within the last ten nights.

The last to commit goes first. Runs that write the same tables take turns (see `prerequisites`), so that before-images
taken in that order lead back exactly.
"""

import logging

from django.db import transaction
from django.db.models import Min

from market_data.models import PipelineRun, TableTotal
from market_data.runs import lifecycle
from market_data.runs.claims import attribute_writes, wait_for_commits
from market_data.runs.commits import runs_built_on, touches
from market_data.runs.saga import Saga, SagaError, saga_of
from market_data.runs.states import run_sources
from market_data.storage import writer as market_writer
from stocks.storage import bulk

UNDO_KEPT_NIGHTS = 10
"""A night is a session whose pipeline completed."""

logger = logging.getLogger(__name__)


def roll_back(run_id: str, triggered_by: str) -> dict[str, tuple[int, int]]:
    """Roll a run back: remove the rows it inserted, restore those it changed or deleted; all of it, or nothing.

    Returns table → rows removed, rows restored. Raises SagaError when the run is active, wrote nothing that can be
    rolled back or did so too long ago, another run is at work on the same tables, or later runs built on it; the
    sentence names them. No run starts during a rollback: what its steps read before would be written after it.
    """
    with transaction.atomic():
        lifecycle.lock_run_creation()
        wait_for_commits(lifecycle.find_run(run_id))
        run = PipelineRun.objects.select_for_update().get(pk=lifecycle.find_run(run_id).pk)
        saga = _rollback_saga(run)
        attribute_writes(run.id)
        undone = {table: _pair(bulk.roll_back(table, run.id)) for table in saga.tables}
        undone |= {undo.table: (0, undo.restore(run.id)) for undo in saga.undo}
        for counted in TableTotal.objects.filter(table_name__in=saga.tables):
            market_writer.recount(counted.table_name)
        run.status, run.reason = PipelineRun.Status.ROLLED_BACK, f"rolled back by {triggered_by}"
        run.save(update_fields=["status", "reason"])
    logger.info("rolled back", extra={"run": run.id, "by": triggered_by, "tables": undone})
    return undone


def planned_rollback(run_id: str) -> dict[str, tuple[int, int]]:
    """Return what `roll_back` would do, table → rows removed, rows restored; raises SagaError for the same reasons."""
    run = lifecycle.find_run(run_id)
    saga = _rollback_saga(run)
    planned = {table: _pair(bulk.rollback_counts(table, run.id)) for table in saga.tables}
    return planned | {undo.table: (0, undo.count(run.id)) for undo in saga.undo}


def _pair(written: bulk.WriteCounts) -> tuple[int, int]:
    return written.inserted, written.updated


def oldest_undoable_commit() -> int:
    """Return the number of the first commit of the last ten nights; before-images of earlier commits are not kept.

    A night counts once, however often its pipeline ran, and still counts after its rollback: so this never moves back
    to runs whose before-images are gone.
    """
    nights = PipelineRun.objects.filter(job="pipeline", is_replay=False)
    done = nights.filter(status__in=(PipelineRun.Status.COMPLETED, PipelineRun.Status.ROLLED_BACK))
    kept = list(done.values_list("session", flat=True).distinct().order_by("-session")[:UNDO_KEPT_NIGHTS])
    if len(kept) < UNDO_KEPT_NIGHTS:
        return 0
    return int(nights.filter(session__gte=kept[-1]).aggregate(first=Min("first_commit"))["first"] or 0)


def _rollback_saga(run: PipelineRun) -> Saga:
    """Return the saga of a run that can be rolled back now, or raise the reason why it cannot."""
    saga = saga_of(run.job)
    if run.status not in run_sources("roll_back"):
        raise SagaError(
            f"{run.id} is {run.get_status_display().lower()}: only a run that has ended can be rolled back."
        )
    if not saga.tables or run.is_replay:
        raise SagaError(f"{run.id} writes nothing that can be rolled back.")
    if run.last_commit is not None and run.last_commit < oldest_undoable_commit():
        raise SagaError(
            f"{run.id} is older than the last {UNDO_KEPT_NIGHTS} nights: what it overwrote is no longer kept, and so it"
            " can no longer be rolled back. Restore a back-up of the evening before instead."
        )
    _refuse_while_at_work(run, saga)
    _refuse_when_built_on(run)
    return saga


def _refuse_while_at_work(run: PipelineRun, saga: Saga) -> None:
    for other in PipelineRun.objects.filter(status=PipelineRun.Status.RUNNING, is_replay=False):
        if touches(saga_of(other.job), saga):
            raise SagaError(
                f"{other.id} is at work on tables of {run.id}: wait until it has ended, or cancel it, then roll back."
            )


def _refuse_when_built_on(run: PipelineRun) -> None:
    built = [other.id for other in runs_built_on(run)]
    if built:
        before = "it" if len(built) == 1 else "these, in this order,"
        raise SagaError(f"{', '.join(built)} built on {run.id}: roll {before} back first.")
