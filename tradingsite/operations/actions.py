"""Everything an operator can do, shared by the console's buttons and the JSON API; recorded in the admin's history.

A refusal is a `SagaError` whose sentence says what to do instead.
"""

from dataclasses import dataclass, field
from datetime import date

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import AbstractUser
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from market_data import tasks
from market_data.models import EveningHold, PipelineRun
from market_data.runs import holds, interventions, lifecycle, rollback
from market_data.runs.prerequisites import describe_all, outstanding
from market_data.runs.saga import SagaError
from stocks.units import count_text
from tradingsite.operations import jobs
from tradingsite.operations.evening_holds import hold_refusal
from tradingsite.operations.jobs import ALL, MayNotStart


@dataclass(frozen=True)
class ActionResult:
    """What an action did: `message` for the API in the contract's wording, `detail` for the operator as a sentence.

    The API follows it by `task_id`; `steps` are those made ready again.
    """

    message: str
    detail: str
    task_id: str = ""
    run: PipelineRun | None = None
    steps: list[str] = field(default_factory=list)


def start_job(user: AbstractUser, slug: str) -> ActionResult:
    """Start a job, or the whole evening, for the latest completed session.

    Raises
    ------
    UnknownJob
        When there is no such job.
    AlreadyRunning
        When it is active; the error names the run.
    MayNotStart
        When its prerequisites have not completed.
    """
    if slug == ALL:
        return _start_evening(user)
    job = jobs.startable_job(slug)
    situation = jobs.current_situation(timezone.now())
    # The engine refuses an active job itself: under its lock, so that of two simultaneous presses one starts a run.
    refusal = "" if job.name in situation.active else jobs.refusal(job.name, situation)
    if refusal:
        raise MayNotStart(f"{job.title} was not started. {refusal}")
    run = tasks.trigger(job.name, triggered_by=user.get_username())
    _record_action(user, run, "Started.", flag=ADDITION)
    if run.status == PipelineRun.Status.WAITING:
        message = f"{job.title} waits for {describe_all(outstanding(run))}"
        return ActionResult(message, f"{message}; then {run.id} starts by itself.", run.id, run)
    return ActionResult(f"{job.title} started", f"{job.name} started as {run.id}.", run.id, run)


def _start_evening(user: AbstractUser) -> ActionResult:
    situation = jobs.current_situation(timezone.now())
    if situation.session is None:
        raise MayNotStart(f"The evening was not started. {situation.no_session_reason}")
    runs = tasks.trigger_chain(
        jobs.whole_evening(), triggered_by=user.get_username(), prefix=ALL, session=situation.session
    )
    alias = runs[0].aliases[-1]
    for run in runs:
        _record_action(user, run, f"Started as part of {alias}.", flag=ADDITION)
    detail = f"All {len(runs)} jobs of {situation.session} started, one after the other."
    return ActionResult("All tasks started", detail, alias, runs[0])


def retry_failed(user: AbstractUser, run_id: str, step: str | None = None) -> ActionResult:
    """Make the failed steps of a run (or only `step`) ready again; the same run continues."""
    run, names = lifecycle.retry_failed(run_id, user.get_username(), step)
    tasks.deliver(run)
    _record_action(user, run, f"Retried {', '.join(names)}.")
    count = f"{len(names)} failed step{'s' if len(names) > 1 else ''}"
    waits = f" after waiting for {describe_all(outstanding(run))}" if run.status == PipelineRun.Status.WAITING else ""
    detail = f"{run.id} continues with {', '.join(names)}{waits}."
    return ActionResult(f"Retrying {count}", detail, run.aliases[-1], run, names)


def resume(user: AbstractUser, run_id: str) -> ActionResult:
    """Continue a run that was cancelled or whose worker was lost."""
    run = interventions.resume(run_id, user.get_username())
    tasks.deliver(run)
    _record_action(user, run, "Resumed.")
    return ActionResult("Resumed", f"{run.id} continues where it stopped.", run.id, run)


def cancel(user: AbstractUser, run_id: str) -> ActionResult:
    run = interventions.cancel(run_id, user.get_username())
    _record_action(user, run, "Cancelled.")
    return ActionResult("Cancelled", f"{run.id} is cancelled; what it had committed stays.", run.id, run)


def roll_back(user: AbstractUser, run_id: str) -> ActionResult:
    undone = rollback.roll_back(run_id, user.get_username())
    run = lifecycle.find_run(run_id)
    removed = sum(rows for rows, _ in undone.values())
    restored = sum(rows for _, rows in undone.values())
    counts = f"{count_text(removed)} rows removed, {count_text(restored)} restored"
    _record_action(user, run, f"Rolled back: {counts}.")
    return ActionResult("Rolled back", f"{run.id} is rolled back: {counts}.", run.id, run)


def hold_evening(user: AbstractUser, session: date, reason: str = "") -> ActionResult:
    """Keep a coming evening's planned runs waiting; one that has begun or is over is refused."""
    if holds.hold_of(session) is None and (refusal := hold_refusal(session, timezone.now())):
        raise SagaError(refusal)
    hold = interventions.hold_evening(session, user.get_username(), reason)
    _record_action(user, hold, f"Held the evening of {session}. {reason}".strip(), flag=ADDITION)
    detail = f"The evening of {session} is held: its planned runs wait. Jobs started by hand still run."
    return ActionResult("Held", detail)


def unhold_evening(user: AbstractUser, session: date) -> ActionResult:
    hold = holds.hold_of(session)
    waiting = len(interventions.unhold_evening(session, user.get_username()))
    tasks.release_waiting()
    if hold:
        _record_action(user, hold, f"Released the evening of {session}.")
    detail = f"The evening of {session} is released; {waiting} run{' was' if waiting == 1 else 's were'} waiting."
    return ActionResult("Released", detail)


def hold_evening_of_run(user: AbstractUser, run_id: str) -> ActionResult:
    return hold_evening(user, _session_of(run_id))


def unhold_evening_of_run(user: AbstractUser, run_id: str) -> ActionResult:
    return unhold_evening(user, _session_of(run_id))


def action_log(run: PipelineRun) -> list[LogEntry]:
    """Who did what to a run, newest first."""
    entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(PipelineRun), object_id=run.pk)
    return list(entries.select_related("user").order_by("-action_time")[:50])


def _session_of(run_id: str) -> date:
    run = lifecycle.find_run(run_id)
    if run.session is None:
        raise SagaError(f"{run.id} stands for no session: there is no evening to hold.")
    return run.session


def _record_action(user: AbstractUser, row: PipelineRun | EveningHold, message: str, *, flag: int = CHANGE) -> None:
    LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(type(row)),
        object_id=str(row.pk),
        object_repr=str(row)[:200],
        action_flag=flag,
        change_message=message,
    )
