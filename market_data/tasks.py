"""The queue's tasks: each carries a run's id and may be delivered any number of times."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from market_data.runs import claims, engine, lifecycle, workers
from market_data.runs.leases import database_time, has_lease
from market_data.runs.prerequisites import ENDED, outstanding
from market_data.runs.reconnecting import DATABASE_LOST, retry_while_database_is_down
from market_data.runs.saga import EVENING_BEFORE, NO_SESSION, AlreadyRunning, saga_of

ADVANCE = "market_data.tasks.advance_run"
START = "market_data.tasks.start_scheduled"

logger = logging.getLogger(__name__)


def advance_run(run_id: str) -> str:
    """Execute what can be executed of a run now, then release the runs that waited for it; return its status."""
    run = engine.advance(run_id)
    release_waiting()
    return run.status


def start_scheduled(job: str, waits_for: Sequence[str], stands_for: str, intended: str) -> str:
    """Create the run that a schedule planned, deliver it if it need not wait, and return its id.

    `waits_for` holds prerequisites as text (see `runs.prerequisites`), `stands_for` is ``same day``, ``evening before``
    or ``none``, `intended` the planned time, ISO 8601 with offset: starting the same one twice changes nothing. The
    queue drops a task that fails, and with it the evening's job: so a restart of the database is waited for.
    """
    return retry_while_database_is_down(_start_planned_run, job, waits_for, stands_for, intended)


def _start_planned_run(job: str, waits_for: Sequence[str], stands_for: str, intended: str) -> str:
    planned = timezone.localtime(parse_datetime(intended))
    existing = PipelineRun.objects.filter(job=job, intended_at=planned).first()
    if existing:  # the worker that created it may have died before it could deliver it
        deliver(existing)
        return existing.id
    try:
        session = session_for(stands_for, planned)
    except trading_calendar.CalendarError as error:
        # The queue drops a task that fails: the evening would be missing without a trace.
        return lifecycle.record_skipped(job, str(error), intended_at=planned).id
    if session is None and stands_for != NO_SESSION:
        return lifecycle.record_skipped(
            job, f"{planned:%A %d %B %Y} stands for no session of the exchange.", intended_at=planned
        ).id
    lifecycle.skip_older_waiting(job, session)
    try:
        run = lifecycle.create_run(job, session, triggered_by="schedule", waits_for=waits_for, intended_at=planned)
    except AlreadyRunning as refusal:
        if lifecycle.find_run(refusal.run_id).intended_at == planned:
            return refusal.run_id
        return lifecycle.record_skipped(job, str(refusal), session=session, intended_at=planned).id
    release_waiting()
    deliver(run)
    return run.id


def session_for(stands_for: str, planned: datetime) -> date | None:
    """Return the session a planned time stands for; None without one.

    A planned time in the small hours (``evening before``) stands for the day before: Saturday 02:00 is Friday's.
    """
    if stands_for == NO_SESSION:
        return None
    day = planned.date() - timedelta(days=1 if stands_for == EVENING_BEFORE else 0)
    return day if trading_calendar.is_session(day) else None


def trigger(job: str, *, triggered_by: str, session: date | None = None) -> PipelineRun:
    """Start a job now, without prerequisites, and return its run; it waits if it is not its turn on its tables.

    Raises AlreadyRunning when a run of the job is active, SagaError when there is no such job.
    """
    if session is None and saga_of(job).needs_session:
        session = trading_calendar.latest_completed_session(timezone.now())
    run = lifecycle.create_run(job, session, triggered_by=triggered_by)
    deliver(run)
    return run


class Link(NamedTuple):
    """One job of a chain, with the earlier jobs of the chain that must have completed or need only have ended."""

    job: str
    completed: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()


def trigger_chain(
    links: Sequence[Link], *, triggered_by: str, prefix: str, session: date | None = None
) -> list[PipelineRun]:
    """Create the runs of a chain of jobs, all or none, and deliver those that need not wait.

    Each waits for the runs of this chain themselves, not for earlier runs of the same jobs and session; `session` is
    the latest completed one by default. The chain's own id, which begins with `prefix`, is an alias of each of them.
    Raises AlreadyRunning when a run of one of the jobs is active; then nothing is created.
    """
    session = session or trading_calendar.latest_completed_session(timezone.now())
    runs: dict[str, PipelineRun] = {}
    with transaction.atomic():
        lifecycle.lock_run_creation()
        alias = lifecycle.free_id(prefix, timezone.now())
        for link in links:
            waits_for = [runs[job].id for job in link.completed] + [ENDED + runs[job].id for job in link.ended]
            of_session = session if saga_of(link.job).needs_session else None
            run = lifecycle.create_run(link.job, of_session, triggered_by=triggered_by, waits_for=waits_for)
            run.aliases = [alias]
            run.save(update_fields=["aliases"])
            runs[link.job] = run
    for run in runs.values():
        deliver(run)
    return list(runs.values())


def heartbeat(cluster: str) -> None:
    """Release waiting runs, deliver dropped ones again, and record that the cluster works."""
    _requeue_planned_starts(cluster)
    claims.end_outdated_sessions()
    release_waiting()
    for run in PipelineRun.objects.filter(status=PipelineRun.Status.RUNNING):
        with _isolated(run):
            if saga_of(run.job).cluster == cluster and _is_dropped(run):
                deliver(run)
    record_heartbeat(cluster)


def release_waiting() -> None:
    """Start the waiting runs whose prerequisites are met and whose turn it is, in the order of their creation."""
    for run in PipelineRun.objects.filter(status=PipelineRun.Status.WAITING).order_by("sequence"):
        with _isolated(run):
            if not outstanding(run) and lifecycle.start_waiting_run(run):
                deliver(run)


def deliver(run: PipelineRun) -> None:
    """Put a run into its cluster's queue unless it is waiting there already.

    A task that a worker has fetched does not count: the worker may be dead, and the queue gives its task out again only
    hours later.
    """
    cluster = saga_of(run.job).cluster
    if run.status == PipelineRun.Status.RUNNING and not any(
        queued.task.get("func") == ADVANCE and queued.task.get("args") == (run.id,)
        for queued in OrmQ.objects.filter(key=cluster, lock__lte=timezone.now())
    ):
        async_task(ADVANCE, run.id, cluster=cluster, group=run.id, save=False)


def queue_length(cluster: str) -> int:
    """Return the number of tasks of a cluster that are queued or being executed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_q_ormq WHERE key = %s", [cluster])
        return int(cursor.fetchone()[0])


def _requeue_planned_starts(cluster: str) -> None:
    """Make planned starts claimable again whose worker is silent: the queue itself waits for hours.

    A start takes milliseconds, and starting the same planned time twice changes nothing.
    """
    now = timezone.now()
    # `lock` is when the queue would give a task out again: its fetch plus Conf.RETRY.
    silent_until = now + timedelta(seconds=Conf.RETRY - settings.STEP_LEASE_SECONDS)
    for fetched in OrmQ.objects.filter(key=cluster, lock__gt=now, lock__lt=silent_until):
        if fetched.task.get("func") == START:
            OrmQ.objects.filter(pk=fetched.pk).update(lock=now)


def _is_dropped(run: PipelineRun) -> bool:
    """Whether the run's next step has no living owner and nothing keeps it from being claimed."""
    step = run.steps.exclude(status=PipelineStep.Status.COMPLETED).order_by("order").first()
    if step is None:
        return True
    now = database_time()
    is_free = not has_lease(step, now) or workers.has_ended(step.worker)
    return is_free and (step.not_before is None or step.not_before <= now)


def record_heartbeat(cluster: str) -> None:
    """Record that a cluster, or another process that is to live, gives a sign of life."""
    # One statement: a worker that hung between two would keep the row locked for the cluster's other workers.
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO heartbeats (cluster, finished_at, worker) VALUES (%s, statement_timestamp(), %s)"
            " ON CONFLICT (cluster) DO UPDATE SET finished_at = excluded.finished_at, worker = excluded.worker",
            [cluster, workers.identity()],
        )


@contextmanager
def _isolated(run: PipelineRun) -> Iterator[None]:
    """Log what fails for one run, so that it does not hold up the others; a lost database does concern them."""
    try:
        yield
    except DATABASE_LOST:
        raise
    except Exception:
        logger.exception("run not looked after", extra={"run": run.id})
