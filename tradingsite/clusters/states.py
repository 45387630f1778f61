"""The queue's clusters and the sender of orders as the console shows them, and the queue's failures."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import Count
from django_q.models import Failure, OrmQ

from portfolio.sending import dispatch
from tradingsite.clusters.liveness import STUCK_AFTER, Liveness
from tradingsite.clusters.progress import cluster_liveness

_DAY: Final = timedelta(days=1)
_OF_ORDERS: Final = """
    SELECT (SELECT finished_at FROM heartbeats WHERE cluster = %s), count(*)
    FROM orders JOIN trading_accounts account ON account.id = orders.account_id
    WHERE orders.status = 'queued' AND NOT account.is_replay"""
"""When the process that watches over the senders last beat, and how many orders wait to be sent."""


@dataclass(frozen=True)
class ClusterState:
    """One cluster."""

    name: str
    state: str  # alive, busy (at work on a step), never (not started yet) or dead
    age_seconds: int | None  # since its last heartbeat
    queued: int
    message: str  # the state as a sentence, with what to do


def cluster_states(now: datetime) -> list[ClusterState]:
    queued = dict(OrmQ.objects.values_list("key").annotate(count=Count("pk")).order_by("key"))
    liveness = cluster_liveness(now)
    return [*(_state(liveness[name], queued.get(name, 0)) for name in settings.CLUSTERS), _order_sender(now)]


def _order_sender(now: datetime) -> ClusterState:
    """The process that watches over the senders of all accounts: it beats twice a minute, whatever there is to do."""
    name = dispatch.NAME
    with connection.cursor() as cursor:
        cursor.execute(_OF_ORDERS, [name])
        last, queued = cursor.fetchone() or (None, 0)
    if last is None:
        message = "The order sender has never given a sign of life: start ./run.sh dev, or the container order_sender."
        return ClusterState(name, "never", None, queued, message)
    age = max(0, round((now - last).total_seconds()))
    if age > STUCK_AFTER.total_seconds():
        message = (
            f"The {name} is dead: its last sign of life was {age // 60} min ago. No order leaves until it is back."
        )
        return ClusterState(name, "dead", age, queued, message)
    return ClusterState(name, "alive", age, queued, f"Last heartbeat {age} s ago.")


def _state(liveness: Liveness, queued: int) -> ClusterState:
    name, age = liveness.cluster, liveness.heartbeat_age_seconds
    if not liveness.has_started:
        state = "never"
        message = f"The cluster {name} has never given a sign of life: start ./run.sh dev, or the container {name}."
    elif liveness.is_stuck:
        state = "dead"
        minutes = int(liveness.silence.total_seconds() // 60)
        span = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
        message = (
            f"The cluster {name} is dead: its last sign of life was {span} ago. Nothing of it runs until it is back."
        )
    elif liveness.is_at_work:
        state, message = "busy", "At work on a step under a living lease."
    else:
        state, message = "alive", "No heartbeat yet." if age is None else f"Last heartbeat {age} s ago."
    return ClusterState(name, state, age, queued, message)


def failures_of_a_day(now: datetime) -> int:
    """Return how many tasks of the queue broke within a day."""
    return int(Failure.objects.filter(stopped__gte=now - _DAY).count())
