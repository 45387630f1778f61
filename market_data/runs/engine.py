"""The saga engine: runs steps under a lease, commits them whole or not at all, picks up what was dropped.

The row of a step *is* its state: `claims` says who may work on it, a lease, renewed over a connection of its own, holds
it, and what it computes is written in one transaction that the fence guards. A delivery of the same run may come any
number of times: who claims nothing does nothing. A database that goes away and comes back costs an attempt, not a run.
"""

import logging
import time
import traceback
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from market_data.models import PipelineRun, PipelineStep
from market_data.runs import claims, workers
from market_data.runs.failures import runbook_entry
from market_data.runs.leases import LeaseKeeper
from market_data.runs.reconnecting import DATABASE_LOST, retry_while_database_is_down
from market_data.runs.saga import FenceLost, Listener, NotYet, Step, StepContext, StepFailed, saga_of

PAUSE_GROWTH = 3
"""Each pause between attempts is so many times the one before: 20, 60, 180 seconds."""

ASK_AGAIN_SECONDS = 300
ASK_AGAIN_FOR = timedelta(hours=4)
_LOOK_AGAIN_SECONDS = 0.5

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
        run, step = retry_while_database_is_down(_state, run_id)
        if run.status != PipelineRun.Status.RUNNING:
            return run
        if run.is_replay and not saga_of(run.job).replays:
            return _passed_over(run)
        if step is None:
            return _finish_run(run, PipelineRun.Status.COMPLETED)
        if step.status in (PipelineStep.Status.FAILED, PipelineStep.Status.ERRORED):
            return _finish_run(run, PipelineRun.Status.FAILED, step.reason)
        definition = saga_of(run.job).step(step.name)
        if retry_while_database_is_down(claims.claim, step, definition.max_attempts):
            _execute(StepContext(run, step, listener, memo=memo, began=timezone.now()), definition)
        elif not retry_while_database_is_down(claims.give_up, step, definition.max_attempts):
            pause = retry_while_database_is_down(_pause, step)
            if not wait or pause is None:
                return retry_while_database_is_down(_state, run_id)[0]
            time.sleep(pause)


def _state(run_id: str) -> tuple[PipelineRun, PipelineStep | None]:
    """Return a run and the first of its steps that is not complete."""
    run = PipelineRun.objects.get(pk=run_id)
    return run, run.steps.exclude(status=PipelineStep.Status.COMPLETED).order_by("order").first()


def _passed_over(run: PipelineRun) -> PipelineRun:
    """End the replay of a job that would rewrite the past: nothing is read and nothing written."""
    said = f"{run.session} is older than the latest session loaded: a replay of {run.job} writes nothing."
    done = PipelineStep.Status.COMPLETED
    run.steps.update(status=done, progress=1.0, reason="replay", ended_at=timezone.now())
    PipelineRun.objects.filter(pk=run.pk).update(summary={"replay": said})
    return _finish_run(run, PipelineRun.Status.COMPLETED, said)


def is_leased(run: PipelineRun) -> bool:
    """Whether a worker that may be alive holds a lease on one of the run's steps."""
    held = run.steps.filter(status=PipelineStep.Status.RUNNING, lease_until__gt=timezone.now())
    return any(not workers.has_ended(worker) for worker in held.values_list("worker", flat=True))


def _pause(step: PipelineStep) -> float | None:
    """Seconds until it is worth asking for the step again; None when it is in other hands or done."""
    step.refresh_from_db()
    now = timezone.now()
    if step.status not in (PipelineStep.Status.PENDING, PipelineStep.Status.RUNNING):
        return None
    if step.not_before is not None and step.not_before > now:
        return (step.not_before - now).total_seconds()
    held = step.lease_until is not None and step.lease_until > now and not workers.has_ended(step.worker)
    return None if held else _LOOK_AGAIN_SECONDS


def _execute(context: StepContext, definition: Step) -> None:
    run, step = context.run, context.step
    refusals: tuple[type[Exception], ...] = (StepFailed, *definition.refusals)
    with LeaseKeeper(step.pk, step.fence, settings.STEP_LEASE_SECONDS, list(step.log_lines)) as context.keeper:
        try:
            _work(context, definition)
        except FenceLost:
            # Whoever took it over has gone on since: what this process remembers of the run is of the past.
            context.memo.clear()
            logger.warning("step taken over", extra={"run": run.id, "step": step.name})
        except definition.transient as error:
            _postpone(context, definition, error)
        except DATABASE_LOST as error:
            context.memo.clear()
            connection.close()
            _postpone(context, definition, error)
        except NotYet as error:
            _poll_later(run, step, error)
        except refusals as error:
            _fail(step, str(error), error)
        except KeyboardInterrupt as interrupt:
            _fail(step, "Interrupted; what was committed stays. `retry_failed` goes on from there.", interrupt)
            _finish_run(run, PipelineRun.Status.FAILED, "interrupted")
            raise
        except Exception as error:
            logger.exception("step broke", extra={"run": run.id, "step": step.name})
            reason, trace = f"{type(error).__name__}: {error}", traceback.format_exc()
            _end_step(step, PipelineStep.Status.ERRORED, reason=reason, runbook=runbook_entry(error), traceback=trace)


def _work(context: StepContext, definition: Step) -> None:
    step = context.step
    chunks = list(definition.chunks_of(context))
    labels = [chunk.label for chunk in chunks]
    if step.watermark in labels[:-1]:
        chunks = chunks[labels.index(step.watermark) + 1 :]
    for position, chunk in enumerate(chunks):
        context.base, context.share = position / len(chunks), 1 / len(chunks)
        result = chunk.compute(context)
        with transaction.atomic():
            claims.verify_fence(step)
            step.records_processed += chunk.record(context, result)
            _committed(context, chunk.label, last=position == len(chunks) - 1)
        context.report(1, 1)


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
    else:
        # Attempts count deaths without progress: a long load may survive any number of restarts.
        change["attempts"] = context.step.attempts = 1
    PipelineStep.objects.filter(pk=context.step.pk).update(**change)
    PipelineRun.objects.filter(pk=context.run.pk).update(summary=context.run.summary, options=context.run.options)


def _postpone(context: StepContext, definition: Step, error: Exception) -> None:
    step = context.step
    if step.attempts >= definition.max_attempts:
        _fail(step, f"{str(error).strip()} (after {step.attempts} attempts)", error)
        return
    pause = settings.STEP_PAUSE_SECONDS * PAUSE_GROWTH ** (step.attempts - 1)
    context.log("postponed", reason=str(error).strip(), seconds=pause)
    _update_owned(
        step,
        status=PipelineStep.Status.PENDING,
        lease_until=None,
        not_before=timezone.now() + timedelta(seconds=pause),
        reason=str(error).strip(),
    )


def _poll_later(run: PipelineRun, step: PipelineStep, error: NotYet) -> None:
    now = timezone.now()
    deadline = run.intended_at + ASK_AGAIN_FOR if run.intended_at else None
    if deadline is None or now > deadline:
        until = f" It was asked for until {timezone.localtime(deadline):%Y-%m-%d %H:%M}." if deadline else ""
        _fail(step, f"{error}{until}", error)
        return
    logger.info("asked again later", extra={"run": run.id, "step": step.name, "seconds": ASK_AGAIN_SECONDS})
    _update_owned(
        step,
        status=PipelineStep.Status.PENDING,
        attempts=step.attempts - 1,
        lease_until=None,
        not_before=now + timedelta(seconds=ASK_AGAIN_SECONDS),
        reason=str(error),
    )


def _fail(step: PipelineStep, reason: str, error: BaseException) -> None:
    _end_step(step, PipelineStep.Status.FAILED, reason=reason, runbook=runbook_entry(error), traceback="")


def _end_step(step: PipelineStep, status: PipelineStep.Status, **facts: str) -> None:
    _update_owned(step, status=status, ended_at=timezone.now(), lease_until=None, worker="", **facts)


def _update_owned(step: PipelineStep, **change: Any) -> None:
    """Change the row only while this worker holds it; a commit whose answer was lost may have completed it."""
    held = PipelineStep.objects.filter(pk=step.pk, fence=step.fence, status=PipelineStep.Status.RUNNING)
    try:
        retry_while_database_is_down(held.update, **change)
    except DATABASE_LOST:
        # It stays away: the lease runs out, and another delivery takes the step over.
        logger.exception("state not saved", extra={"step": step.name})


def _finish_run(run: PipelineRun, status: PipelineRun.Status, reason: str = "") -> PipelineRun:
    running = PipelineRun.objects.filter(pk=run.pk, status=PipelineRun.Status.RUNNING)
    retry_while_database_is_down(running.update, status=status, reason=reason, ended_at=timezone.now())
    return retry_while_database_is_down(PipelineRun.objects.get, pk=run.pk)
