"""The jobs an operator can start: their URL slugs, and why one may not start now.

A page asks about all jobs at once, a button about one; both read the same `Situation`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from django.conf import settings

from market_data import trading_calendar
from market_data.models import PipelineRun
from market_data.providers import ProviderError
from market_data.runs.prerequisites import describe_all, missing_prerequisites
from market_data.runs.saga import SagaError, saga_of, sagas
from market_data.tasks import Link
from tradingsite import schedule
from tradingsite.schedule import scheduled_jobs

ALL = "all"
_SLUGS = {"training": "ml-training"}


class UnknownJob(SagaError):
    """No job has that slug; the sentence lists the slugs there are."""


class MayNotStart(SagaError):
    """A job would work on an incomplete day; the sentence names the missing prerequisites."""


@dataclass(frozen=True)
class StartableJob:
    """A job as the console shows it: `slug` in URLs, `name` of its saga."""

    slug: str
    name: str
    title: str


def slug_of(job: str) -> str:
    return _SLUGS.get(job, job.replace("_", "-"))


def startable_jobs() -> dict[str, StartableJob]:
    """Jobs by slug: the scheduled ones in their order, then those that are only started by hand.

    Sagas without a command are left out: they need an input, such as an uploaded file, that a button cannot give them.
    """
    unscheduled = [saga for saga in sagas().values() if saga.command and not saga.cron]
    startable = [StartableJob(slug_of(saga.job), saga.job, saga.title) for saga in [*scheduled_jobs(), *unscheduled]]
    return {job.slug: job for job in startable}


def startable_job(slug: str) -> StartableJob:
    """The job of a slug.

    Raises
    ------
    UnknownJob
        When there is none; the sentence lists the slugs there are.
    """
    startable = startable_jobs()
    if slug not in startable:
        raise UnknownJob(f"There is no job {slug[:50]!r}; the jobs are {', '.join([*startable, ALL])}.")
    return startable[slug]


def whole_evening() -> tuple[Link, ...]:
    """The jobs of an evening, each waiting for the one before; the selection also runs without a new model."""
    first: tuple[str, ...] = ("import_fundamentals",) if settings.FUNDAMENTALS_DIR else ()
    names = (*first, *schedule.whole_evening())
    links = [Link(names[0])]
    for before, name in pairwise(names):
        links.append(Link(name, ended=(before,)) if before == "training" else Link(name, (before,)))
    return tuple(links)


@dataclass(frozen=True)
class Situation:
    """The facts that decide whether jobs may start for the latest completed session, or why there is no such session.

    `active` holds the id of each job's active run, `completed` the jobs that have completed for the session.
    """

    session: date | None
    no_session_reason: str
    active: Mapping[str, str]
    completed: frozenset[str]


def current_situation(now: datetime) -> Situation:
    """Read the facts of the moment, in three queries."""
    try:
        session, no_session_reason = trading_calendar.latest_completed_session(now), ""
    except (trading_calendar.CalendarError, ProviderError) as error:
        session, no_session_reason = None, str(error)
    active = PipelineRun.objects.filter(status__in=PipelineRun.ACTIVE).values_list("job", "id")
    of_session = PipelineRun.objects.filter(session=session, status=PipelineRun.Status.COMPLETED)
    completed = of_session.values_list("job", flat=True) if session else ()
    return Situation(session, no_session_reason, dict(active), frozenset(completed))


def refusal(job: str, situation: Situation) -> str:
    """Why a job may not start now; empty when it may."""
    if job in situation.active:
        return f"It is active as {situation.active[job]}."
    saga = saga_of(job)
    if not saga.needs_session:
        return ""
    if situation.session is None:
        return situation.no_session_reason
    missing = missing_prerequisites(saga.waits_for, situation.session, situation.completed)
    return f"It waits for {describe_all(missing)} of {situation.session}; start that first." if missing else ""


def refusal_of_all(situation: Situation) -> str:
    """Why the whole evening may not be started now; empty when it may."""
    active = [situation.active[link.job] for link in whole_evening() if link.job in situation.active]
    if active:
        return f"{active[0]} is active; the evening can only be started as a whole."
    return situation.no_session_reason
