"""The queue's clusters as the console sees them, and what lies in the queue."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Count
from django_q.models import Failure, OrmQ

from market_data.models import Heartbeat
from market_data.runs import workers
from market_data.runs.queries import clusters_at_work

# A heartbeat is planned each minute, and the queue looks at its schedules each half.
SILENT_AFTER_SECONDS: Final = 60
DEAD_AFTER_SECONDS: Final = 100
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class ClusterState:
    """One cluster.

    Attributes
    ----------
    state : str
        ``alive``, ``busy`` (a long step keeps it from its heartbeat), ``never`` (not started yet) or ``dead``.
    age_seconds : int or None
        Since its last heartbeat.
    told : str
        The same as a sentence, with what to do.
    """

    name: str
    state: str
    age_seconds: int | None
    queued: int
    told: str


def cluster_states(now: datetime) -> list[ClusterState]:
    """Return the state of every cluster."""
    beats = {beat.cluster: beat for beat in Heartbeat.objects.all()}
    queued = dict(OrmQ.objects.values_list("key").annotate(count=Count("pk")).order_by("key"))
    working = clusters_at_work(now)
    return [
        _state(name, beats.get(name), now, queued.get(name, 0), at_work=name in working) for name in settings.CLUSTERS
    ]


def _state(name: str, beat: Heartbeat | None, now: datetime, queued: int, *, at_work: bool) -> ClusterState:
    if beat is None:
        told = f"The cluster {name} has never given a sign of life: start ./run.sh dev, or the container {name}."
        return ClusterState(name, "never", None, queued, told)
    age = max(0, round((now - beat.finished_at).total_seconds()))
    # A worker is replaced now and then; only together with its silence does its end tell anything.
    is_gone = age > SILENT_AFTER_SECONDS and workers.has_ended(beat.worker)
    if not is_gone and age <= DEAD_AFTER_SECONDS:
        return ClusterState(name, "alive", age, queued, f"Last heartbeat {age} s ago.")
    if at_work:
        return ClusterState(name, "busy", age, queued, "At work on a step under a living lease.")
    told = f"The cluster {name} is dead: its last heartbeat was {_span(age)} ago. Nothing of it runs until it is back."
    return ClusterState(name, "dead", age, queued, told)


def _span(seconds: int) -> str:
    if seconds < 180:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def failures_of_a_day(now: datetime) -> int:
    """Return how many tasks of the queue broke within a day."""
    return int(Failure.objects.filter(stopped__gte=now - _DAY).count())
