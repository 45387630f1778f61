"""The saga engine: claims steps, runs them under a lease, commits them whole or not at all, picks up what was dropped.

The row of a step *is* its state. One conditional UPDATE claims it, counting the attempt and raising its fence; a lease,
renewed over a connection of its own, holds it. What a step computes is written in one transaction which first takes the
step's advisory lock and compares the fence: a worker that lost its lease in the meantime is refused there. The advisory
lock stands in for a row lock so that lease, progress and log lines of the same row stay writable during a long write.
A delivery of the same run may come any number of times: who claims nothing does nothing.
"""

import logging
import os
import socket
import time
import traceback
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from market_data.leases import LeaseKeeper
from market_data.models import PipelineRun, PipelineStep
from market_data.saga import FenceLost, Listener, NotYet, Step, StepContext, StepFailed, saga_of

LEASE_SECONDS = 60
BACK_OFF_SECONDS = (20, 60, 180)
ASK_AGAIN_SECONDS = 300
ASK_AGAIN_FOR = timedelta(hours=4)
_LOCK_CLASS = 5001

logger = logging.getLogger(__name__)


def advance(run_id: str, *, listener: Listener | None = None, wait: bool = False) -> PipelineRun:
    """Do what can be done of a run now, step after step, and return it as it then stands.

    Parameters
    ----------
    run_id : str
        The run; delivering the same id twice is harmless.
    listener : Listener, optional
        Gets progress and lines.
    wait : bool
        Sleep through pauses between attempts instead of leaving them to the next delivery.
    """
    memo: dict[str, Any] = {}
    while True:
        run = PipelineRun.objects.get(pk=run_id)
        step = run.steps.exclude(status=PipelineStep.Status.COMPLETED).order_by("order").first()
        if run.status != PipelineRun.Status.RUNNING:
            return run
        if run.is_replay and not saga_of(run.job).replays:
            return _passed_over(run)
        if step is None:
            return _finished(run, PipelineRun.Status.COMPLETED)
        if step.status in (PipelineStep.Status.FAILED, PipelineStep.Status.ERRORED):
            return _finished(run, PipelineRun.Status.FAILED, step.reason)
        definition = saga_of(run.job).step(step.name)
        if not _claim(step, definition):
            pause = _pause(step, definition)
            if not wait or pause is None:
                return PipelineRun.objects.get(pk=run_id)
            time.sleep(pause)
            continue
        _execute(StepContext(run, step, listener, memo=memo), definition)


def _passed_over(run: PipelineRun) -> PipelineRun:
    """End the replay of a job that would rewrite the past: nothing is read and nothing written."""
    said = f"{run.session} is older than the latest session loaded: a replay of {run.job} writes nothing."
    done = PipelineStep.Status.COMPLETED
    run.steps.update(status=done, progress=1.0, reason="replay", ended_at=timezone.now())
    PipelineRun.objects.filter(pk=run.pk).update(summary={"replay": said})
    return _finished(run, PipelineRun.Status.COMPLETED, said)


def is_held(run: PipelineRun) -> bool:
    """Whether a worker holds a living lease on one of the run's steps."""
    held = run.steps.filter(status=PipelineStep.Status.RUNNING, lease_until__gt=timezone.now())
    return held.exists()


def _claim(step: PipelineStep, definition: Step) -> bool:
    """Take the step in one conditional UPDATE; of any number of simultaneous deliveries one wins."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pipeline_execution_tracking SET status = 'running', attempts = attempts + 1, fence = fence + 1,"
            " worker = %s, lease_until = now() + make_interval(secs => %s),"
            " started_at = coalesce(started_at, now()), ended_at = NULL, reason = ''"
            " WHERE id = %s AND status IN ('pending', 'running') AND (lease_until IS NULL OR lease_until < now())"
            " AND (not_before IS NULL OR not_before <= now()) AND attempts < %s"
            " AND pg_try_advisory_xact_lock(%s, id::int)"
            " RETURNING fence, attempts",
            [f"{socket.gethostname()}:{os.getpid()}", LEASE_SECONDS, step.pk, definition.max_attempts, _LOCK_CLASS],
        )
        row = cursor.fetchone()
    if row is None:
        return False
    step.fence, step.attempts = row
    step.refresh_from_db(fields=["watermark", "records_processed", "log_lines"])
    return True


def _pause(step: PipelineStep, definition: Step) -> float | None:
    """Seconds until the step may be claimed; None when in other hands or out of attempts (which is then recorded)."""
    step.refresh_from_db()
    now = timezone.now()
    held = step.lease_until is not None and step.lease_until > now
    if not held and step.attempts >= definition.max_attempts and step.status != PipelineStep.Status.COMPLETED:
        reason = (
            f"{step.name} was begun {step.attempts} times and never ended: its worker died each time."
            " See the log, then retry the run."
        )
        _ended(step, PipelineStep.Status.ERRORED, reason, "")
        return 0.0
    if step.not_before is not None and step.not_before > now:
        return (step.not_before - now).total_seconds()
    return None


def _execute(context: StepContext, definition: Step) -> None:
    run, step = context.run, context.step
    with LeaseKeeper(step.pk, step.fence, LEASE_SECONDS, list(step.log_lines)) as context.keeper:
        try:
            _work(context, definition)
        except FenceLost:
            logger.warning("step taken over", extra={"run": run.id, "step": step.name})
        except definition.transient as error:
            _postponed(context, definition, error)
        except NotYet as error:
            _asked_again(run, step, error)
        except StepFailed as error:
            _ended(step, PipelineStep.Status.FAILED, str(error), "")
        except KeyboardInterrupt:
            _ended(
                step,
                PipelineStep.Status.FAILED,
                "Interrupted; what was committed stays. `retry_failed` goes on from there.",
                "",
            )
            _finished(run, PipelineRun.Status.FAILED, "interrupted")
            raise
        except Exception as error:
            logger.exception("step broke", extra={"run": run.id, "step": step.name})
            _ended(step, PipelineStep.Status.ERRORED, f"{type(error).__name__}: {error}", traceback.format_exc())


def _work(context: StepContext, definition: Step) -> None:
    step = context.step
    labels = list(definition.chunks(context)) if definition.chunks else [""]
    if step.watermark in labels[:-1]:
        labels = labels[labels.index(step.watermark) + 1 :]
    for position, label in enumerate(labels):
        context.base, context.share = position / len(labels), 1 / len(labels)
        payload = definition.compute(context, label)
        with transaction.atomic():
            _hold(step)
            step.records_processed += definition.record(context, payload)
            _committed(context, label, last=position == len(labels) - 1)
        context.report(1, 1)


def _hold(step: PipelineStep) -> None:
    """Take the step's lock for this transaction, and go on only as its present holder."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s::int)", [_LOCK_CLASS, step.pk])
        cursor.execute(
            "SELECT 1 FROM pipeline_execution_tracking s JOIN pipeline_runs r ON r.id = s.run_id"
            " WHERE s.id = %s AND s.fence = %s AND s.status = 'running' AND r.status = 'running'",
            [step.pk, step.fence],
        )
        if cursor.fetchone() is None:
            raise FenceLost


def _committed(context: StepContext, label: str, *, last: bool) -> None:
    now = timezone.now()
    change: dict[str, Any] = {"records_processed": context.step.records_processed, "watermark": label}
    if last:
        change |= {
            "status": PipelineStep.Status.COMPLETED,
            "progress": 1.0,
            "ended_at": now,
            "lease_until": None,
        }
        change["log_lines"] = context.keeper.take_lines()
    PipelineStep.objects.filter(pk=context.step.pk).update(**change)
    PipelineRun.objects.filter(pk=context.run.pk).update(summary=context.run.summary, options=context.run.options)


def _postponed(context: StepContext, definition: Step, error: Exception) -> None:
    step = context.step
    if step.attempts >= definition.max_attempts:
        _ended(step, PipelineStep.Status.FAILED, f"{error} (after {step.attempts} attempts)", "")
        return
    pause = BACK_OFF_SECONDS[min(step.attempts, len(BACK_OFF_SECONDS)) - 1]
    context.log("postponed", reason=str(error), seconds=pause)
    _update_held(
        step,
        status=PipelineStep.Status.PENDING,
        lease_until=None,
        not_before=timezone.now() + timedelta(seconds=pause),
        reason=str(error),
    )


def _asked_again(run: PipelineRun, step: PipelineStep, error: NotYet) -> None:
    now = timezone.now()
    if run.intended_at is None or now > run.intended_at + ASK_AGAIN_FOR:
        _ended(step, PipelineStep.Status.FAILED, str(error), "")
        return
    _update_held(
        step,
        status=PipelineStep.Status.PENDING,
        attempts=step.attempts - 1,
        lease_until=None,
        not_before=now + timedelta(seconds=ASK_AGAIN_SECONDS),
        reason=str(error),
    )


def _ended(step: PipelineStep, status: str, reason: str, trace: str) -> None:
    _update_held(
        step, status=status, reason=reason, traceback=trace, ended_at=timezone.now(), lease_until=None, worker=""
    )


def _update_held(step: PipelineStep, **change: Any) -> None:
    """Change the row only while this worker's fence is the present one."""
    try:
        PipelineStep.objects.filter(pk=step.pk, fence=step.fence).update(**change)
    except DatabaseError:
        # The database went away under the step: the lease runs out, and another delivery takes the step over.
        logger.exception("state not saved", extra={"step": step.name})


def _finished(run: PipelineRun, status: PipelineRun.Status, reason: str = "") -> PipelineRun:
    PipelineRun.objects.filter(pk=run.pk, status=PipelineRun.Status.RUNNING).update(
        status=status, reason=reason, ended_at=timezone.now()
    )
    return PipelineRun.objects.get(pk=run.pk)
