"""Step ownership: exclusive claims, fencing tokens, termination of hung sessions.

One conditional UPDATE claims a step, counts the attempt and raises the step's fence; it holds only for the state of
step and run that the caller has read. Leases are written and compared by the database's clock alone, and an expired one
is watched for some renewals before its owner counts as silent: setting the clock takes no step from a living worker.

A step writes in one transaction that first takes the step's advisory lock and then compares the fence: a worker that
has lost its lease is refused there. The lock is advisory, not the row's, so that lease, progress and log lines of the
same row stay writable during a long write.

A worker that hangs inside that transaction (stopped, or cut off from the network) keeps the lock beyond its lease. The
server then terminates its session: its writes are rolled back, and its late commit fails.
"""

import logging
import time
from typing import Any, Final, LiteralString

from django.conf import settings
from django.db import connection, transaction

from market_data.models import PipelineRun, PipelineStep
from market_data.runs import attempts, workers
from market_data.runs.leases import LeaseKeeper, longest_lease
from market_data.runs.saga import FenceLost
from market_data.runs.states import run_sources, step_sources

_LOCK_CLASS: Final = 5001
_TERMINATION_SECONDS: Final = 2.0
_RENEWALS_AWAITED: Final = 5

# Fence and lease are those the caller has read: whatever happened since (another claim, a cancel, a retry) raised the
# one, a renewal moved the other. No living owner: no lease, an expired one, or one whose worker has ended; and none is
# inside its transaction.
_FREE: Final = (
    " WHERE id = %(id)s AND status = ANY(%(sources)s) AND fence = %(fence)s"
    " AND EXISTS (SELECT FROM pipeline_runs r WHERE r.id = run_id AND r.status = ANY(%(run_sources)s))"
    " AND (lease_until IS NULL OR worker = %(ended)s OR (lease_until = %(lease_until)s"
    " AND lease_until NOT BETWEEN now() AND now() + make_interval(secs => %(longest_lease)s)))"
    " AND (not_before IS NULL OR not_before <= now()) AND fruitless_attempts {attempts} %(max_attempts)s"
    " AND pg_try_advisory_xact_lock(%(class)s, id::int)"
)
_IS_EXPIRED: Final = (
    "SELECT 1 FROM pipeline_execution_tracking WHERE id = %(id)s AND status = 'running'"
    " AND lease_until = %(lease_until)s"
    " AND lease_until NOT BETWEEN now() AND now() + make_interval(secs => %(longest_lease)s)"
)
_CLAIM: Final = (
    "UPDATE pipeline_execution_tracking SET status = 'running', attempts = attempts + 1,"
    " fruitless_attempts = fruitless_attempts + 1, fence = fence + 1,"
    " worker = %(worker)s, lease_until = now() + make_interval(secs => %(lease)s), not_before = NULL,"
    " started_at = coalesce(started_at, now()), ended_at = NULL, reason = '', runbook = ''"
    + _FREE.replace("{attempts}", "<")
    + " RETURNING fence, attempts"
)
# The fence rises here too: the worker that was given up may no longer commit.
_GIVE_UP: Final = (
    "UPDATE pipeline_execution_tracking SET status = 'errored', fence = fence + 1, lease_until = NULL,"
    " ended_at = now(), traceback = '', reason = %(reason)s, runbook = 'worker-died'"
    + _FREE.replace("{attempts}", ">=")
    + " RETURNING fence, attempts"
)
_TERMINATE_HOLDER: Final = (
    "SELECT pg_terminate_backend(l.pid) FROM pipeline_execution_tracking s"
    " JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 2"
    " AND l.classid = %(class)s AND l.objid = s.id AND l.pid <> pg_backend_pid()"
    " JOIN pg_stat_activity a ON a.pid = l.pid AND a.datname = current_database() AND a.usename = current_user"
    " WHERE s.id = %(id)s AND s.status = 'running' AND s.lease_until < now() AND s.lease_until = %(lease_until)s"
    # Spares a concurrent claimer: its transaction began after the lease had expired.
    " AND a.xact_start < greatest(s.lease_until, now() - make_interval(secs => %(lease)s))"
)
# A rollback has the locks of a run's steps too, for as long as it takes; it also has the run-creation lock.
_END_OUTDATED: Final = (
    "SELECT pg_terminate_backend(l.pid) FROM pipeline_execution_tracking s"
    " JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 2"
    " AND l.classid = %(class)s AND l.objid = s.id AND l.pid <> pg_backend_pid()"
    " JOIN pg_stat_activity a ON a.pid = l.pid AND a.datname = current_database() AND a.usename = current_user"
    " WHERE s.status = 'pending' AND a.xact_start < now() - make_interval(secs => %(lease)s) AND NOT EXISTS"
    " (SELECT 1 FROM pg_locks c WHERE c.pid = l.pid AND c.locktype = 'advisory' AND c.granted AND c.objsubid = 1)"
)

logger = logging.getLogger(__name__)


def claim(step: PipelineStep, max_attempts: int) -> bool:
    """Claim the step for this process and refresh it from its row; of any number of concurrent callers one succeeds.

    False also when the step is no longer as it was read, or its run no longer at work. With `max_attempts` attempts it
    can no longer be claimed; `give_up` then ends it.
    """
    return _update_free(step, _CLAIM, max_attempts, sources=step_sources("claim"))


def give_up(step: PipelineStep, max_attempts: int) -> bool:
    """End a step as errored whose workers died `max_attempts` times; True for the single caller that did it."""
    reason = (
        f"{step.name} was started {step.fruitless_attempts} times and never ended: its worker died each time."
        " See the log, then retry the run."
    )
    if step.fruitless_attempts < max_attempts:
        return False
    return _update_free(step, _GIVE_UP, max_attempts, sources=step_sources("give_up"), reason=reason)


def verify_fence(step: PipelineStep) -> None:
    """Take the step's lock for this transaction and check that the step is still this worker's.

    Raises FenceLost when another worker owns the step by now, or its run has ended: nothing may be written.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s::int)", [_LOCK_CLASS, step.pk])
        attribute_writes(step.run_id)
        # A separate statement, whose snapshot includes what was committed while this one waited for the lock.
        cursor.execute(
            "SELECT 1 FROM pipeline_execution_tracking s JOIN pipeline_runs r ON r.id = s.run_id"
            " WHERE s.id = %s AND s.fence = %s AND s.status = ANY(%s) AND r.status = ANY(%s)",
            [step.pk, step.fence, step_sources("complete"), run_sources("complete")],
        )
        if cursor.fetchone() is None:
            raise FenceLost


def attribute_writes(run_id: str) -> None:
    """Tell the audit that this transaction's writes are a run's: they carry its id and are no person's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('audit.run', %s, true)", [run_id])


def wait_for_commits(run: PipelineRun) -> None:
    """Wait until no worker, not even a fenced-off one, is committing a step of the run; none can start afterwards.

    Keeps the locks of the run's steps until the caller's transaction ends.
    """
    with connection.cursor() as cursor:
        for step in run.steps.order_by("pk"):
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s::int)", [_LOCK_CLASS, step.pk])


def _update_free(step: PipelineStep, statement: LiteralString, max_attempts: int, **more: Any) -> bool:
    """Execute a statement on a step without a living owner; ends a hung owner first if need be."""
    has_ended = bool(step.worker) and workers.has_ended(step.worker)
    parameters = {
        "id": step.pk,
        "fence": step.fence,
        "lease_until": step.lease_until,
        "run_sources": run_sources("complete"),
        "class": _LOCK_CLASS,
        "max_attempts": max_attempts,
        "worker": workers.identity(),
        "lease": settings.STEP_LEASE_SECONDS,
        "longest_lease": longest_lease().total_seconds(),
        "ended": step.worker if has_ended else None,
        **more,
    }
    if not has_ended and _is_expired(parameters):
        # By the clock alone, which may have been set. A living owner renews its lease in this time, and keeps the step.
        time.sleep(LeaseKeeper.interval_seconds(settings.STEP_LEASE_SECONDS) * _RENEWALS_AWAITED)
    if _execute(step, statement, parameters):
        return True
    if not _terminate_hung_holder(step, parameters):
        return False
    deadline = time.monotonic() + _TERMINATION_SECONDS
    while not (updated := _execute(step, statement, parameters)) and time.monotonic() < deadline:
        time.sleep(0.05)  # the server terminates a session asynchronously
    return updated


def _is_expired(parameters: dict[str, Any]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_IS_EXPIRED, parameters)
        return cursor.fetchone() is not None


def _execute(step: PipelineStep, statement: LiteralString, parameters: dict[str, Any]) -> bool:
    fate = "Its worker's process ended." if parameters["ended"] else "Its worker was silent for longer than its lease."
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        if cursor.fetchone() is None:
            return False
        step.refresh_from_db()
        if step.status == PipelineStep.Status.RUNNING:
            attempts.record_start(step, fate)
        else:
            attempts.record_loss(step, fate)
    return True


def end_outdated_sessions() -> int:
    """Terminate the sessions of hung workers whose run was cancelled while they were committing; return how many.

    They may no longer commit, but until they end they keep the rows they have written from the next run's turn.
    """
    with connection.cursor() as cursor:
        cursor.execute(_END_OUTDATED, {"class": _LOCK_CLASS, "lease": settings.STEP_LEASE_SECONDS})
        ended = int(cursor.rowcount)
    if ended:
        logger.warning("terminated sessions of cancelled runs", extra={"sessions": ended})
    return ended


def _terminate_hung_holder(step: PipelineStep, parameters: dict[str, Any]) -> bool:
    """Terminate the database session that holds the step's lock although the lease has expired."""
    with connection.cursor() as cursor:
        cursor.execute(_TERMINATE_HOLDER, parameters)
        terminated: bool = cursor.rowcount > 0
    if terminated:
        logger.warning(
            "terminated a session that outlived its lease", extra={"step_id": step.pk, "worker": step.worker}
        )
    return terminated
