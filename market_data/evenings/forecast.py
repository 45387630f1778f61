"""When tonight's picks will be ready, and how late the remaining work may start to be done by 09:00.

Plain arithmetic over planned times, jobs that have ended, and how long each job usually takes. A job that was never
measured is not guessed at: then there is no forecast, and the unmeasured jobs are named.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class PlannedJob:
    """One job of the evening: it starts `after` these have ended, and not before it is planned.

    `usual_seconds` is None of a job that was never measured; `ended_at` is only that of a completed job.
    """

    after: tuple[str, ...]
    planned: datetime
    usual_seconds: float | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Forecast:
    """When the last job ends, or ended, and the last moment to start the remaining work and still be done when due.

    With any remaining job that was never measured (`unmeasured`), nothing is forecast.
    """

    ready_at: datetime | None
    latest_start: datetime | None
    unmeasured: tuple[str, ...]


def forecast(jobs: Mapping[str, PlannedJob], last: str, now: datetime, due: datetime | None) -> Forecast:
    """Forecast the end of the job `last`, to be done when `due`; a prerequisite not among `jobs` counts as done."""
    ended_at = jobs[last].ended_at
    if ended_at is not None:
        return Forecast(ended_at, None, ())
    unmeasured = tuple(name for name in _remaining(jobs, last) if jobs[name].usual_seconds is None)
    if unmeasured:
        return Forecast(None, None, unmeasured)
    return Forecast(_end(jobs, last, now), due - _longest_chain(jobs, last, now) if due else None, ())


def _remaining(jobs: Mapping[str, PlannedJob], name: str) -> list[str]:
    """Jobs that have yet to end, prerequisites first."""
    job = jobs.get(name)
    if job is None or job.ended_at is not None:
        return []
    before = [other for prerequisite in job.after for other in _remaining(jobs, prerequisite)]
    return [*dict.fromkeys([*before, name])]


def _end(jobs: Mapping[str, PlannedJob], name: str, now: datetime) -> datetime:
    job = jobs.get(name)
    if job is None:
        return now
    if job.ended_at is not None:
        return job.ended_at
    usual = timedelta(seconds=job.usual_seconds or 0)
    if job.started_at is not None:
        # One that takes longer than usual is expected to end any moment.
        return max(now, job.started_at + usual)
    return max([now, job.planned, *(_end(jobs, prerequisite, now) for prerequisite in job.after)]) + usual


def _longest_chain(jobs: Mapping[str, PlannedJob], name: str, now: datetime) -> timedelta:
    """Duration of the longest chain of remaining work, whatever its planned times."""
    job = jobs.get(name)
    if job is None or job.ended_at is not None:
        return timedelta(0)
    usual = timedelta(seconds=job.usual_seconds or 0)
    if job.started_at is not None:
        return max(timedelta(0), job.started_at + usual - now)
    return max([timedelta(0), *(_longest_chain(jobs, prerequisite, now) for prerequisite in job.after)]) + usual
