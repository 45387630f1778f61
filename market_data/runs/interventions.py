"""What a person does to a run beside starting, retrying and rolling it back: cancel, resume, hold and let go.

Each takes the lock under which runs begin, so that of two people who press at once the second sees what the first did.
"""

import logging
from datetime import date
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from market_data.models import EveningHold, PipelineRun, PipelineStep
from market_data.runs import engine, holds, lifecycle
from market_data.runs.prerequisites import describe_all, missing_prerequisites
from market_data.runs.saga import NotRetryable, SagaError

_Status = PipelineRun.Status

logger = logging.getLogger(__name__)


def cancel(run_id: str, triggered_by: str) -> PipelineRun:
    """End an active run; a step at work is refused at its next commit, and what was committed before stays.

    Raises
    ------
    SagaError
        When the run is not active.
    """
    run = lifecycle.find_run(run_id)
    now, reason = timezone.now(), f"cancelled by {triggered_by}"
    with transaction.atomic():
        # Steps first, then the run: the order in which a worker's commit takes these rows. A commit under way is waited
        # for here and stays whole; afterwards its fence is gone.
        run.steps.filter(status=PipelineStep.Status.RUNNING, run__status=_Status.RUNNING).update(
            status=PipelineStep.Status.PENDING, fence=F("fence") + 1, lease_until=None, worker="", reason=reason
        )
        active = PipelineRun.objects.filter(pk=run.pk, status__in=PipelineRun.ACTIVE)
        if not active.update(status=_Status.CANCELLED, reason=reason, ended_at=now):
            run.refresh_from_db()
            raise SagaError(f"{run.id} is {run.get_status_display().lower()}; only an active run can be cancelled.")
    logger.info("cancelled", extra={"run": run.id, "by": triggered_by})
    return lifecycle.find_run(run.pk)


def resume(run_id: str, triggered_by: str) -> PipelineRun:
    """Go on with a cancelled run where it stopped, or with a running one whose worker was lost.

    Raises
    ------
    AlreadyRunning
        When another run of the job is active.
    NotRetryable
        When there is nothing to go on with, or a later run has done the job since; the sentence says what to do.
    """
    with transaction.atomic():
        lifecycle.lock_run_creation()
        run = PipelineRun.objects.select_for_update().get(pk=lifecycle.find_run(run_id).pk)
        if run.status == _Status.RUNNING:
            _refuse_held(run)
        elif run.status == _Status.CANCELLED:
            _revive(run)
        else:
            raise NotRetryable(_what_instead(run))
    logger.info("resumed", extra={"run": run.id, "by": triggered_by})
    return run


def _refuse_held(run: PipelineRun) -> None:
    if engine.is_leased(run):
        raise NotRetryable(f"{run.id} is at work; there is nothing to resume.")


def _revive(run: PipelineRun) -> None:
    _refuse_when_done_since(run)
    waits = bool(missing_prerequisites(run.waits_for, run.session)) or holds.is_held(run.session, run.intended_at)
    run.status = _Status.WAITING if waits else _Status.RUNNING
    run.reason, run.ended_at = "", None
    run.started_at = run.started_at or (None if waits else timezone.now())
    run.steps.exclude(status=PipelineStep.Status.COMPLETED).update(
        status=PipelineStep.Status.PENDING,
        attempts=0,
        not_before=None,
        reason="",
        runbook="",
        traceback="",
        ended_at=None,
    )
    try:
        with transaction.atomic():
            run.save(update_fields=["status", "reason", "ended_at", "started_at"])
    except IntegrityError as error:
        raise lifecycle.already_running(run.job, error) from error


def _refuse_when_done_since(run: PipelineRun) -> None:
    later = PipelineRun.objects.filter(
        job=run.job, sequence__gt=run.sequence, status=_Status.COMPLETED, is_replay=False
    ).first()
    if later:
        raise NotRetryable(f"{later.id} has done {run.job} since {run.id}: start the job anew instead.")


def _what_instead(run: PipelineRun) -> str:
    told = f"{run.id} is {run.get_status_display().lower()}"
    if run.status == _Status.FAILED:
        return f"{told}: retry its failed steps instead."
    if run.status == _Status.WAITING:
        waits = describe_all(missing_prerequisites(run.waits_for, run.session)) or "the release of its evening"
        return f"{told} for {waits}; it goes on by itself then."
    return f"{told}: there is nothing to resume; start the job anew instead."


def hold_evening(session: date, held_by: str, reason: str = "") -> EveningHold:
    """Keep the planned runs of a session waiting; those already running go on.

    Raises
    ------
    SagaError
        When somebody holds it already, who is named.
    """
    with transaction.atomic():
        lifecycle.lock_run_creation()
        held = holds.hold_of(session)
        if held:
            raise SagaError(f"The evening of {session} is held by {held.held_by} already; release it first.")
        held = holds.record_hold(session, held_by, reason)
    logger.info("evening held", extra={"session": session, "by": held_by})
    return held


class Release(NamedTuple):
    """What a release let go."""

    session: date
    waiting: list[PipelineRun]


def release_evening(session: date, released_by: str) -> Release:
    """Let a held evening go; the caller has the waiting runs looked at.

    Raises
    ------
    SagaError
        When it is not held.
    """
    with transaction.atomic():
        lifecycle.lock_run_creation()
        if not holds.record_release(session, released_by, timezone.now()):
            raise SagaError(f"The evening of {session} is not held.")
    logger.info("evening released", extra={"session": session, "by": released_by})
    return Release(session, holds.waiting_runs(session))
