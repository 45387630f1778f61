"""The state of runs for the pages and the terminal, read from the tracking rows."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Generic, TypeVar

from django.db.models import Exists, OuterRef, Q, QuerySet

from market_data.models import PipelineRun, PipelineStep
from market_data.runs.prerequisites import Kind, outstanding, parse_all
from market_data.runs.saga import job_title, words_of

UNSUCCESSFUL: Final = (PipelineRun.Status.FAILED, PipelineRun.Status.CANCELLED)


@dataclass(frozen=True)
class StepState:
    """One step as it is shown; `progress` is 0-1, `last_line` its latest log line, else its reason."""

    name: str
    title: str
    status: str
    progress: float
    records: int
    attempts: int
    started_at: datetime | None
    ended_at: datetime | None
    reason: str
    last_line: str


@dataclass(frozen=True)
class RunState:
    """One run with its steps; `waits_for` are its prerequisites in words, `progress` is 0-1, the mean of the steps'."""

    id: str
    job: str
    title: str
    status: str
    session: date | None
    simulated: bool
    triggered_by: str
    waits_for: tuple[str, ...]
    reason: str
    started_at: datetime | None
    ended_at: datetime | None
    progress: float
    steps: tuple[StepState, ...] = field(default=())

    @property
    def is_active(self) -> bool:
        return self.status in PipelineRun.ACTIVE

    @property
    def current(self) -> StepState | None:
        """The running step; else the failed one, else the next."""
        for status in ("running", "errored", "failed", "pending"):
            for step in self.steps:
                if step.status == status:
                    return step
        return self.steps[-1] if self.steps else None


def active_runs() -> list[RunState]:
    """Return the active runs: first the running ones, then the waiting ones, each in the order of creation."""
    runs = PipelineRun.objects.filter(status__in=PipelineRun.ACTIVE).prefetch_related("steps").order_by("sequence")
    return sorted(map(_state, runs), key=lambda run: run.status != PipelineRun.Status.RUNNING)


def unresolved_runs() -> "QuerySet[PipelineRun]":
    """Return the runs that failed or were cancelled and that nothing has made good since, newest first.

    A completed later run of the same job, for the same session or a later one, makes a run good; a replay, which only
    reports, makes good nothing but a replay.
    """
    later = PipelineRun.objects.filter(job=OuterRef("job"), sequence__gt=OuterRef("sequence"))
    good = later.filter(
        Q(session__gte=OuterRef("session")) | Q(session=None),
        Q(is_replay=False) | Q(is_replay=OuterRef("is_replay")),
        status=PipelineRun.Status.COMPLETED,
    )
    return PipelineRun.objects.filter(~Exists(good), status__in=UNSUCCESSFUL).order_by("-sequence")


def standings(session: date, jobs: Iterable[str]) -> "dict[str, Standing[RunState]]":
    """Return where each job stands for a session; a job without a run is left out, and replays do not count."""
    runs = PipelineRun.objects.filter(job__in=list(jobs), session=session, is_replay=False).prefetch_related("steps")
    by_job: dict[str, list[RunState]] = {}
    for run in runs.order_by("-sequence"):
        by_job.setdefault(run.job, []).append(_state(run))
    return {job: Standing.of(runs_of_job) for job, runs_of_job in by_job.items()}


def latest_standing(job: str, *, without: Collection[str] = ()) -> "Standing[PipelineRun] | None":
    """Return where a job stands for the newest session it ran for; None before its first run.

    Replays do not count, nor do runs whose status is among `without`. A job that stands for no session has nothing to
    repeat: its newest run decides alone.
    """
    runs = PipelineRun.objects.filter(job=job, is_replay=False).exclude(status__in=without).order_by("-sequence")
    newest = runs.first()
    if newest is None:
        return None
    return Standing.of([newest] if newest.session is None else list(runs.filter(session=newest.session)))


Run = TypeVar("Run")
"""A run in any of its forms: a row, a `RunState`, or what else has its `status`."""


@dataclass(frozen=True)
class Standing(Generic[Run]):
    """Where a job stands for a session: the run that decides, and a later one that could not replace its result.

    `rerun` is the newest run that failed or was cancelled after the deciding one completed, or None: the session keeps
    its good result, and yet somebody has to look at it.
    """

    run: Run
    rerun: Run | None = None

    @classmethod
    def of(cls, runs: Sequence[Run]) -> "Standing[Run]":
        """Return the standing that follows from a job's runs for one session, newest first, at least one.

        An active run decides; otherwise a completed one, even if a later one failed; otherwise the newest.
        """
        active = [run for run in runs if _status(run) in PipelineRun.ACTIVE]
        completed = [run for run in runs if _status(run) == PipelineRun.Status.COMPLETED]
        deciding = next(iter([*active, *completed, *runs]))
        if active or not completed:
            return cls(deciding)
        later = runs[: runs.index(deciding)]
        return cls(deciding, next((run for run in later if _status(run) in UNSUCCESSFUL), None))


def _status(run: Any) -> str:
    return str(run.status)


def _state(run: PipelineRun) -> RunState:
    steps = tuple(_step_state(step) for step in sorted(run.steps.all(), key=lambda step: step.order))
    mean_progress = sum(step.progress for step in steps) / len(steps) if steps else 0.0
    return RunState(
        id=run.id,
        job=run.job,
        title=job_title(run.job),
        status=run.status,
        session=run.session,
        simulated=run.provider_kind == "simulated",
        triggered_by=run.triggered_by,
        waits_for=_waits_for(run),
        reason=run.reason,
        started_at=run.started_at,
        ended_at=run.ended_at,
        progress=1.0 if run.status == PipelineRun.Status.COMPLETED else mean_progress,
        steps=steps,
    )


def _waits_for(run: PipelineRun) -> tuple[str, ...]:
    prerequisites = tuple(wanted.describe() for wanted in parse_all(run.waits_for))
    awaited = outstanding(run) if run.status == PipelineRun.Status.WAITING else []
    turns = [alternative for wanted in awaited for alternative in wanted.alternatives if alternative.kind is Kind.TURN]
    return tuple(f"the end of {job_title(turn.job)}" for turn in turns) or prerequisites


def _step_state(step: PipelineStep) -> StepState:
    lines = step.log_lines or []
    return StepState(
        name=step.name,
        title=words_of(step.name),
        status=step.status,
        progress=1.0 if step.status == PipelineStep.Status.COMPLETED else step.progress,
        records=step.records_processed,
        attempts=step.attempts,
        started_at=step.started_at,
        ended_at=step.ended_at,
        reason=step.reason,
        last_line=str(lines[-1]) if lines else step.reason,
    )
