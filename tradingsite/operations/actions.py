"""What an operator can do, once for the buttons and for the JSON endpoints; each is written into the admin's history.

Everything refused is a `SagaError` whose sentence says what to do instead.
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
from market_data.runs.saga import SagaError
from tradingsite.operations import jobs
from tradingsite.operations.jobs import ALL, MayNotStart


@dataclass(frozen=True)
class Done:
    """What an action did.

    Attributes
    ----------
    message : str
        The contract's words.
    told : str
        A sentence for the person who pressed the button.
    task_id : str
        The id to follow it by.
    run : PipelineRun or None
        The run it touched.
    steps : list of str
        The steps it made ready.
    """

    message: str
    told: str
    task_id: str = ""
    run: PipelineRun | None = None
    steps: list[str] = field(default_factory=list)


def start(user: AbstractUser, slug: str) -> Done:
    """Start a job, or the whole evening, for the latest completed session.

    Raises
    ------
    UnknownJob
        When there is no such job.
    AlreadyRunning
        When it is active; the error names the run.
    MayNotStart
        When what it waits for has not completed.
    """
    if slug == ALL:
        return _start_all(user)
    job = jobs.found_job(slug)
    seen = jobs.situation(timezone.now())
    # An active run is left to the engine: it refuses the second of two who press at once, and names the run.
    why_not = "" if job.name in seen.active else jobs.refusal(job.name, seen)
    if why_not:
        raise MayNotStart(f"{job.title} was not started. {why_not}")
    run = tasks.trigger(job.name, triggered_by=user.get_username())
    _note(user, run, "Started.", flag=ADDITION)
    return Done(f"{job.title} started", f"{job.name} started as {run.id}.", run.id, run)


def _start_all(user: AbstractUser) -> Done:
    seen = jobs.situation(timezone.now())
    if seen.session is None:
        raise MayNotStart(f"The evening was not started. {seen.why_none}")
    alias = f"{ALL}_{timezone.localtime():%Y%m%d_%H%M%S}"
    made = tasks.trigger_chain(
        jobs.whole_evening(), triggered_by=user.get_username(), alias=alias, session=seen.session
    )
    for run in made:
        _note(user, run, f"Started as part of {alias}.", flag=ADDITION)
    told = f"All {len(made)} jobs of {seen.session} started, one after the other."
    return Done("All tasks started", told, alias, made[0])


def retry_failed(user: AbstractUser, run_id: str, step: str | None = None) -> Done:
    """Make the failed steps of a run (or the one named) ready again; the run goes on with its own rows."""
    run, names = lifecycle.retry_failed(run_id, user.get_username(), step)
    tasks.deliver(run)
    _note(user, run, f"Retried {', '.join(names)}.")
    count = f"{len(names)} failed step{'s' if len(names) > 1 else ''}"
    return Done(f"Retrying {count}", f"{run.id} goes on with {', '.join(names)}.", run.aliases[-1], run, names)


def resume(user: AbstractUser, run_id: str) -> Done:
    """Go on with a run that was cancelled or whose worker was lost."""
    run = interventions.resume(run_id, user.get_username())
    tasks.deliver(run)
    _note(user, run, "Resumed.")
    return Done("Resumed", f"{run.id} goes on where it stopped.", run.id, run)


def cancel(user: AbstractUser, run_id: str) -> Done:
    """End an active run."""
    run = interventions.cancel(run_id, user.get_username())
    _note(user, run, "Cancelled.")
    return Done("Cancelled", f"{run.id} is cancelled; what it had committed stays.", run.id, run)


def roll_back(user: AbstractUser, run_id: str) -> Done:
    """Undo a run."""
    undone = rollback.roll_back(run_id, user.get_username())
    run = lifecycle.find_run(run_id)
    removed, restored = (sum(pair[place] for pair in undone.values()) for place in (0, 1))
    counts = f"{removed:,} rows removed, {restored:,} restored"
    _note(user, run, f"Rolled back: {counts}.")
    return Done("Rolled back", f"{run.id} is rolled back: {counts}.", run.id, run)


def hold(user: AbstractUser, session: date, reason: str = "") -> Done:
    """Keep what is planned for a session from beginning."""
    held = interventions.hold_evening(session, user.get_username(), reason)
    _note(user, held, f"Held the evening of {session}. {reason}".strip(), flag=ADDITION)
    told = f"The evening of {session} is held: what is planned for it waits. Jobs started by hand still run."
    return Done("Held", told)


def release(user: AbstractUser, session: date) -> Done:
    """Let a held evening go."""
    held = holds.hold_of(session)
    let_go = interventions.release_evening(session, user.get_username())
    tasks.release_waiting()
    if held:
        _note(user, held, f"Released the evening of {session}.")
    waiting = len(let_go.waiting)
    told = f"The evening of {session} goes on; {waiting} run{'' if waiting == 1 else 's'} waited for it."
    return Done("Released", told)


def hold_for_run(user: AbstractUser, run_id: str) -> Done:
    """Hold the evening a run belongs to."""
    return hold(user, _session_of(run_id))


def release_for_run(user: AbstractUser, run_id: str) -> Done:
    """Let the evening go that a run belongs to."""
    return release(user, _session_of(run_id))


def history_of(run: PipelineRun) -> list[LogEntry]:
    """Return who did what to a run, newest first."""
    kind = ContentType.objects.get_for_model(PipelineRun)
    noted = LogEntry.objects.filter(content_type=kind, object_id=run.pk).select_related("user")
    return list(noted.order_by("-action_time")[:50])


def _session_of(run_id: str) -> date:
    run = lifecycle.find_run(run_id)
    if run.session is None:
        raise SagaError(f"{run.id} stands for no session: there is no evening to hold.")
    return run.session


def _note(user: AbstractUser, row: PipelineRun | EveningHold, message: str, *, flag: int = CHANGE) -> None:
    LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(type(row)),
        object_id=str(row.pk),
        object_repr=str(row)[:200],
        action_flag=flag,
        change_message=message,
    )
