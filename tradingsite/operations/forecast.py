"""When tonight's picks will be there, and how late the work may still begin to make it by 09:00.

Plain arithmetic over planned times, what has ended, and how long each job usually takes. What was never measured is not
guessed: then there is no forecast, and it says for want of what.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Work:
    """One job of the evening.

    Attributes
    ----------
    after : tuple of str
        Jobs that must have ended before it.
    planned : datetime
        Before that it does not begin.
    usual_seconds : float or None
        How long it takes; None: never measured.
    started_at, ended_at : datetime or None
        What has happened; `ended_at` only of what completed.
    """

    name: str
    after: tuple[str, ...]
    planned: datetime
    usual_seconds: float | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Forecast:
    """When it will be done.

    Attributes
    ----------
    ready_at : datetime or None
        When the last job ends; in the past where it has.
    latest_start : datetime or None
        The last moment at which what is left can begin and still be done when it is due.
    unmeasured : tuple of str
        Jobs still to do that have never been measured: nothing is forecast then.
    """

    ready_at: datetime | None
    latest_start: datetime | None
    unmeasured: tuple[str, ...]


def forecast(works: Mapping[str, Work], last: str, now: datetime, due: datetime | None) -> Forecast:
    """Return when the job `last` will have ended.

    Parameters
    ----------
    works : mapping of str to Work
        The jobs by name; what is waited for and is not among them counts as done.
    last : str
        The job whose end is asked for.
    now, due : datetime
        The moment, and when it has to be done.
    """
    done_at = works[last].ended_at
    if done_at is not None:
        return Forecast(done_at, None, ())
    open_jobs = _open(works, last)
    unmeasured = tuple(name for name in open_jobs if works[name].usual_seconds is None)
    if unmeasured:
        return Forecast(None, None, unmeasured)
    left = _longest(works, last, now)
    return Forecast(_end(works, last, now), due - left if due else None, ())


def _open(works: Mapping[str, Work], name: str) -> list[str]:
    """Return the jobs that have still to end, those that come first first."""
    work = works.get(name)
    if work is None or work.ended_at is not None:
        return []
    before = [other for one in work.after for other in _open(works, one)]
    return [*dict.fromkeys([*before, name])]


def _end(works: Mapping[str, Work], name: str, now: datetime) -> datetime:
    work = works.get(name)
    if work is None:
        return now
    if work.ended_at is not None:
        return work.ended_at
    usual = timedelta(seconds=work.usual_seconds or 0)
    if work.started_at is not None:
        return max(now, work.started_at + usual)
    return max([now, work.planned, *(_end(works, one, now) for one in work.after)]) + usual


def _longest(works: Mapping[str, Work], name: str, now: datetime) -> timedelta:
    """Return the longest chain of work that is left, planned times aside."""
    work = works.get(name)
    if work is None or work.ended_at is not None:
        return timedelta(0)
    usual = timedelta(seconds=work.usual_seconds or 0)
    if work.started_at is not None:
        return max(timedelta(0), work.started_at + usual - now)
    return max([timedelta(0), *(_longest(works, one, now) for one in work.after)]) + usual
