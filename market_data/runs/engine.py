"""The saga engine: executes steps under a lease, commits each whole or not at all, resumes what was dropped.

The row of a step *is* its state. `claims` gives it one owner at a time, a lease, renewed over a connection of its own,
protects it, and what the step computes is written in one transaction guarded by the fence. A run may be delivered any
number of times: a delivery that claims nothing does nothing. A database that restarts costs an attempt, not a run.
"""

import logging
import time
import traceback
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from brokers.redaction import redacted
from market_data.models import PipelineRun, PipelineStep
from market_data.runs import attempts, claims, workers
from market_data.runs.attempts import Outcome
from market_data.runs.commits import numbered_commit
from market_data.runs.failures import runbook_entry
from market_data.runs.leases import LeaseKeeper, database_time, has_lease
from market_data.runs.reconnecting import DATABASE_LOST, retry_while_database_is_down
from market_data.runs.saga import FenceLost, Listener, NotYet, Step, StepContext, StepFailed, saga_of
from market_data.runs.states import RunEvent, StepEvent, run_sources, step_sources

PAUSE_GROWTH = 3
"""Factor between the pauses before two attempts: 20, 60, 180 seconds."""

POLL_SECONDS = 300
POLL_FOR = timedelta(hours=4)
_RECHECK_SECONDS = 0.5

_Run, _Step = PipelineRun.Status, PipelineStep.Status

logger = logging.getLogger(__name__)


def advance(run_id: str, *, listener: Listener | None = None, wait: bool = False) -> PipelineRun:
    """Execute what can be executed of a run now, step after step, and return the run as it then stands.

    Delivering the same id twice is harmless. With `wait` it sleeps through pauses between attempts instead of leaving
    them to the next delivery.
    """
    memo: dict[str, Any] = {}
    while True:
        run, step = retry_while_database_is_down(_state, run_id)
        if run.status != _Run.RUNNING:
            return run
        if run.is_replay and not saga_of(run.job).replays:
            return _pass_over(run)
        if step is None:
            return _finish_run(run, "complete")
        if step.status in (_Step.FAILED, _Step.ERRORED):
            return _finish_run(run, "fail", step.reason, failed=step)
        definition = saga_of(run.job).step(step.name)
        if retry_while_database_is_down(claims.claim, step, definition.max_attempts):
            _execute(StepContext(run, step, listener, memo=memo, attempted_at=timezone.now()), definition)
        elif not retry_while_database_is_down(claims.give_up, step, definition.max_attempts):
            pause = retry_while_database_is_down(_seconds_until_claimable, step)
            if not wait or pause is None:
                return retry_while_database_is_down(_state, run_id)[0]
            time.sleep(pause)


def _state(run_id: str) -> tuple[PipelineRun, PipelineStep | None]:
    """Return a run and the first of its steps that is not complete."""
    run = PipelineRun.objects.get(pk=run_id)
    return run, run.steps.exclude(status=_Step.COMPLETED).order_by("order").first()


def _pass_over(run: PipelineRun) -> PipelineRun:
    """Complete the replay of a job that would rewrite the past: it reads and writes nothing."""
    explanation = f"{run.session} is older than the latest session loaded: a replay of {run.job} writes nothing."
    steps = run.steps.filter(status__in=step_sources("pass_over"), run__status__in=run_sources("complete"))
    steps.update(status=_Step.COMPLETED, progress=1.0, reason="replay", ended_at=timezone.now())
    PipelineRun.objects.filter(pk=run.pk).update(summary={"replay": explanation})
    return _finish_run(run, "complete", explanation)


def is_leased(run: PipelineRun) -> bool:
    """Whether a worker that may be alive holds a lease on one of the run's steps."""
    now = database_time()
    running = run.steps.filter(status=_Step.RUNNING)
    return any(has_lease(step, now) and not workers.has_ended(step.worker) for step in running)


def _seconds_until_claimable(step: PipelineStep) -> float | None:
    """Seconds until another claim is worth trying; None when the step has a living owner or has ended."""
    step.refresh_from_db()
    now = database_time()
    if step.status not in step_sources("claim"):
        return None
    if step.not_before is not None and step.not_before > now:
        return (step.not_before - now).total_seconds()
    return None if has_lease(step, now) and not workers.has_ended(step.worker) else _RECHECK_SECONDS


def _execute(context: StepContext, definition: Step) -> None:
    run, step = context.run, context.step
    refusals: tuple[type[Exception], ...] = (StepFailed, *definition.refusals)
    with LeaseKeeper(step.pk, step.fence, settings.STEP_LEASE_SECONDS, list(step.log_lines)) as context.keeper:
        try:
            _work(context, definition)
        except FenceLost:
            # The new owner has moved on: what this process remembers of the run is out of date.
            context.memo.clear()
            logger.warning("step taken over", extra={"run": run.id, "step": step.name})
        except definition.transient as error:
            _postpone(context, definition, error)
        except DATABASE_LOST as error:
            context.memo.clear()
            connection.close()
            _postpone(context, definition, error)
        except NotYet as error:
            _poll_later(context, error)
        except refusals as error:
            _fail(context, str(error), error)
        except KeyboardInterrupt as interrupt:
            _fail(context, "Interrupted; what was committed stays. `retry_failed` resumes from there.", interrupt)
            step.status = _Step.FAILED
            _finish_run(run, "fail", "interrupted", failed=step)
            raise
        except Exception as error:
            logger.exception("step broke", extra={"run": run.id, "step": step.name})
            _break(context, error)


def _work(context: StepContext, definition: Step) -> None:
    step = context.step
    chunks = list(definition.chunks_of(context))
    labels = [chunk.label for chunk in chunks]
    # The last chunk's label marks a completed step, so an unfinished one never has it as its watermark.
    if step.watermark in labels[:-1]:
        chunks = chunks[labels.index(step.watermark) + 1 :]
    for position, chunk in enumerate(chunks):
        context.base, context.share = position / len(chunks), 1 / len(chunks)
        result = chunk.compute(context)
        with transaction.atomic():
            claims.verify_fence(step)
            step.records_processed += chunk.record(context, result)
            _save_progress(context, chunk.label, is_last=position == len(chunks) - 1)
        context.report(1, 1)


def _save_progress(context: StepContext, label: str, *, is_last: bool) -> None:
    """Update the rows of step and run in the transaction of the chunk.

    Raises FenceLost when the run was cancelled since the fence was verified: the chunk is not committed either.
    """
    step = context.step
    change: dict[str, Any] = {"records_processed": step.records_processed, "watermark": label}
    if is_last:
        change |= {"status": _Step.COMPLETED, "progress": 1.0, "ended_at": Now(), "lease_until": None}
        change["log_lines"] = context.keeper.take_lines()
    else:
        # Only deaths without progress count: a long load may survive any number of restarts.
        change["fruitless_attempts"] = step.fruitless_attempts = 1
    if not _owned(step, "complete").update(**change):
        raise FenceLost
    if is_last:
        attempts.record_end(step, Outcome.COMPLETED, context.keeper.attempt_lines())
    figures = {"summary": context.run.summary, "options": context.run.options}
    PipelineRun.objects.filter(pk=context.run.pk).update(**figures, **numbered_commit())


def _postpone(context: StepContext, definition: Step, error: Exception) -> None:
    step, reason = context.step, str(error).strip()
    if step.fruitless_attempts >= definition.max_attempts:
        _fail(context, f"{reason} (after {step.fruitless_attempts} attempts)", error)
        return
    pause = settings.STEP_PAUSE_SECONDS * PAUSE_GROWTH ** (step.fruitless_attempts - 1)
    context.log("postponed", reason=reason, seconds=pause)
    _return_to_pending(context, pause, Outcome.POSTPONED, reason)


def _poll_later(context: StepContext, error: NotYet) -> None:
    run, step = context.run, context.step
    deadline = run.intended_at + POLL_FOR if run.intended_at else None
    if deadline is None or timezone.now() > deadline:
        until = f" It was polled for until {timezone.localtime(deadline):%Y-%m-%d %H:%M}." if deadline else ""
        _fail(context, f"{error}{until}", error)
        return
    logger.info("polled again later", extra={"run": run.id, "step": step.name, "seconds": POLL_SECONDS})
    # A poll may be repeated without limit.
    unlimited = {"fruitless_attempts": step.fruitless_attempts - 1}
    _return_to_pending(context, POLL_SECONDS, Outcome.WAITED, str(error), **unlimited)


def _return_to_pending(
    context: StepContext, pause_seconds: float, outcome: Outcome, reason: str, **change: Any
) -> None:
    not_before = Now() + timedelta(seconds=pause_seconds)
    change |= {"status": _Step.PENDING, "lease_until": None, "not_before": not_before, "reason": reason}
    _update_owned(context, "postpone", outcome, **change)


def _fail(context: StepContext, reason: str, error: BaseException) -> None:
    _end_step(context, "fail", _Step.FAILED, Outcome.FAILED, reason, error)


def _break(context: StepContext, error: Exception) -> None:
    reason, trace = f"{type(error).__name__}: {error}", traceback.format_exc()
    _end_step(context, "break", _Step.ERRORED, Outcome.ERRORED, reason, error, trace)


def _end_step(
    context: StepContext,
    event: StepEvent,
    status: PipelineStep.Status,
    outcome: Outcome,
    reason: str,
    error: BaseException,
    trace: str = "",
) -> None:
    change: dict[str, Any] = {"status": status, "ended_at": Now(), "lease_until": None}
    change |= {"reason": reason, "runbook": runbook_entry(error), "traceback": trace}
    _update_owned(context, event, outcome, **change)


def _owned(step: PipelineStep, event: StepEvent) -> QuerySet[PipelineStep]:
    """Return the step's row as long as this worker owns it and its state permits the event."""
    return PipelineStep.objects.filter(pk=step.pk, fence=step.fence, status__in=step_sources(event))


def _update_owned(context: StepContext, event: StepEvent, outcome: Outcome, **change: Any) -> None:
    # What an error says, and its traceback, may quote a password or a token.
    change = {name: redacted(value) for name, value in change.items()}
    try:
        retry_while_database_is_down(_end_attempt, context, event, outcome, change)
    except DATABASE_LOST:
        # It stays away: the lease expires, and another delivery takes the step over.
        logger.exception("state not saved", extra={"step": context.step.name})


def _end_attempt(context: StepContext, event: StepEvent, outcome: Outcome, change: dict[str, Any]) -> None:
    step = context.step
    with transaction.atomic():
        # Conditional: a commit whose confirmation was lost may have completed the step.
        if _owned(step, event).update(**change):
            lines, trace = context.keeper.attempt_lines(), change.get("traceback", "")
            attempts.record_end(step, outcome, lines, change["reason"], trace)


def _finish_run(run: PipelineRun, event: RunEvent, reason: str = "", failed: PipelineStep | None = None) -> PipelineRun:
    """End a run as completed or, because of a `failed` step, as failed, and return it as it then stands.

    It ends only if what was read still holds: no step is left, or the failed one was not retried since (which raises
    its fence, and is another delivery's to end).
    """
    retry_while_database_is_down(_end_run, run, event, reason, failed)
    return retry_while_database_is_down(PipelineRun.objects.get, pk=run.pk)


def _end_run(run: PipelineRun, event: RunEvent, reason: str, failed: PipelineStep | None) -> None:
    steps = PipelineStep.objects.filter(run=run)
    if failed is None:
        status, still_holds = _Run.COMPLETED, Q(~Exists(steps.exclude(status=_Step.COMPLETED)))
    else:
        unchanged = steps.filter(pk=failed.pk, fence=failed.fence, status=failed.status)
        status, still_holds = _Run.FAILED, Q(Exists(unchanged))
    with transaction.atomic():
        # A retry locks the run first: only a statement that begins after it has ended sees its steps.
        PipelineRun.objects.select_for_update().get(pk=run.pk)
        running = PipelineRun.objects.filter(still_holds, pk=run.pk, status__in=run_sources(event))
        running.update(status=status, reason=reason, ended_at=Now())
