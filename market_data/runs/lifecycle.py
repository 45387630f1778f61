"""The life of a run outside its steps: it is created, started, skipped or retried."""

import itertools
import logging
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone

from market_data.models import PipelineRun, PipelineStep, SourceFile
from market_data.runs import holds
from market_data.runs.commits import refuse_if_changed_since
from market_data.runs.prerequisites import outstanding, runs_with_earlier_turn
from market_data.runs.saga import AlreadyRunning, NoSuchRun, NotRetryable, OtherMarket, SagaError, saga_of
from market_data.runs.states import run_sources, step_sources

FRESH_STEP: Final[dict[str, Any]] = {
    "status": PipelineStep.Status.PENDING,
    "fruitless_attempts": 0,
    "not_before": None,
    "ended_at": None,
    **dict.fromkeys(("reason", "runbook", "traceback"), ""),
}
"""What a step is set to that is to be executed once more."""

FREED_STEP: Final[dict[str, Any]] = {"fence": F("fence") + 1, "lease_until": None, "worker": ""}
"""What takes a step away from its owner: it may be claimed at once, and whoever had it may no longer write."""

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
    """Create a run with its steps; it waits if it has prerequisites or its evening is held, or if it is not its turn.

    A run for a session older than the latest loaded one is a replay. `waits_for` holds the prerequisites as text (see
    `prerequisites`). Raises AlreadyRunning when a run of the job is active, OtherMarket when the database was filled by
    the other kind of provider.
    """
    saga = saga_of(job)
    _refuse_other_market()
    try:
        with transaction.atomic():
            lock_run_creation()
            _refuse_duplicate(job, intended_at)
            now = timezone.now()
            run = _new_run(job, session, intended_at, triggered_by, now)
            run.waits_for, run.options, run.is_replay = list(waits_for), options or {}, _is_replay(session)
            waits = bool(waits_for) or holds.is_held(session, intended_at) or bool(runs_with_earlier_turn(run))
            run.status = PipelineRun.Status.WAITING if waits else PipelineRun.Status.RUNNING
            run.started_at = None if waits else now
            run.save(force_insert=True)
            steps = [PipelineStep(run=run, name=step.name, order=order) for order, step in enumerate(saga.steps)]
            PipelineStep.objects.bulk_create(steps)
    except IntegrityError as error:  # a failed run of the job was retried at the same moment
        raise already_running(job, error) from error
    return run


def _refuse_duplicate(job: str, intended_at: datetime | None) -> None:
    """Refuse a second active run of the job and a second run for the same planned time; call with the lock held."""
    other = _planned_run(job, intended_at) or _active_run(job)
    if other:
        raise AlreadyRunning(job, other.id)


def _planned_run(job: str, intended_at: datetime | None) -> PipelineRun | None:
    return PipelineRun.objects.filter(job=job, intended_at=intended_at).first() if intended_at else None


def _active_run(job: str) -> PipelineRun | None:
    return PipelineRun.objects.filter(job=job, status__in=PipelineRun.ACTIVE).first()


def already_running(job: str, error: IntegrityError) -> AlreadyRunning | IntegrityError:
    """Translate a violation of "one active run a job"; any other violation is returned as it is."""
    active = _active_run(job)
    return error if active is None else AlreadyRunning(job, active.id)


def retry_failed(run_id: str, triggered_by: str, step: str | None = None) -> tuple[PipelineRun, list[str]]:
    """Make a run's failed steps, or the named one, pending again, on the same rows; return the run and their names.

    A failed run whose next step is pending continues with that one; it waits if it is not its turn on its tables. The
    run is found under one more id, its last alias. Raises NotRetryable when the run has not failed, or a later run has
    changed what it wrote, AlreadyRunning when another run of the job is active, NoSuchRun or
    SagaError when there is no such run or step.
    """
    run = find_run(run_id)
    with transaction.atomic():
        lock_run_creation()
        run = PipelineRun.objects.select_for_update().get(pk=run.pk)
        steps = run.steps.filter(status__in=step_sources("retry"))
        if step is not None:
            _refuse_unfailed(run, step)
            steps = steps.filter(name=step)
        names = list(steps.values_list("name", flat=True))
        if not names and step is None:
            # Ended although its failed step had been made ready again: it goes on with that one.
            names = list(run.steps.filter(status=PipelineStep.Status.PENDING).values_list("name", flat=True)[:1])
        if run.status not in run_sources("retry") or not names:
            raise NotRetryable(f"{run.id} is {run.get_status_display().lower()} and has no failed step to retry.")
        active = _active_run(run.job)
        if active:
            raise AlreadyRunning(run.job, active.id)
        refuse_if_changed_since(run)
        steps.update(**FREED_STEP, **FRESH_STEP)
        run.is_replay = is_replay_now(run)
        waits = bool(runs_with_earlier_turn(run))
        run.status = PipelineRun.Status.WAITING if waits else PipelineRun.Status.RUNNING
        run.reason, run.ended_at = "", None
        run.aliases = [*run.aliases, free_id("retry", timezone.now())]
        try:
            with transaction.atomic():
                run.save(update_fields=["status", "reason", "ended_at", "aliases", "is_replay"])
        except IntegrityError as error:  # a new run of the job was created at the same moment
            raise already_running(run.job, error) from error
    logger.info("retry", extra={"run": run.id, "steps": names, "by": triggered_by})
    return run, names


def _refuse_unfailed(run: PipelineRun, name: str) -> None:
    step = run.steps.filter(name=name).first()
    if step is None:
        raise SagaError(f"{run.id} has no step {name!r}; its steps are {', '.join(saga_of(run.job).names)}.")
    if step.status not in step_sources("retry"):
        raise NotRetryable(f"{step.name} of {run.id} is {step.get_status_display().lower()}: it has not failed.")


def find_run(run_id: str) -> PipelineRun:
    """Return a run by its id or by one of its aliases; raises NoSuchRun when there is none."""
    runs = PipelineRun.objects
    run = runs.filter(pk=run_id).first() or runs.filter(aliases__contains=[run_id]).first()
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
    latest = SourceFile.objects.filter(status="final").aggregate(latest=Max("session"))["latest"]
    return session is not None and latest is not None and session < latest


def is_replay_now(run: PipelineRun) -> bool:
    """Whether a run that starts or goes on now is a replay: later sessions may have been loaded since its creation."""
    return run.is_replay or (run.last_commit is None and _is_replay(run.session))


def free_id(prefix: str, now: datetime) -> str:
    """Return an id that no run has and no alias is, however many are made in a second; call with the lock held."""
    stem = f"{prefix}_{timezone.localtime(now):%Y%m%d_%H%M%S}"
    names = itertools.chain([stem], (f"{stem}_{number}" for number in itertools.count(2)))
    return next(name for name in names if not _runs_called(name).exists())


def _runs_called(name: str) -> QuerySet[PipelineRun]:
    return PipelineRun.objects.filter(Q(pk=name) | Q(aliases__contains=[name]))


def _new_run(
    job: str, session: date | None, intended_at: datetime | None, triggered_by: str, now: datetime
) -> PipelineRun:
    """Return the next run, not stored yet; call with the lock held."""
    return PipelineRun(
        id=free_id(job, now),
        # The lock lasts until the transaction ends: numbers follow the order of commits.
        sequence=int(PipelineRun.objects.aggregate(latest=Max("sequence"))["latest"] or 0) + 1,
        job=job,
        session=session,
        provider=settings.MARKET_DATA_PROVIDER,
        provider_kind=settings.PROVIDER_KIND,
        triggered_by=triggered_by,
        intended_at=intended_at,
    )


def start_waiting_run(run: PipelineRun) -> bool:
    """Turn a waiting run into a running one if it need not wait any longer; True for the single caller that did it.

    A prerequisite may have been rolled back since the caller looked. A run that was retried or resumed is cancelled
    instead when a run before it in the queue has changed what it wrote.
    """
    now = timezone.now()
    with transaction.atomic():
        lock_run_creation()
        run.refresh_from_db()
        if run.status not in run_sources("start"):
            return False
        run.is_replay = is_replay_now(run)
        if outstanding(run) or holds.is_held(run.session, run.intended_at):
            return False
        waiting = PipelineRun.objects.filter(pk=run.pk, status__in=run_sources("start"))
        try:
            refuse_if_changed_since(run)
        except NotRetryable as refusal:
            waiting.update(status=PipelineRun.Status.CANCELLED, reason=str(refusal), ended_at=now)
            changed = 0
        else:
            running: dict[str, Any] = {"status": PipelineRun.Status.RUNNING, "started_at": run.started_at or now}
            changed = waiting.update(**running, reason="", is_replay=run.is_replay)
    run.refresh_from_db()
    return bool(changed)


def record_skipped(
    job: str, reason: str, *, session: date | None = None, intended_at: datetime | None = None
) -> PipelineRun:
    """Store a run that was planned and is not executed, with the reason; a planned time has one run, stored once."""
    with transaction.atomic():
        lock_run_creation()
        planned = _planned_run(job, intended_at)
        if planned:
            return planned
        now = timezone.now()
        run = _new_run(job, session, intended_at, "schedule", now)
        run.status, run.reason, run.ended_at = PipelineRun.Status.SKIPPED, reason, now
        run.save(force_insert=True)
    return run


def skip_older_waiting(job: str, session: date | None) -> int:
    """Skip runs of the job that still wait for an earlier session, so that tonight's can be created."""
    waiting = PipelineRun.objects.filter(job=job, status__in=run_sources("skip")).exclude(session=session)
    reason = (
        f"It was still waiting for its prerequisites, its turn or its evening's release when the run for {session} was"
        " due."
    )
    return waiting.update(status=PipelineRun.Status.SKIPPED, reason=reason, ended_at=timezone.now())


def lock_run_creation() -> None:
    """Block run creation until this transaction ends; rollbacks serialize on the same lock."""
    with connection.cursor() as cursor:
        # A holder that hangs (stopped, or cut off) for longer than a lease must not block everybody else.
        timeout = f"{settings.STEP_LEASE_SECONDS}s"
        cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", [timeout])
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CREATION_LOCK])
