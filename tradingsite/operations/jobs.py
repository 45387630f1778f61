"""The jobs that can be started by hand: their addresses, and why one may not start now.

A page asks for all jobs at once, a press of a button for one; both read the same `Situation`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from django.conf import settings

from market_data import trading_calendar
from market_data.models import PipelineRun
from market_data.providers import ProviderError
from market_data.runs.saga import SagaError, is_condition_met, sagas
from market_data.tasks import Link
from tradingsite.schedule import EVENING, JOBS

ALL = "all"
_ONLY_BY_HAND = ("import_fundamentals",)
_SLUGS = {"training": "ml-training"}


class UnknownJob(SagaError):
    """No job has that name; the sentence lists those there are."""


class MayNotStart(SagaError):
    """A job would begin on half a day; the sentence says what it waits for."""


@dataclass(frozen=True)
class StartableJob:
    """A job as the console shows it: `slug` in addresses, `name` of its saga."""

    slug: str
    name: str
    title: str


def slug_of(job: str) -> str:
    """Return a job's name in addresses."""
    return _SLUGS.get(job, job.replace("_", "-"))


def title_of(job: str) -> str:
    """Return what a job is called: its description without what it consists of."""
    known = sagas().get(job)
    first, *rest = known.description.split(" (")[0].split() if known else job.split("_")
    return " ".join([first, *(word if word.isupper() else word.lower() for word in rest)])


def startable_jobs() -> dict[str, StartableJob]:
    """Return the jobs by slug: the scheduled ones in their order, then what is only started by hand.

    A saga that works on something handed to it (a file, say) is none of them: a button has nothing to hand over.
    """
    names = [job.name for job in JOBS] + list(_ONLY_BY_HAND)
    return {slug_of(name): StartableJob(slug_of(name), name, title_of(name)) for name in names}


def found_job(slug: str) -> StartableJob:
    """Return the job of a slug.

    Raises
    ------
    UnknownJob
        Naming the slugs there are.
    """
    known = startable_jobs()
    if slug not in known:
        raise UnknownJob(f"There is no job {slug[:50]!r}; the jobs are {', '.join([*known, ALL])}.")
    return known[slug]


def whole_evening() -> tuple[Link, ...]:
    """Return the jobs of an evening, each after the one before; without a new model the selection goes on."""
    first: tuple[str, ...] = ("import_fundamentals",) if settings.FUNDAMENTALS_DIR else ()
    names = (*first, *EVENING)
    links = [Link(names[0])]
    for before, name in pairwise(names):
        links.append(Link(name, ended=(before,)) if before == "training" else Link(name, (before,)))
    return tuple(links)


@dataclass(frozen=True)
class Situation:
    """What decides whether jobs may start.

    Attributes
    ----------
    session : date or None
        The latest completed session, for which a job would start.
    why_none : str
        Why there is none.
    active : mapping of str to str
        Active run of each job.
    completed : frozenset of str
        Jobs that completed for the session.
    """

    session: date | None
    why_none: str
    active: Mapping[str, str]
    completed: frozenset[str]


def situation(now: datetime) -> Situation:
    """Return the situation of the moment."""
    try:
        session, why_none = trading_calendar.latest_completed_session(now), ""
    except (trading_calendar.CalendarError, ProviderError) as error:
        session, why_none = None, str(error)
    active = PipelineRun.objects.filter(status__in=PipelineRun.ACTIVE).values_list("job", "id")
    done = PipelineRun.objects.filter(session=session, status=PipelineRun.Status.COMPLETED)
    completed = done.values_list("job", flat=True) if session else ()
    return Situation(session, why_none, dict(active), frozenset(completed))


def refusal(job: str, seen: Situation) -> str:
    """Return why a job may not start now; empty where it may."""
    if job in seen.active:
        return f"It is active as {seen.active[job]}."
    if not sagas()[job].needs_session:
        return ""
    if seen.session is None:
        return seen.why_none
    missing = [one for one in _waits_for(job) if not _is_met(one, seen)]
    if not missing:
        return ""
    wanted = " and ".join(title_of(one.split("|")[0]) for one in missing)
    return f"It waits for {wanted} of {seen.session}; start that first."


def refusal_of_all(seen: Situation) -> str:
    """Return why the whole evening may not be started; empty where it may."""
    active = [seen.active[link.job] for link in whole_evening() if link.job in seen.active]
    if active:
        return f"{active[0]} is active; the evening is started as a whole or not at all."
    return seen.why_none


def _waits_for(job: str) -> tuple[str, ...]:
    return next((one.waits_for for one in JOBS if one.name == job), ())


def _is_met(wanted: str, seen: Situation) -> bool:
    names = wanted.split("|")
    if any(name in seen.completed for name in names):
        return True
    return seen.session is not None and any(is_condition_met(name, seen.session) for name in names[1:])
