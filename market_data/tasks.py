"""What the queue runs: a task carries a run's id and may be delivered any number of times."""

import logging
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.tasks import async_task

from market_data import trading_calendar
from market_data.models import PipelineRun, PipelineStep
from market_data.runs import engine, lifecycle, workers
from market_data.runs.prerequisites import ENDED, missing_prerequisites
from market_data.runs.reconnecting import DATABASE_LOST, retry_while_database_is_down
from market_data.runs.saga import AlreadyRunning, saga_of

ADVANCE = "market_data.tasks.advance_run"
START = "market_data.tasks.start_scheduled"

logger = logging.getLogger(__name__)


def advance_run(run_id: str) -> str:
    """Do what can be done of a run, then wake the runs that waited for it; return its status."""
    run = engine.advance(run_id)
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

    Notes
    -----
    A second delivery of the same planned time changes nothing. The queue forgets a task that failed, and with it the
    evening's job: a restart of the database is waited for.
    """
    return retry_while_database_is_down(_started, job, waits_for, stands_for, intended)


def _started(job: str, waits_for: Sequence[str], stands_for: str, intended: str) -> str:
    planned = timezone.localtime(parse_datetime(intended))
    known = PipelineRun.objects.filter(job=job, intended_at=planned).first()
    if known:  # delivered before, by a worker that may have died before it could deliver the run
        deliver(known)
        return known.id
    session = session_for(stands_for, planned)
    if session is None and stands_for != "none":
        return lifecycle.record_skipped(
            job, f"{planned:%A %d %B %Y} stands for no session of the exchange.", intended_at=planned
        ).id
    lifecycle.skip_older_waiting(job, session)
    try:
        run = lifecycle.create_run(job, session, triggered_by="schedule", waits_for=waits_for, intended_at=planned)
    except AlreadyRunning as running:
        if lifecycle.find_run(running.run_id).intended_at == planned:
            return running.run_id
        return lifecycle.record_skipped(job, str(running), session=session, intended_at=planned).id
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
    run = lifecycle.create_run(job, session, triggered_by=triggered_by)
    deliver(run)
    return run


class Link(NamedTuple):
    """One job of a chain: which jobs before it in the chain must have completed, and which only have ended."""

    job: str
    completed: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()


def trigger_chain(
    links: Sequence[Link], *, triggered_by: str, alias: str, session: date | None = None
) -> list[PipelineRun]:
    """Create the runs of a chain of jobs, all or none, and start what need not wait.

    Each waits for the very runs of this chain, not for what was completed for the session before.

    Parameters
    ----------
    links : sequence of Link
        In order.
    triggered_by : str
        Who pressed the button.
    alias : str
        One more id of each of the runs: the chain's.
    session : date, optional
        Default: the latest completed one.

    Raises
    ------
    AlreadyRunning
        When one of the jobs is active; then nothing is created.
    """
    session = session or trading_calendar.latest_completed_session(timezone.now())
    made: dict[str, PipelineRun] = {}
    with transaction.atomic():
        for link in links:
            waits = [made[name].id for name in link.completed] + [ENDED + made[name].id for name in link.ended]
            stands_for = session if saga_of(link.job).needs_session else None
            made[link.job] = lifecycle.create_run(link.job, stands_for, triggered_by=triggered_by, waits_for=waits)
        PipelineRun.objects.filter(pk__in=[run.id for run in made.values()]).update(aliases=[alias])
    for run in made.values():
        deliver(run)
    return list(made.values())


def heartbeat(cluster: str) -> None:
    """Say that the cluster works, and pick up what waits or was dropped."""
    _release_planned(cluster)
    release_waiting()
    for run in PipelineRun.objects.filter(status=PipelineRun.Status.RUNNING):
        _without_the_others(_deliver_dropped, run, cluster)
    _record_heartbeat(cluster)


def _record_heartbeat(cluster: str) -> None:
    """Write the cluster's row in one statement: who stopped between two would hold it against the other workers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO heartbeats (cluster, finished_at, worker) VALUES (%s, %s, %s) ON CONFLICT (cluster)"
            " DO UPDATE SET finished_at = excluded.finished_at, worker = excluded.worker",
            [cluster, timezone.now(), workers.identity()],
        )


def _release_planned(cluster: str) -> None:
    """Have planned starts given out again whose worker is silent: the queue itself waits for hours.

    A start takes milliseconds, and a second delivery of the same planned time changes nothing.
    """
    silent = timedelta(seconds=Conf.RETRY - settings.STEP_LEASE_SECONDS)
    now = timezone.now()
    for fetched in OrmQ.objects.filter(key=cluster, lock__gt=now, lock__lt=now + silent):
        if fetched.task.get("func") == START:
            OrmQ.objects.filter(pk=fetched.pk).update(lock=now)


def _deliver_dropped(run: PipelineRun, cluster: str) -> None:
    if saga_of(run.job).cluster == cluster and _is_dropped(run):
        deliver(run)


def _without_the_others(action: Callable[..., None], run: PipelineRun, *more: str) -> None:
    """Do something for one run; what breaks over it is logged, and must not keep the others waiting."""
    try:
        action(run, *more)
    except DATABASE_LOST:
        raise
    except Exception:
        logger.exception("run not looked after", extra={"run": run.id})


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
        _without_the_others(_release, run)


def _release(run: PipelineRun) -> None:
    if not missing_prerequisites(run.waits_for, run.session) and lifecycle.start_waiting_run(run):
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
    free = step.lease_until is None or step.lease_until < now or workers.has_ended(step.worker)
    return free and (step.not_before is None or step.not_before <= now)


def queue_length(cluster: str) -> int:
    """Return the number of tasks that wait or run in a cluster."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_q_ormq WHERE key = %s", [cluster])
        return int(cursor.fetchone()[0])
