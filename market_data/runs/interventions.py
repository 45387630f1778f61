"""Operators' interventions: cancel and resume a run, hold and unhold an evening.

All but `cancel` take the run-creation lock: of two operators who act at once, the second sees what the first did.
"""

import logging
from datetime import date

from django.db import IntegrityError, transaction
from django.utils import timezone

from market_data.models import EveningHold, PipelineRun, PipelineStep
from market_data.runs import attempts, engine, holds, lifecycle
from market_data.runs.commits import refuse_if_changed_since
from market_data.runs.prerequisites import describe_all, outstanding
from market_data.runs.saga import NotRetryable, SagaError
from market_data.runs.states import run_sources, step_sources

_Status = PipelineRun.Status

logger = logging.getLogger(__name__)


def cancel(run_id: str, triggered_by: str) -> PipelineRun:
    """End an active run; the step in progress is refused at its next commit, and what it committed before stays.

    Raises SagaError when the run is not active.
    """
    run = lifecycle.find_run(run_id)
    now, reason = timezone.now(), f"cancelled by {triggered_by}"
    with transaction.atomic():
        # Steps first, then the run: a worker's commit locks these rows in the same order. This waits for a commit in
        # progress, which stays whole; the raised fence refuses any later one, and a claim decided on before.
        steps = run.steps.filter(status__in=step_sources("cancel"), run__status__in=run_sources("cancel"))
        steps.update(**lifecycle.FREED_STEP, status=PipelineStep.Status.PENDING)
        active = PipelineRun.objects.filter(pk=run.pk, status__in=run_sources("cancel"))
        if not active.update(status=_Status.CANCELLED, reason=reason, ended_at=now):
            run.refresh_from_db()
            raise SagaError(f"{run.id} is {run.get_status_display().lower()}; only an active run can be cancelled.")
        attempts.record_cancel(run, reason)
    logger.info("cancelled", extra={"run": run.id, "by": triggered_by})
    return lifecycle.find_run(run.pk)


def resume(run_id: str, triggered_by: str) -> PipelineRun:
    """Continue a cancelled run where it stopped, or a running one that has lost its worker.

    Raises AlreadyRunning when another run of the job is active; NotRetryable when there is nothing to resume, or a
    later run has completed the job since or changed what the run wrote: the sentence says what to do.
    """
    with transaction.atomic():
        lifecycle.lock_run_creation()
        run = PipelineRun.objects.select_for_update().get(pk=lifecycle.find_run(run_id).pk)
        if run.status in run_sources("resume"):
            _revive(run)
        elif run.status != _Status.RUNNING:
            raise NotRetryable(f"{run.id} is {run.get_status_display().lower()}{_alternative(run)}")
        elif engine.is_leased(run):
            raise NotRetryable(f"{run.id} is at work; there is nothing to resume.")
    logger.info("resumed", extra={"run": run.id, "by": triggered_by})
    return run


def _revive(run: PipelineRun) -> None:
    later = PipelineRun.objects.filter(
        job=run.job, sequence__gt=run.sequence, status=_Status.COMPLETED, is_replay=False
    ).first()
    if later:
        raise NotRetryable(f"{later.id} has completed {run.job} since {run.id}: start the job again instead.")
    refuse_if_changed_since(run)
    run.is_replay = lifecycle.is_replay_now(run)
    waits = bool(outstanding(run)) or holds.is_held(run.session, run.intended_at)
    run.status = _Status.WAITING if waits else _Status.RUNNING
    run.reason, run.ended_at = "", None
    run.started_at = run.started_at or (None if waits else timezone.now())
    run.steps.filter(status__in=step_sources("resume")).update(**lifecycle.FREED_STEP, **lifecycle.FRESH_STEP)
    try:
        with transaction.atomic():
            run.save(update_fields=["status", "reason", "ended_at", "started_at", "is_replay"])
    except IntegrityError as error:
        raise lifecycle.already_running(run.job, error) from error


def _alternative(run: PipelineRun) -> str:
    """Return what to do instead of resuming a run, as the end of a sentence about its status."""
    if run.status == _Status.FAILED:
        return ": retry its failed steps instead."
    if run.status == _Status.WAITING:
        wanted = describe_all(outstanding(run)) or "the release of its evening"
        return f" for {wanted}; it then starts by itself."
    return ": there is nothing to resume; start the job again instead."


def begun_refusal(session: date) -> str:
    """Return why an evening cannot be held any more: one of its planned runs has started; empty when none has."""
    planned = PipelineRun.objects.filter(session=session, is_replay=False).exclude(intended_at=None)
    begun = planned.exclude(status__in=(_Status.WAITING, _Status.SKIPPED)).order_by("sequence").first()
    if begun is None:
        return ""
    state = begun.get_status_display().lower()
    return (
        f"The evening of {session} has begun: {begun.id} is {state}, and a hold only keeps planned runs from starting."
        " Cancel the runs that must not go on, or hold the next evening."
    )


def hold_evening(session: date, held_by: str, reason: str = "") -> EveningHold:
    """Keep the planned runs of a session waiting.

    Raises SagaError when it is held already (the sentence says by whom), or when one of its planned runs has started.
    """
    with transaction.atomic():
        lifecycle.lock_run_creation()
        hold = holds.hold_of(session)
        if hold:
            raise SagaError(f"The evening of {session} is held by {hold.held_by} already; release it first.")
        if refusal := begun_refusal(session):
            raise SagaError(refusal)
        hold = holds.record_hold(session, held_by, reason)
    logger.info("evening held", extra={"session": session, "by": held_by})
    return hold


def unhold_evening(session: date, released_by: str) -> list[PipelineRun]:
    """Let a held evening go and return its planned runs that wait; releasing those is up to the caller.

    Raises SagaError when it is not held.
    """
    with transaction.atomic():
        lifecycle.lock_run_creation()
        if not holds.record_unhold(session, released_by, timezone.now()):
            raise SagaError(f"The evening of {session} is not held.")
    logger.info("evening released", extra={"session": session, "by": released_by})
    return holds.waiting_runs(session)
