"""The state of runs for the pages and the terminal, read from the tracking rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, TypeVar

from market_data.models import PipelineRun, PipelineStep
from market_data.runs.prerequisites import parse_all
from market_data.runs.saga import job_title, words_of


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


def recent_runs(limit: int = 8) -> list[RunState]:
    """Return the latest runs of any job, newest first."""
    return list(map(_state, PipelineRun.objects.prefetch_related("steps").order_by("-sequence")[:limit]))


def unresolved_failures(limit: int = 5) -> list[RunState]:
    """Return the failed runs after which no run of the same job has completed, newest first."""
    failed = PipelineRun.objects.filter(status=PipelineRun.Status.FAILED).prefetch_related("steps")
    failed = failed.order_by("-sequence")[: limit * 4]
    completed = PipelineRun.objects.filter(status=PipelineRun.Status.COMPLETED)
    unresolved = [run for run in failed if not completed.filter(job=run.job, sequence__gt=run.sequence).exists()]
    return list(map(_state, unresolved[:limit]))


def newest_runs(session: date, jobs: Iterable[str]) -> dict[str, RunState]:
    """The run that decides where each job stands for a session; a job without one is left out."""
    runs = PipelineRun.objects.filter(job__in=list(jobs), session=session, is_replay=False).prefetch_related("steps")
    by_job: dict[str, list[PipelineRun]] = {}
    for run in runs.order_by("-sequence"):
        by_job.setdefault(run.job, []).append(run)
    decisive = {job: decisive_run(runs_of_job) for job, runs_of_job in by_job.items()}
    return {job: _state(run) for job, run in decisive.items() if run}


class _HasStatus(Protocol):
    @property
    def status(self) -> str: ...


Run = TypeVar("Run", bound=_HasStatus)


def decisive_run(runs: Sequence[Run]) -> Run | None:
    """The run that decides where a job stands, of its runs for one session, newest first.

    An active run comes first; otherwise a completed one counts even if a later attempt failed.
    """
    active = [run for run in runs if run.status in PipelineRun.ACTIVE]
    completed = [run for run in runs if run.status == PipelineRun.Status.COMPLETED]
    return next(iter([*active, *completed, *runs]), None)


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
        waits_for=tuple(wanted.describe() for wanted in parse_all(run.waits_for)),
        reason=run.reason,
        started_at=run.started_at,
        ended_at=run.ended_at,
        progress=1.0 if run.status == PipelineRun.Status.COMPLETED else mean_progress,
        steps=steps,
    )


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
