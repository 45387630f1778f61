"""Which evening the console speaks of, and what ran lately: read once, used by all parts of the home page.

An evening belongs to a session. It lasts until the picks that come of it are used: until 09:00 India Standard Time of
the day after; from then on the page speaks of the next one.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import Final

from croniter import croniter
from django.utils import timezone

from market_data import trading_calendar
from market_data.models import MarketDay, PipelineRun
from market_data.providers import ProviderError
from tradingsite.alerts.conditions import PICKS_DUE
from tradingsite.schedule import EVENING_BEFORE, JOBS, NO_SESSION, Job

EVENING_JOBS: Final = tuple(job for job in JOBS if job.waits_for or job.name == "pipeline")
_RUNS_READ: Final = 400
_MEASURED: Final = 20
_WINDOW: Final = timedelta(days=20)


@dataclass(frozen=True)
class Evening:
    """A session's evening.

    Attributes
    ----------
    session : date
        The session.
    previous, following : date or None
        The sessions before and after it, where the calendar knows them.
    due : datetime or None
        When the picks are used: 09:00 of the session after.
    """

    session: date
    previous: date | None
    following: date | None
    due: datetime | None

    def planned(self, job: Job) -> datetime:
        """Return when a job of this evening may start."""
        before = timezone.make_aware(datetime.combine(self._day_of(job), time(0))) - timedelta(minutes=1)
        due: datetime = croniter(job.cron, before).get_next(datetime)
        return due

    def _day_of(self, job: Job) -> date:
        return self.session + timedelta(days=1 if job.stands_for == EVENING_BEFORE else 0)


def evening_of(now: datetime) -> Evening | None:
    """Return the evening of a moment; None where the calendar knows no session."""
    local = timezone.localtime(now)
    day = (local - timedelta(hours=PICKS_DUE.hour, minutes=PICKS_DUE.minute)).date()
    try:
        sessions = _sessions(day - _WINDOW, day + _WINDOW)
    except (trading_calendar.CalendarError, ProviderError):
        return None
    until = [one for one in sessions if one <= day]
    if not until:
        return None
    following = next((one for one in sessions if one > until[-1]), None)
    due = timezone.make_aware(datetime.combine(following, PICKS_DUE)) if following else None
    return Evening(until[-1], until[-2] if len(until) > 1 else None, following, due)


def stored_sessions(start: date, end: date) -> list[date]:
    """Return the sessions of the stored calendar between two days, both included, ascending."""
    stored = MarketDay.objects.filter(date__range=(start, end), is_session=True).order_by("date")
    return list(stored.values_list("date", flat=True))


def _sessions(start: date, end: date) -> list[date]:
    """Return the sessions between two days; before the first seed those that the seed would hold."""
    days = stored_sessions(start, end)
    if days or MarketDay.objects.exists():
        return days
    return trading_calendar.sessions_between(start, end)


@dataclass(frozen=True)
class PastRun:
    """What the console knows of a run without its steps."""

    id: str
    job: str
    session: date | None
    status: str
    triggered_by: str
    waits_for: tuple[str, ...]
    reason: str
    intended_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    is_replay: bool

    @property
    def seconds(self) -> float | None:
        """Return how long it took, where it ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


class History:
    """The runs of the last weeks but quotes', newest first: one read for times, tonight's states and the charts."""

    def __init__(self) -> None:
        names = list(PastRun.__dataclass_fields__)
        found = PipelineRun.objects.exclude(job="quotes").order_by("-sequence").values(*names)[:_RUNS_READ]
        self.runs = [PastRun(**one | {"waits_for": tuple(one["waits_for"])}) for one in found]

    def last(self, job: str, session: date | None = None) -> PastRun | None:
        """Return the newest run of a job (of a session), replays left out."""
        for run in self.runs:
            if run.job == job and not run.is_replay and (session is None or run.session == session):
                return run
        return None

    def standing(self, job: str, session: date) -> PastRun | None:
        """Return the run that says where a job of a session stands: a completed one counts, whatever came after."""
        found = [run for run in self.runs if run.job == job and run.session == session and not run.is_replay]
        done = [run for run in found if run.status == PipelineRun.Status.COMPLETED]
        active = [run for run in found if run.status in PipelineRun.ACTIVE]
        return next(iter(active + done + found), None)

    def usual_seconds(self, job: str) -> float | None:
        """Return the median of the job's last completed runs, in seconds; None before the first."""
        took = [
            run.seconds
            for run in self.runs
            if run.job == job and run.status == PipelineRun.Status.COMPLETED and not run.is_replay and run.seconds
        ]
        return median(took[:_MEASURED]) if took else None


OTHER_JOBS: Final = tuple(job for job in JOBS if job.stands_for == NO_SESSION or job.name == "quotes")
