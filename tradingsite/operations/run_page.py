"""The page of one run: its steps on a timeline, what went wrong and what to do, who did what, available actions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from market_data.models import Finding, PipelineRun, PipelineStep, RejectedRow, StepAttempt
from market_data.runs import attempts, engine, holds, rollback
from market_data.runs.saga import SagaError, job_title, words_of
from market_data.trading_calendar import CalendarError
from stocks.units import count_text
from tradingsite.operations import actions, runbook
from tradingsite.operations.evening_holds import hold_refusal
from tradingsite.operations.tonight import duration, waiting_reason

_Run, _Step = PipelineRun.Status, PipelineStep.Status
_BAD: Final = (_Step.FAILED, _Step.ERRORED)
_BAD_OUTCOMES: Final = (StepAttempt.Outcome.FAILED, StepAttempt.Outcome.ERRORED, StepAttempt.Outcome.LOST)
_ACTIVE_SECONDS, _IDLE_SECONDS = 2, 15


class Span(NamedTuple):
    """Where something lies on the timeline: `left` and `width` in percent of the run's duration."""

    left: float
    width: float
    status: str


@dataclass(frozen=True)
class AttemptLine:
    """One attempt at a step."""

    number: int
    outcome: str
    outcome_label: str
    is_bad: bool
    started_at: datetime
    took: str
    worker: str
    reason: str
    log: list[str]
    traceback: str


@dataclass(frozen=True)
class StepLine:
    """A step on the timeline; `log` and `traceback` only where no attempt holds them."""

    name: str
    title: str
    status: str
    status_label: str
    is_bad: bool
    progress: float
    records: int
    attempts: int
    took: str
    spans: list[Span]
    tries: list[AttemptLine]
    started_at: datetime | None
    not_before: datetime | None
    reason: str
    entry: runbook.Entry | None
    log: list[str]
    traceback: str
    may_retry: bool


@dataclass(frozen=True)
class RunAction:
    """A button: its name in the URL, its label, and why it is not available now (empty when it is)."""

    name: str
    label: str
    refusal: str
    is_destructive: bool = False


def run_context(run: PipelineRun, now: datetime) -> dict[str, Any]:
    """Context of the auto-refreshing part of a run's page."""
    steps = list(run.steps.order_by("order"))
    tries = attempts.attempts_of(steps)
    lines = [_line(step, run, tries.get(step.pk, []), now) for step in steps]
    worked = attempts.seconds_at_work(run)
    failed = next((line for line in lines if line.status in _BAD), None)
    is_active = run.status in PipelineRun.ACTIVE
    log = actions.action_log(run)
    return {
        "run": run,
        "job_title": job_title(run.job),
        "status_label": _Run(run.status).label,
        "steps": lines,
        "progress": 1.0 if run.status == _Run.COMPLETED else sum(line.progress for line in lines) / max(len(lines), 1),
        "took": "" if worked is None else duration(worked),
        "failed": failed,
        "waits": waiting_reason(run) if run.status == _Run.WAITING else "",
        "actions": run_actions(run, steps, now),
        "history": log,
        "is_start_logged": any(entry.is_addition() for entry in log),
        "hold": holds.hold_of(run.session),
        "summary": [(words_of(name), _text(value), name == "kept_out") for name, value in run.summary.items()],
        "rejected": RejectedRow.objects.filter(run_id=run.id)[:1000].count() if run.ended_at else 0,
        "findings": Finding.objects.filter(session=run.session, run_id=run.id).count() if run.session else 0,
        "refresh_seconds": _ACTIVE_SECONDS if is_active else _IDLE_SECONDS,
    }


def _line(step: PipelineStep, run: PipelineRun, tries: list[StepAttempt], now: datetime) -> StepLine:
    is_bad = step.status in _BAD
    return StepLine(
        name=step.name,
        title=step.name.replace("_", " ").capitalize(),
        status=step.status,
        status_label=step.get_status_display(),
        is_bad=is_bad,
        progress=1.0 if step.status == _Step.COMPLETED else step.progress,
        records=step.records_processed,
        attempts=step.attempts,
        took=_time_at_work(step, tries, now),
        spans=_spans(step, run, tries, now),
        tries=[_attempt_line(attempt, now) for attempt in tries],
        started_at=step.started_at,
        not_before=step.not_before if step.status == _Step.PENDING else None,
        reason=step.reason,
        entry=runbook.entry_of(step) if is_bad else None,
        log=[] if tries else [str(line) for line in step.log_lines or []],
        traceback="" if tries else step.traceback,
        may_retry=is_bad and run.status == _Run.FAILED,
    )


def _attempt_line(attempt: StepAttempt, now: datetime) -> AttemptLine:
    return AttemptLine(
        number=attempt.number,
        outcome=attempt.outcome,
        outcome_label=attempt.get_outcome_display(),
        is_bad=attempt.outcome in _BAD_OUTCOMES,
        started_at=attempt.started_at,
        took=duration(_seconds(attempt, now)),
        worker=":".join(attempt.worker.split(":")[:2]),  # host and process; the rest is for machines
        reason=attempt.reason,
        log=[str(line) for line in attempt.log_lines or []],
        traceback=attempt.traceback,
    )


def _time_at_work(step: PipelineStep, tries: list[StepAttempt], now: datetime) -> str:
    """How long a step was worked at: its attempts, or from start to end where none are stored."""
    if tries:
        return duration(sum(_seconds(attempt, now) for attempt in tries))
    ended = step.ended_at or (now if step.status == _Step.RUNNING else None)
    return duration((ended - step.started_at).total_seconds()) if step.started_at and ended else ""


def _seconds(attempt: StepAttempt, now: datetime) -> float:
    return max(((attempt.ended_at or now) - attempt.started_at).total_seconds(), 0.0)


def _spans(step: PipelineStep, run: PipelineRun, tries: list[StepAttempt], now: datetime) -> list[Span]:
    if run.started_at is None:
        return []
    whole = (run.ended_at or now) - run.started_at or timedelta(seconds=1)
    parts = [(attempt.started_at, attempt.ended_at, attempt.outcome) for attempt in tries]
    if not parts and step.started_at:
        parts = [(step.started_at, step.ended_at or run.ended_at, step.status)]
    return [
        _span((started - run.started_at) / whole, ((ended or now) - run.started_at) / whole, status)
        for started, ended, status in parts
    ]


def _span(start: float, end: float, status: str) -> Span:
    """Return the span from `start` to `end`, shares of the run's duration; the shortest can still be seen."""
    left = min(max(100 * start, 0.0), 99.0)
    return Span(round(left, 2), round(max(min(100 * end, 100.0) - left, 0.8), 2), status)


def run_actions(run: PipelineRun, steps: list[PipelineStep], now: datetime) -> list[RunAction]:
    """The buttons of a run, each with why it is not available now."""
    status = _Run(run.status).label.lower()
    is_failed = run.status == _Run.FAILED and any(step.status != _Step.COMPLETED for step in steps)
    is_resumable = run.status == _Run.CANCELLED or (run.status == _Run.RUNNING and not engine.is_leased(run))
    not_active = f"The run is {status}; only an active run can be cancelled."
    not_ended = f"The run is {status}; only a run that has ended can be rolled back."
    has_ended = run.status in (_Run.COMPLETED, _Run.FAILED, _Run.CANCELLED)
    return [
        RunAction("retry", "Retry failed steps", "" if is_failed else f"The run is {status}; nothing to retry."),
        RunAction("resume", "Resume", "" if is_resumable else f"The run is {status}; there is nothing to resume."),
        _evening_action(run, now),
        RunAction("cancel", "Cancel", "" if run.status in PipelineRun.ACTIVE else not_active, is_destructive=True),
        RunAction("roll-back", "Roll back…", "" if has_ended else not_ended, is_destructive=True),
    ]


def _evening_action(run: PipelineRun, now: datetime) -> RunAction:
    if run.session is None:
        return RunAction("hold", "Hold the evening", "The run stands for no session.")
    evening = f"the evening of {run.session:%a} {run.session.day} {run.session:%b}"
    if holds.hold_of(run.session):
        return RunAction("release", f"Release {evening}", "")
    try:
        refusal = hold_refusal(run.session, now)
    except CalendarError as error:
        refusal = str(error)
    return RunAction("hold", f"Hold {evening}", refusal)


def _text(value: Any) -> str:
    if value in ([], {}):
        return "0"  # a count of things, whether they are listed or only counted
    if isinstance(value, dict | list) and not value:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(item)}" for name, item in list(value.items())[:20])
    if isinstance(value, list):
        return ", ".join(map(_text, value[:20]))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    return count_text(value) if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class RollbackPlan:
    """What a rollback would change: (table, rows removed, rows restored), or why it is refused."""

    rows: list[tuple[str, int, int]]
    refusal: str

    @property
    def total(self) -> int:
        return sum(removed + restored for _, removed, restored in self.rows)


def rollback_plan(run: PipelineRun) -> RollbackPlan:
    try:
        planned = rollback.planned_rollback(run.id)
    except SagaError as error:
        return RollbackPlan([], str(error))
    return RollbackPlan([(table, removed, restored) for table, (removed, restored) in planned.items()], "")
