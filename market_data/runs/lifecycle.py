"""The life of a run outside its steps: it is created, started, skipped or retried."""

import logging
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone

from market_data.models import PipelineRun, PipelineStep, SourceFile
from market_data.runs import holds
from market_data.runs.saga import (
    AlreadyRunning,
    NoSuchRun,
    NotRetryable,
    OtherMarket,
    SagaError,
    saga_of,
)

_CREATION_LOCK = 5002

logger = logging.getLogger(__name__)


def create_run(
    job: str,
    session: date | None,
    *,
    triggered_by: str,
    waits_for: Sequence[str] = (),
    intended_at: datetime | None = None,
    options: dict[str, Any] | None = None,
) -> PipelineRun:
    """Create a run with its steps, waiting or ready; one for a session older than the latest loaded one is a replay.

    A planned run of an evening that is held waits. `waits_for` holds its prerequisites as they are stored (see
    `prerequisites`).

    Raises
    ------
    AlreadyRunning
        When a run of the job is active.
    OtherMarket
        When the database was filled by the other kind of provider.
    """
    saga = saga_of(job)
    _refuse_other_market()
    try:
        with transaction.atomic():
            sequence, now = _next_sequence(), timezone.now()
            _refuse_second(job, intended_at)
            waits = bool(waits_for) or holds.is_held(session, intended_at)
            run = PipelineRun.objects.create(
                id=_free_id(job, now),
                sequence=sequence,
                job=job,
                session=session,
                provider=settings.MARKET_DATA_PROVIDER,
                provider_kind=settings.PROVIDER_KIND,
                triggered_by=triggered_by,
                intended_at=intended_at,
                status=PipelineRun.Status.WAITING if waits else PipelineRun.Status.RUNNING,
                waits_for=list(waits_for),
                options=options or {},
                is_replay=_is_replay(session),
                started_at=None if waits else now,
            )
            steps = [PipelineStep(run=run, name=step.name, order=order) for order, step in enumerate(saga.steps)]
            PipelineStep.objects.bulk_create(steps)
    except IntegrityError as error:  # a failed run of the job was retried at the same moment
        raise already_running(job, error) from error
    return run


def _refuse_second(job: str, intended_at: datetime | None) -> None:
    """Refuse a second run beside an active one, and a second one for the same planned time; under the lock."""
    active = PipelineRun.objects.filter(job=job, status__in=PipelineRun.ACTIVE).first()
    planned = (
        PipelineRun.objects.filter(job=job, intended_at=intended_at) if intended_at else PipelineRun.objects.none()
    )
    other = planned.first() or active
    if other:
        raise AlreadyRunning(job, other.id)


def already_running(job: str, error: IntegrityError) -> AlreadyRunning | IntegrityError:
    """Return what a second active run of a job is refused with; any other broken constraint as it is."""
    active = PipelineRun.objects.filter(job=job, status__in=PipelineRun.ACTIVE).first()
    return error if active is None else AlreadyRunning(job, active.id)


def retry_failed(run_id: str, triggered_by: str, step: str | None = None) -> tuple[PipelineRun, list[str]]:
    """Make the failed steps of a run (or the one named) ready again, on the same rows; return the run and their names.

    Raises
    ------
    NotRetryable
        When the run is active, complete or rolled back.
    SagaError
        When there is no such run.
    """
    run = find_run(run_id)
    with transaction.atomic():
        lock_run_creation()
        run = PipelineRun.objects.select_for_update().get(pk=run.pk)
        steps = run.steps.filter(status__in=(PipelineStep.Status.FAILED, PipelineStep.Status.ERRORED))
        if step is not None:
            steps = _failed_step(run, step)
        names = list(steps.values_list("name", flat=True))
        if run.status != PipelineRun.Status.FAILED or not names:
            raise NotRetryable(f"{run.id} is {run.get_status_display().lower()} and has no failed step to retry.")
        active = PipelineRun.objects.filter(job=run.job, status__in=PipelineRun.ACTIVE).first()
        if active:
            raise AlreadyRunning(run.job, active.id)
        steps.update(
            status=PipelineStep.Status.PENDING,
            attempts=0,
            fence=F("fence") + 1,
            not_before=None,
            lease_until=None,
            reason="",
            runbook="",
            traceback="",
            ended_at=None,
        )
        run.status, run.reason, run.ended_at = PipelineRun.Status.RUNNING, "", None
        run.aliases = [*run.aliases, f"retry_{timezone.localtime():%Y%m%d_%H%M%S}"]
        try:
            with transaction.atomic():
                run.save(update_fields=["status", "reason", "ended_at", "aliases"])
        except IntegrityError as error:  # a new run of the job was created at the same moment
            raise already_running(run.job, error) from error
    logger.info("retry", extra={"run": run.id, "steps": names, "by": triggered_by})
    return run, names


def _failed_step(run: PipelineRun, name: str) -> "QuerySet[PipelineStep]":
    found = run.steps.filter(name=name)
    step = found.first()
    if step is None:
        raise SagaError(f"{run.id} has no step {name!r}; its steps are {', '.join(saga_of(run.job).names)}.")
    if step.status not in (PipelineStep.Status.FAILED, PipelineStep.Status.ERRORED):
        raise NotRetryable(f"{step.name} of {run.id} is {step.get_status_display().lower()}: it has not failed.")
    return found


def find_run(run_id: str) -> PipelineRun:
    """Return a run by its id or by one of its aliases.

    Raises
    ------
    NoSuchRun
        When there is none.
    """
    run = (
        PipelineRun.objects.filter(pk=run_id).first() or PipelineRun.objects.filter(aliases__contains=[run_id]).first()
    )
    if run is None:
        raise NoSuchRun(f"There is no run {run_id[:70]!r}; `system_status` lists the latest ones.")
    return run


def _refuse_other_market() -> None:
    other = PipelineRun.objects.exclude(provider_kind=settings.PROVIDER_KIND).first()
    if other:
        raise OtherMarket(
            f"This database holds a {other.provider_kind} market ({other.id}), and"
            f" MARKET_DATA_PROVIDER={settings.MARKET_DATA_PROVIDER} is {settings.PROVIDER_KIND}. Use another database,"
            f" or go back to MARKET_DATA_PROVIDER={other.provider}."
        )


def _is_replay(session: date | None) -> bool:
    latest = SourceFile.objects.aggregate(latest=Max("session"))["latest"]
    return session is not None and latest is not None and session < latest


def _free_id(job: str, now: datetime) -> str:
    stem = f"{job}_{timezone.localtime(now):%Y%m%d_%H%M%S}"
    taken = set(PipelineRun.objects.filter(pk__startswith=stem).values_list("pk", flat=True))
    return next(name for name in (stem, *(f"{stem}_{number}" for number in range(2, 1000))) if name not in taken)


def _next_sequence() -> int:
    """Return the next number, under a lock until the transaction ends, so that runs are created one after the other."""
    lock_run_creation()
    return int(PipelineRun.objects.aggregate(latest=Max("sequence"))["latest"] or 0) + 1


def start_waiting_run(run: PipelineRun) -> bool:
    """Turn a waiting run into a running one unless its evening is held; True for the single caller that did it."""
    waiting = PipelineRun.objects.filter(pk=run.pk, status=PipelineRun.Status.WAITING)
    with transaction.atomic():
        lock_run_creation()
        if holds.is_held(run.session, run.intended_at):
            return False
        changed = waiting.update(status=PipelineRun.Status.RUNNING, started_at=timezone.now(), reason="")
    run.refresh_from_db()
    return bool(changed)


def record_skipped(
    job: str, reason: str, *, session: date | None = None, intended_at: datetime | None = None
) -> PipelineRun:
    """Keep a run that was planned and not done, with the reason."""
    with transaction.atomic():
        sequence, now = _next_sequence(), timezone.now()
        return PipelineRun.objects.create(
            id=_free_id(job, now),
            sequence=sequence,
            job=job,
            session=session,
            provider=settings.MARKET_DATA_PROVIDER,
            provider_kind=settings.PROVIDER_KIND,
            triggered_by="schedule",
            intended_at=intended_at,
            status=PipelineRun.Status.SKIPPED,
            reason=reason,
            ended_at=now,
        )


def skip_older_waiting(job: str, session: date | None) -> int:
    """Give up runs of the job that still wait for an earlier session, so that tonight's can be created."""
    waiting = PipelineRun.objects.filter(job=job, status=PipelineRun.Status.WAITING).exclude(session=session)
    reason = f"It still waited, for its prerequisites or to be released; the run for {session} takes its place."
    return waiting.update(status=PipelineRun.Status.SKIPPED, reason=reason, ended_at=timezone.now())


def lock_run_creation() -> None:
    """Block run creation until this transaction ends; rollbacks serialize on the same lock."""
    with connection.cursor() as cursor:
        # A holder that hangs (stopped, or cut off) for longer than a lease must not block everybody else.
        timeout = f"{settings.STEP_LEASE_SECONDS}s"
        cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", [timeout])
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CREATION_LOCK])
