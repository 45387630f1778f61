"""Tonight's jobs on a timeline: done, running, waiting for what, planned, and which may be started by hand."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from math import ceil
from typing import Final

from django.utils import timezone
from django_q.models import Schedule

from market_data.evenings.current_evening import Evening
from market_data.evenings.forecast import Forecast
from market_data.evenings.outlook import picks_forecast
from market_data.evenings.recent_runs import PastRun, RunHistory
from market_data.models import EveningHold, PipelineRun
from market_data.runs import holds
from market_data.runs.prerequisites import describe_all, outstanding
from market_data.runs.queries import RunState, active_runs
from market_data.runs.saga import Saga, job_title
from tradingsite.operations import jobs
from tradingsite.operations.evening_holds import HoldOffer, hold_offers
from tradingsite.schedule import evening_jobs, other_jobs

_Status = PipelineRun.Status
LAST_JOB: Final = "selection"
_LABELS: Final = {"planned": "Planned", "never": "Never run", "overdue": "Not started"}
_GRACE: Final = timedelta(minutes=2)
_STEPS: Final = (3, 6, 12)
"""Hours between two labels of the timeline."""


@dataclass(frozen=True)
class JobLine:
    """One job on the timeline; `left`, `width` (0 before it has started) and `mark`, where it is planned, in percent.

    `status` is a run's, or ``planned``, ``overdue`` (did not start when it was planned), ``never``; `progress` is 0-1;
    `refusal` says why it may not be started by hand now, and is empty when it may. `rerun` describes a later run that
    could not replace the good result, `rerun_id` names it; both are empty without one.
    """

    slug: str
    title: str
    status: str
    status_label: str
    detail: str
    progress: float
    planned: datetime | None
    ended_at: datetime | None
    run_id: str
    refusal: str
    rerun: str = ""
    rerun_id: str = ""
    left: float = 0.0
    width: float = 0.0
    mark: float | None = None


@dataclass(frozen=True)
class Axis:
    """The hours the timeline spans, with a few labels, and where now is, in percent; `now_words` says it as text."""

    begins: datetime
    ends: datetime
    hours: tuple[tuple[str, float], ...] = ()
    now: float = 0.0
    now_words: str = ""

    def at(self, moment: datetime) -> float:
        """Position of a moment, 0-100; the nearer end for one that lies outside."""
        share = (moment - self.begins) / (self.ends - self.begins)
        return round(100 * min(max(share, 0.0), 1.0), 2)


@dataclass(frozen=True)
class Tonight:
    """The jobs part of the home page."""

    lines: list[JobLine]
    others: list[JobLine]
    axis: Axis | None
    forecast: Forecast | None
    refusal_of_all: str
    holds: list[EveningHold]
    hold_offers: list[HoldOffer]


def tonight(evening: Evening | None, history: RunHistory, now: datetime) -> Tonight:
    """The evening's jobs, the other jobs, and when the picks will be ready."""
    situation = jobs.current_situation(now)
    active = {run.id: run for run in active_runs()}
    axis = _axis(evening, history, now) if evening else None
    lines = [_line(saga, evening, history, active, situation, axis, now) for saga in evening_jobs()]
    picks_ready = picks_forecast(evening, history, now, LAST_JOB) if evening else None
    others = _other_lines(history, active, situation)
    return Tonight(
        lines,
        others,
        axis,
        picks_ready,
        jobs.refusal_of_all(situation),
        holds.holds_in_force(),
        hold_offers(evening, now),
    )


def _axis(evening: Evening, history: RunHistory, now: datetime) -> Axis:
    """The planned hours of an evening, and beyond them as far as its work goes, such as a repair on the next day."""
    begins = timezone.make_aware(datetime.combine(evening.session, time(20)))
    ends = begins + timedelta(hours=13)
    for saga in evening_jobs():
        run = history.of_session(saga.job, evening.session)
        if run is not None and run.started_at is not None:
            begins = min(begins, _whole_hour(run.started_at))
            ends = max(ends, _whole_hour(run.ended_at or now) + timedelta(hours=1))
    axis = Axis(begins, ends)
    where = " (before these hours)" if now < begins else " (after these hours)" if now > ends else ""
    words = f"{timezone.localtime(now):%a %H:%M}{where}"
    return replace(axis, hours=tuple(_hour_labels(axis)), now=axis.at(now), now_words=words)


def _whole_hour(moment: datetime) -> datetime:
    return timezone.localtime(moment).replace(minute=0, second=0, microsecond=0)


def _hour_labels(axis: Axis) -> Iterator[tuple[str, float]]:
    """At most five labels; with the day where the timeline is longer than one."""
    span = axis.ends - axis.begins
    step = next((hours for hours in _STEPS if span <= timedelta(hours=5 * hours)), 24 * ceil(span / timedelta(days=5)))
    label = axis.begins + timedelta(hours=1)
    while label < axis.ends:
        text = "%a %H:%M" if span > timedelta(days=1) else "%H:%M"
        yield f"{timezone.localtime(label):{text}}", axis.at(label)
        label += timedelta(hours=step)


def _line(
    saga: Saga,
    evening: Evening | None,
    history: RunHistory,
    active: dict[str, RunState],
    situation: jobs.Situation,
    axis: Axis | None,
    now: datetime,
) -> JobLine:
    standing = history.standing(saga.job, evening.session) if evening else None
    run, latest = standing.run if standing else None, history.latest(saga.job)
    if run is None and latest and (evening is None or latest.id in active):
        run = latest  # at work for an earlier session, which somebody repairs
    planned = evening.planned(saga) if evening else None
    status = run.status if run else _status_without_run(planned, now)
    left, width = _span(run, axis, now)
    mark = axis.at(planned) if axis and planned else None
    line = _job_line(saga.job, run, status, planned, active, situation)
    if standing and standing.rerun:
        line = replace(line, rerun=_rerun_text(standing.rerun), rerun_id=standing.rerun.id)
    return replace(line, left=left, width=width, mark=mark)


def _rerun_text(run: PastRun) -> str:
    moment = f"{timezone.localtime(run.ended_at):%a %H:%M} " if run.ended_at else ""
    return f"re-run {moment}{run.status}: {run.reason or 'no reason given'}"


def _job_line(
    name: str,
    run: PastRun | None,
    status: str,
    planned: datetime | None,
    active: dict[str, RunState],
    situation: jobs.Situation,
) -> JobLine:
    return JobLine(
        slug=jobs.slug_of(name),
        title=job_title(name),
        status=status,
        status_label=_LABELS.get(status) or str(_Status(status).label),
        detail=_detail(run, active) if run else "",
        progress=_progress(run, active),
        planned=planned,
        ended_at=run.ended_at if run else None,
        run_id=run.id if run else "",
        refusal=jobs.refusal(name, situation),
    )


def _status_without_run(planned: datetime | None, now: datetime) -> str:
    if planned is None:
        return "never"
    return "overdue" if now > planned + _GRACE else "planned"


def _span(run: PastRun | None, axis: Axis | None, now: datetime) -> tuple[float, float]:
    if run is None or axis is None or run.started_at is None:
        return 0.0, 0.0
    left = axis.at(run.started_at)
    return left, round(max(axis.at(run.ended_at or now) - left, 0.6), 2)


def _progress(run: PastRun | None, active: dict[str, RunState]) -> float:
    if run is None:
        return 0.0
    if run.status == _Status.COMPLETED:
        return 1.0
    return active[run.id].progress if run.id in active else 0.0


def _detail(run: PastRun, active: dict[str, RunState]) -> str:
    if run.status == _Status.WAITING:
        return waiting_reason(run)
    if run.status == _Status.RUNNING and run.id in active:
        current = active[run.id].current
        return f"{current.title}: {current.last_line}".removesuffix(": ") if current else ""
    if run.status == _Status.COMPLETED and run.seconds is not None:
        return f"took {duration(run.seconds)}"
    return run.reason


def waiting_reason(run: PastRun | PipelineRun) -> str:
    missing = outstanding(run)
    if not missing:
        return "Held until the evening is released." if run.intended_at else "About to start."
    return f"Waits for {describe_all(missing)}."


def duration(seconds: float) -> str:
    """A duration as text: 42 s, 3 min 10 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _other_lines(history: RunHistory, active: dict[str, RunState], situation: jobs.Situation) -> list[JobLine]:
    next_runs = dict(Schedule.objects.values_list("name", "next_run"))
    names = [saga.job for saga in other_jobs()]
    shown = {saga.job for saga in evening_jobs()} | set(names)
    names += [job.name for job in jobs.startable_jobs().values() if job.name not in shown]
    return [
        _job_line(name, run, run.status if run else "never", next_runs.get(name), active, situation)
        for name, run in zip(names, map(history.latest, names), strict=True)
    ]
