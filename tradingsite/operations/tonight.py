"""Tonight's jobs on a time line: what is done, what runs, what waits for what, what is next, what may be started."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final

from django.utils import timezone
from django_q.models import Schedule

from market_data.models import EveningHold, PipelineRun
from market_data.runs import holds, lifecycle
from market_data.runs.queries import RunState, active_runs
from market_data.runs.saga import is_condition_met
from tradingsite.operations import jobs
from tradingsite.operations.evening import EVENING_JOBS, OTHER_JOBS, Evening, History, PastRun
from tradingsite.operations.forecast import Forecast, Work, forecast
from tradingsite.schedule import Job

_Status = PipelineRun.Status
LAST_JOB: Final = "selection"
_WORDS: Final = {"planned": "Planned", "never": "Never run", "overdue": "Not started"}
_GRACE: Final = timedelta(minutes=2)


@dataclass(frozen=True)
class JobLine:
    """One line of the time line.

    Attributes
    ----------
    status : str
        A run's status, or ``planned``, ``overdue`` (its time has passed without it), ``never``.
    told : str
        What it waits for, how far it is, why it failed, how long it took.
    progress : float
        0-1.
    left, width : float
        Percent of the time line, where it has begun.
    refusal : str
        Why it may not be started by hand now; empty where it may.
    """

    slug: str
    title: str
    status: str
    status_words: str
    told: str
    progress: float
    planned: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    run_id: str
    refusal: str
    left: float = 0.0
    width: float = 0.0
    mark: float | None = None


@dataclass(frozen=True)
class Axis:
    """The hours the time line spans, with a mark for each third one and for now, in percent."""

    begins: datetime
    ends: datetime
    hours: tuple[tuple[str, float], ...]
    now: float | None

    def at(self, moment: datetime) -> float:
        """Return where a moment lies, 0-100."""
        share = (moment - self.begins) / (self.ends - self.begins)
        return round(100 * min(max(share, 0.0), 1.0), 2)


@dataclass(frozen=True)
class Tonight:
    """Everything about the evening's jobs."""

    lines: list[JobLine]
    others: list[JobLine]
    axis: Axis | None
    forecast: Forecast | None
    refusal_of_all: str
    hold: EveningHold | None


def tonight(evening: Evening | None, history: History, now: datetime) -> Tonight:
    """Return the evening's jobs, the others, and when the picks will be there."""
    seen = jobs.situation(now)
    at_work = {run.id: run for run in active_runs()}
    axis = _axis(evening, now) if evening else None
    lines = [_line(job, evening, history, at_work, seen, axis, now) for job in EVENING_JOBS]
    hold = holds.hold_of(evening.session) if evening else None
    told = _forecast(evening, history, now) if evening else None
    return Tonight(lines, _others(history, at_work, seen), axis, told, jobs.refusal_of_all(seen), hold)


def _axis(evening: Evening, now: datetime) -> Axis:
    begins = timezone.make_aware(datetime.combine(evening.session, time(20)))
    ends = begins + timedelta(hours=13)
    hours = tuple(
        (f"{timezone.localtime(begins + timedelta(hours=number)):%H:%M}", round(100 * number / 13, 2))
        for number in range(1, 13, 3)
    )
    bare = Axis(begins, ends, hours, None)
    return Axis(begins, ends, hours, bare.at(now) if begins <= now <= ends else None)


def _line(
    job: Job,
    evening: Evening | None,
    history: History,
    at_work: dict[str, RunState],
    seen: jobs.Situation,
    axis: Axis | None,
    now: datetime,
) -> JobLine:
    run = history.standing(job.name, evening.session) if evening else history.last(job.name)
    planned = evening.planned(job) if evening else None
    status = run.status if run else _unstarted(planned, now)
    left, width = _span(run, axis, now)
    mark = axis.at(planned) if axis and planned else None
    return replace(_job_line(job.name, run, status, planned, at_work, seen), left=left, width=width, mark=mark)


def _job_line(
    name: str,
    run: PastRun | None,
    status: str,
    planned: datetime | None,
    at_work: dict[str, RunState],
    seen: jobs.Situation,
) -> JobLine:
    return JobLine(
        slug=jobs.slug_of(name),
        title=jobs.title_of(name),
        status=status,
        status_words=_words(status),
        told=_told(run, at_work) if run else "",
        progress=_progress(run, at_work),
        planned=planned,
        started_at=run.started_at if run else None,
        ended_at=run.ended_at if run else None,
        run_id=run.id if run else "",
        refusal=jobs.refusal(name, seen),
    )


def _unstarted(planned: datetime | None, now: datetime) -> str:
    if planned is None:
        return "never"
    return "overdue" if now > planned + _GRACE else "planned"


def _span(run: PastRun | None, axis: Axis | None, now: datetime) -> tuple[float, float]:
    if run is None or axis is None or run.started_at is None:
        return 0.0, 0.0
    left = axis.at(run.started_at)
    return left, round(max(axis.at(run.ended_at or now) - left, 0.6), 2)


def _words(status: str) -> str:
    return _WORDS.get(status) or str(_Status(status).label)


def _progress(run: PastRun | None, at_work: dict[str, RunState]) -> float:
    if run is None:
        return 0.0
    if run.status == _Status.COMPLETED:
        return 1.0
    return at_work[run.id].progress if run.id in at_work else 0.0


def _told(run: PastRun, at_work: dict[str, RunState]) -> str:
    if run.status == _Status.WAITING:
        return waits_told(run)
    if run.status == _Status.RUNNING and run.id in at_work:
        current = at_work[run.id].current
        return f"{current.title}: {current.last_line}".removesuffix(": ") if current else ""
    if run.status == _Status.COMPLETED and run.seconds is not None:
        return f"took {duration(run.seconds)}"
    return run.reason


def waits_told(run: PastRun | PipelineRun) -> str:
    """Return what a waiting run waits for, as a sentence."""
    missing = lifecycle.missing_prerequisites(PipelineRun(session=run.session, waits_for=list(run.waits_for)))
    if not missing:
        return "Held until the evening is released." if run.intended_at else "About to begin."
    names = [one.split("|")[0].removeprefix(lifecycle.ENDED) for one in missing]
    return f"Waits for {' and '.join(names)}."


def duration(seconds: float) -> str:
    """Return a span in the words of a console: 42 s, 3 min 10 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _others(history: History, at_work: dict[str, RunState], seen: jobs.Situation) -> list[JobLine]:
    due = dict(Schedule.objects.values_list("name", "next_run"))
    planned = {job.name for job in (*EVENING_JOBS, *OTHER_JOBS)}
    more = [job.name for job in jobs.startable_jobs().values() if job.name not in planned]
    lines = []
    for name in [*(job.name for job in OTHER_JOBS), *more]:
        run = history.last(name)
        lines.append(_job_line(name, run, run.status if run else "never", due.get(name), at_work, seen))
    return lines


def _forecast(evening: Evening, history: History, now: datetime) -> Forecast:
    works = {}
    for job in EVENING_JOBS:
        run = history.standing(job.name, evening.session)
        completed = run is not None and run.status == _Status.COMPLETED
        running = run is not None and run.status == _Status.RUNNING
        works[job.name] = Work(
            name=job.name,
            after=_after(job, evening.session),
            planned=evening.planned(job),
            usual_seconds=history.usual_seconds(job.name),
            started_at=run.started_at if run and running else None,
            ended_at=run.ended_at if run and completed else None,
        )
    return forecast(works, LAST_JOB, now, evening.due)


def _after(job: Job, session: date) -> tuple[str, ...]:
    """Return the jobs that it waits for; where another condition holds already, it waits for none."""
    names = []
    for wanted in job.waits_for:
        first, *conditions = wanted.split("|")
        if not any(is_condition_met(one, session) for one in conditions):
            names.append(first)
    return tuple(names)
