"""What the queue runs: a task carries a run's id and may be delivered any number of times."""

import logging
import os
import socket
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from django.db import connection
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django_q.models import OrmQ
from django_q.tasks import async_task

from market_data import runs, saga_engine, trading_calendar
from market_data.models import Heartbeat, PipelineRun, PipelineStep
from market_data.saga import AlreadyRunning, saga_of

ADVANCE = "market_data.tasks.advance_run"

logger = logging.getLogger(__name__)


def advance_run(run_id: str) -> str:
    """Do what can be done of a run, then wake the runs that waited for it; return its status."""
    run = saga_engine.advance(run_id)
    release_waiting()
    return run.status


def start_scheduled(job: str, waits_for: Sequence[str], stands_for: str, intended: str) -> str:
    """Create the run that a schedule planned, and deliver it when nothing keeps it waiting; return its id.

    Parameters
    ----------
    job : str
        Name of the saga.
    waits_for : sequence of str
        Jobs (alternatives joined by ``|``) that must have completed for the same session.
    stands_for : str
        ``same day``, ``evening before`` or ``none``.
    intended : str
        Planned time, ISO 8601 with offset.
    """
    planned = timezone.localtime(parse_datetime(intended))
    session = session_for(stands_for, planned)
    if session is None and stands_for != "none":
        return runs.record_skipped(
            job, f"{planned:%A %d %B %Y} stands for no session of the exchange.", intended_at=planned
        ).id
    runs.skip_older_waiting(job, session)
    try:
        run = runs.create_run(job, session, triggered_by="schedule", waits_for=waits_for, intended_at=planned)
    except AlreadyRunning as running:
        return runs.record_skipped(job, str(running), session=session, intended_at=planned).id
    release_waiting()
    deliver(run)
    return run.id


def trigger(job: str, *, triggered_by: str, session: date | None = None) -> PipelineRun:
    """Start a job now, by a person; return its run.

    Raises
    ------
    AlreadyRunning
        When one is active.
    SagaError
        When there is no such job.
    """
    if session is None and saga_of(job).needs_session:
        session = trading_calendar.latest_completed_session(timezone.now())
    run = runs.create_run(job, session, triggered_by=triggered_by)
    deliver(run)
    return run


def heartbeat(cluster: str) -> None:
    """Say that the cluster works, and pick up runs that wait or were dropped."""
    release_waiting()
    for run in PipelineRun.objects.filter(status=PipelineRun.Status.RUNNING):
        if saga_of(run.job).cluster == cluster and _is_dropped(run):
            deliver(run)
    Heartbeat.objects.update_or_create(
        cluster=cluster, defaults={"finished_at": timezone.now(), "worker": f"{socket.gethostname()}:{os.getpid()}"}
    )


def session_for(stands_for: str, planned: datetime) -> date | None:
    """Return the session a planned time stands for, or None where it stands for none.

    A planned time in the small hours (``evening before``) stands for the day before: Saturday 02:00 is Friday's.
    """
    if stands_for == "none":
        return None
    day = planned.date() - timedelta(days=1 if stands_for == "evening before" else 0)
    return day if trading_calendar.is_session(day) else None


def release_waiting() -> None:
    """Start the waiting runs whose prerequisites have completed."""
    for run in PipelineRun.objects.filter(status=PipelineRun.Status.WAITING).order_by("sequence"):
        if not runs.missing_prerequisites(run) and runs.release(run):
            deliver(run)


def deliver(run: PipelineRun) -> None:
    """Put a run into its cluster's queue unless it waits there already.

    A task that was fetched does not count: the worker that has it may be dead, and the queue gives it out again only
    hours later.
    """
    cluster = saga_of(run.job).cluster
    if run.status == PipelineRun.Status.RUNNING and not any(
        queued.task.get("func") == ADVANCE and queued.task.get("args") == (run.id,)
        for queued in OrmQ.objects.filter(key=cluster, lock__lte=timezone.now())
    ):
        async_task(ADVANCE, run.id, cluster=cluster, group=run.id, save=False)


def _is_dropped(run: PipelineRun) -> bool:
    """Whether nobody holds the run's next step and nothing keeps it from being claimed."""
    step = run.steps.exclude(status=PipelineStep.Status.COMPLETED).order_by("order").first()
    if step is None:
        return True
    now = timezone.now()
    return (step.lease_until is None or step.lease_until < now) and (step.not_before is None or step.not_before <= now)


def queue_length(cluster: str) -> int:
    """Return the number of tasks that wait or run in a cluster."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_q_ormq WHERE key = %s", [cluster])
        return int(cursor.fetchone()[0])
