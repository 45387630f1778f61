"""The recent runs of all jobs, read once and shared by every part of the home page."""

from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from statistics import median
from typing import Final

from market_data.models import PipelineRun
from market_data.runs import attempts
from market_data.runs.queries import Standing

_RUNS_READ: Final = 400
_RUNS_MEASURED: Final = 20


@dataclass(frozen=True)
class PastRun:
    """A run without its steps; the fields are columns of `PipelineRun`, and its time at work."""

    id: str
    job: str
    session: date | None
    status: str
    waits_for: list[str]
    reason: str
    intended_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    is_replay: bool
    sequence: int = 0
    worked: timedelta | None = None

    @property
    def seconds(self) -> float | None:
        """Time at work; None while the run has not ended."""
        return self.worked.total_seconds() if self.worked is not None and self.ended_at else None


class RunHistory:
    """The newest runs of every job but `quotes`, newest first."""

    def __init__(self) -> None:
        columns = [field.name for field in fields(PastRun)]
        # Quotes run every half hour: they would crowd out the nights.
        rows = PipelineRun.objects.exclude(job="quotes").annotate(worked=attempts.time_at_work())
        self.runs = [PastRun(**row) for row in rows.order_by("-sequence").values(*columns)[:_RUNS_READ]]

    def latest(self, job: str) -> PastRun | None:
        """Newest run of a job, whatever its session; replays do not count."""
        return next((run for run in self.runs if run.job == job and not run.is_replay), None)

    def standing(self, job: str, session: date) -> Standing[PastRun] | None:
        """Where a job stands for a session; None without a run. Replays do not count."""
        runs = [run for run in self.runs if run.job == job and run.session == session and not run.is_replay]
        return Standing.of(runs) if runs else None

    def of_session(self, job: str, session: date) -> PastRun | None:
        """The run that decides where a job stands for a session."""
        standing = self.standing(job, session)
        return standing.run if standing else None

    def usual_seconds(self, job: str) -> float | None:
        """Median duration of the job's last completed runs; None before the first."""
        completed = [run for run in self.runs if run.job == job and run.status == PipelineRun.Status.COMPLETED]
        durations = [run.seconds for run in completed if not run.is_replay and run.seconds]
        return median(durations[:_RUNS_MEASURED]) if durations else None
