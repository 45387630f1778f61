"""The page of one run: its steps as a time line, what went wrong and what to do, who did what, what may be done now."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from market_data.models import Finding, PipelineRun, PipelineStep, RejectedRow
from market_data.runs import engine, holds, rollback
from market_data.runs.saga import SagaError
from tradingsite.operations import actions, jobs, runbook
from tradingsite.operations.tonight import duration, waits_told

_Run, _Step = PipelineRun.Status, PipelineStep.Status
_BAD: Final = (_Step.FAILED, _Step.ERRORED)
_ACTIVE_SECONDS, _IDLE_SECONDS = 2, 15


@dataclass(frozen=True)
class StepLine:
    """A step on the time line; `left` and `width` in percent of the run's time."""

    name: str
    title: str
    status: str
    status_words: str
    progress: float
    records: int
    attempts: int
    took: str
    left: float
    width: float
    started_at: datetime | None
    ended_at: datetime | None
    not_before: datetime | None
    reason: str
    entry: runbook.Entry | None
    log: list[str]
    traceback: str
    worker: str
    may_retry: bool


@dataclass(frozen=True)
class Deed:
    """One action: its address, its words, and why it cannot be done now (empty where it can)."""

    name: str
    words: str
    refusal: str
    is_grave: bool = False


def run_state(run: PipelineRun, now: datetime) -> dict[str, Any]:
    """Return what the piece of the page shows that is asked for again."""
    steps = list(run.steps.order_by("order"))
    lines = [_line(step, run, now) for step in steps]
    failed = next((line for line in lines if line.status in _BAD), None)
    is_active = run.status in PipelineRun.ACTIVE
    return {
        "run": run,
        "now": now,
        "title_of_job": jobs.title_of(run.job),
        "status_words": _Run(run.status).label,
        "steps": lines,
        "progress": 1.0 if run.status == _Run.COMPLETED else _mean([line.progress for line in lines]),
        "took": _took(run.started_at, run.ended_at or (now if is_active else None)),
        "failed": failed,
        "waits": waits_told(run) if run.status == _Run.WAITING else "",
        "deeds": deeds(run, steps),
        "history": (noted := actions.history_of(run)),
        "is_start_noted": any(one.is_addition() for one in noted),
        "hold": holds.hold_of(run.session),
        "summary": _summary(run),
        "rejected": RejectedRow.objects.filter(run_id=run.id)[:1000].count() if run.ended_at else 0,
        "findings": _findings(run),
        "again_in_seconds": _ACTIVE_SECONDS if is_active else _IDLE_SECONDS,
    }


def _line(step: PipelineStep, run: PipelineRun, now: datetime) -> StepLine:
    left, width = _span(step, run, now)
    is_bad = step.status in _BAD
    return StepLine(
        name=step.name,
        title=step.name.replace("_", " ").capitalize(),
        status=step.status,
        status_words=step.get_status_display(),
        progress=1.0 if step.status == _Step.COMPLETED else step.progress,
        records=step.records_processed,
        attempts=step.attempts,
        took=_took(step.started_at, step.ended_at or (now if step.status == _Step.RUNNING else None)),
        left=left,
        width=width,
        started_at=step.started_at,
        ended_at=step.ended_at,
        not_before=step.not_before if step.status == _Step.PENDING else None,
        reason=step.reason,
        entry=runbook.entry_of(step.reason, broke=step.status == _Step.ERRORED) if is_bad else None,
        log=[str(line) for line in step.log_lines or []],
        traceback=step.traceback,
        worker=step.worker,
        may_retry=is_bad and run.status == _Run.FAILED,
    )


def _span(step: PipelineStep, run: PipelineRun, now: datetime) -> tuple[float, float]:
    if step.started_at is None or run.started_at is None:
        return 0.0, 0.0
    whole = ((run.ended_at or now) - run.started_at).total_seconds() or 1.0
    begun = (step.started_at - run.started_at).total_seconds()
    ended = ((step.ended_at or run.ended_at or now) - run.started_at).total_seconds()
    left = min(max(100 * begun / whole, 0.0), 99.0)
    return round(left, 2), round(max(min(100 * ended / whole, 100.0) - left, 0.8), 2)


def _took(begun: datetime | None, ended: datetime | None) -> str:
    return duration((ended - begun).total_seconds()) if begun and ended else ""


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def deeds(run: PipelineRun, steps: list[PipelineStep]) -> list[Deed]:
    """Return the actions on a run, each with why it cannot be done now."""
    failed = [step for step in steps if step.status in _BAD]
    status = _Run(run.status).label.lower()
    is_failed = run.status == _Run.FAILED and bool(failed)
    is_resumable = run.status == _Run.CANCELLED or (run.status == _Run.RUNNING and not engine.is_leased(run))
    held = holds.hold_of(run.session)
    no_evening = "" if run.session else "The run stands for no session."
    found = [
        Deed("retry", "Retry failed steps", "" if is_failed else f"The run is {status}; nothing to retry."),
        Deed("resume", "Resume", "" if is_resumable else f"The run is {status}; there is nothing to resume."),
        Deed("release", "Release the evening", no_evening) if held else Deed("hold", "Hold the evening", no_evening),
        Deed(
            "cancel",
            "Cancel",
            "" if run.status in PipelineRun.ACTIVE else f"The run is {status}; only an active one can be cancelled.",
            is_grave=True,
        ),
    ]
    ended = run.status in (_Run.COMPLETED, _Run.FAILED, _Run.CANCELLED)
    why_not = "" if ended else f"The run is {status}; only one that has ended can be rolled back."
    return [*found, Deed("roll-back", "Roll back…", why_not, is_grave=True)]


def _summary(run: PipelineRun) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), _words(value)) for name, value in run.summary.items()]


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(one)}" for name, one in list(value.items())[:20])
    if isinstance(value, list):
        return ", ".join(map(_words, value[:20]))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)


def _findings(run: PipelineRun) -> int:
    return Finding.objects.filter(session=run.session, run_id=run.id).count() if run.session else 0


@dataclass(frozen=True)
class RollBackPlan:
    """What a roll back would change: (table, rows removed, rows restored), or why it is refused."""

    rows: list[tuple[str, int, int]]
    refusal: str

    @property
    def total(self) -> int:
        """Return how many rows would change."""
        return sum(removed + restored for _, removed, restored in self.rows)


def roll_back_plan(run: PipelineRun) -> RollBackPlan:
    """Return what rolling a run back would change."""
    try:
        planned = rollback.planned_rollback(run.id)
    except SagaError as error:
        return RollBackPlan([], str(error))
    return RollBackPlan([(table, removed, restored) for table, (removed, restored) in planned.items()], "")
