"""Who may work on a step: one winner of a claim, a fence against whoever lost it, an end for holders that hang.

One conditional UPDATE claims a step, counting the attempt and raising its fence. What a step writes is one transaction
that first takes the step's advisory lock and then compares the fence: a worker that lost its lease in the meantime is
refused there. The advisory lock stands in for a row lock so that lease, progress and log lines of the same row stay
writable during a long write.

A worker that hangs inside that transaction (stopped, or cut off from the network) holds the lock beyond its lease. Its
database session is then ended by the server: what it wrote is rolled back, and its late commit fails.
"""

import logging
import time
from typing import Any, Final, LiteralString

from django.conf import settings
from django.db import connection

from market_data.models import PipelineRun, PipelineStep
from market_data.runs import workers
from market_data.runs.saga import FenceLost

_LOCK_CLASS: Final = 5001
_END_SECONDS: Final = 2.0

# Nobody holds it: no lease, a lease that has run out, or one whose holder has ended; and no transaction is under way.
_FREE: Final = (
    " WHERE id = %(id)s AND status IN ('pending', 'running')"
    " AND (lease_until IS NULL OR lease_until < now() OR worker = %(ended)s)"
    " AND (not_before IS NULL OR not_before <= now()) AND attempts {attempts} %(most)s"
    " AND pg_try_advisory_xact_lock(%(class)s, id::int)"
)
_CLAIM: Final = (
    "UPDATE pipeline_execution_tracking SET status = 'running', attempts = attempts + 1, fence = fence + 1,"
    " worker = %(worker)s, lease_until = now() + make_interval(secs => %(lease)s), not_before = NULL,"
    " started_at = coalesce(started_at, now()), ended_at = NULL, reason = '', runbook = ''"
    + _FREE.replace("{attempts}", "<")
    + " RETURNING fence, attempts"
)
# The fence rises here too: the worker that was given up may not commit any more.
_GIVE_UP: Final = (
    "UPDATE pipeline_execution_tracking SET status = 'errored', fence = fence + 1, worker = '', lease_until = NULL,"
    " ended_at = now(), traceback = '', reason = %(reason)s, runbook = 'worker-died'"
    + _FREE.replace("{attempts}", ">=")
    + " RETURNING fence, attempts"
)
_END_HOLDER: Final = (
    "SELECT pg_terminate_backend(l.pid) FROM pipeline_execution_tracking s"
    " JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 2"
    " AND l.classid = %(class)s AND l.objid = s.id AND l.pid <> pg_backend_pid()"
    " JOIN pg_stat_activity a ON a.pid = l.pid AND a.datname = current_database() AND a.usename = current_user"
    " WHERE s.id = %(id)s AND s.status = 'running' AND s.lease_until < now()"
    # Not another claimer of this moment: its transaction began when the lease had run out already.
    " AND a.xact_start < greatest(s.lease_until, now() - make_interval(secs => %(lease)s))"
)

logger = logging.getLogger(__name__)


def claim(step: PipelineStep, max_attempts: int) -> bool:
    """Take the step for this process; of any number of simultaneous callers one wins.

    Parameters
    ----------
    step : PipelineStep
        Gets fence, attempts, watermark and what is on the row of earlier attempts.
    max_attempts : int
        Beyond so many nobody gets it; `give_up` then ends it.
    """
    return _taken(step, _CLAIM, max_attempts)


def give_up(step: PipelineStep, max_attempts: int) -> bool:
    """End a step as errored whose workers died `max_attempts` times over it; True for the one caller that did."""
    reason = (
        f"{step.name} was begun {step.attempts} times and never ended: its worker died each time."
        " See the log, then retry the run."
    )
    return step.attempts >= max_attempts and _taken(step, _GIVE_UP, max_attempts, reason=reason)


def verify_fence(step: PipelineStep) -> None:
    """Take the step's lock for this transaction and check that the step is still this worker's.

    Raises
    ------
    FenceLost
        When this worker is not the step's present holder, or the run was ended: nothing may be written.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s::int)", [_LOCK_CLASS, step.pk])
        # A statement of its own: it must see what was committed while the lock was waited for.
        cursor.execute(
            "SELECT 1 FROM pipeline_execution_tracking s JOIN pipeline_runs r ON r.id = s.run_id"
            " WHERE s.id = %s AND s.fence = %s AND s.status = 'running' AND r.status = 'running'",
            [step.pk, step.fence],
        )
        if cursor.fetchone() is None:
            raise FenceLost


def wait_for_commits(run: PipelineRun) -> None:
    """Wait until no worker, not even one past its fence, is within a commit of the run; none gets into one afterwards.

    Holds the locks of the run's steps until the end of the caller's transaction.
    """
    with connection.cursor() as cursor:
        for step in run.steps.order_by("pk"):
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s::int)", [_LOCK_CLASS, step.pk])


def _taken(step: PipelineStep, statement: LiteralString, max_attempts: int, **more: Any) -> bool:
    facts = {
        "id": step.pk,
        "class": _LOCK_CLASS,
        "most": max_attempts,
        "worker": workers.identity(),
        "lease": settings.STEP_LEASE_SECONDS,
        "ended": step.worker if step.worker and workers.has_ended(step.worker) else None,
        **more,
    }
    if _changed(step, statement, facts):
        return True
    if not _end_hanging_holder(step, facts):
        return False
    deadline = time.monotonic() + _END_SECONDS
    while not (taken := _changed(step, statement, facts)) and time.monotonic() < deadline:
        time.sleep(0.05)  # the server ends a session in its own time
    return taken


def _changed(step: PipelineStep, statement: LiteralString, facts: dict[str, Any]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, facts)
        row = cursor.fetchone()
    if row is not None:
        step.refresh_from_db()
    return row is not None


def _end_hanging_holder(step: PipelineStep, facts: dict[str, Any]) -> bool:
    """Have the server end the session that holds the step's lock although its lease has run out."""
    with connection.cursor() as cursor:
        cursor.execute(_END_HOLDER, facts)
        ended: bool = cursor.rowcount > 0
    if ended:
        logger.warning("ended a session that hung over its lease", extra={"step_id": step.pk, "worker": step.worker})
    return ended
