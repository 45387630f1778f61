"""The dead-man ping: a request to an outside service every few minutes while everything essential is alive.

A dead host sends no alert; the outside service raises it when the pings stop.
"""

from datetime import datetime, timedelta
from functools import partial

from django.conf import settings

from market_data.models import Heartbeat
from tradingsite.alerts.channels import DEADLINE_SECONDS, attempt_all, call
from tradingsite.alerts.deliveries import claim, record_attempt
from tradingsite.models import Trouble

NAME = "dead-man ping"
EVERY = timedelta(minutes=3)


def ping_if_alive(now: datetime, deadline_seconds: float = DEADLINE_SECONDS) -> str | None:
    """Call DEADMAN_PING_URL if it is due and both clusters are alive; the database is, or this code would not run.

    Returns the error, which is only recorded; empty on success; None if no call was made.
    """
    if not settings.DEADMAN_PING_SECRET_URL or not _are_clusters_alive() or not claim(NAME, now, EVERY):
        return None
    error = attempt_all({NAME: partial(call, "GET", settings.DEADMAN_PING_SECRET_URL)}, deadline_seconds)[NAME]
    record_attempt(NAME, error, now, EVERY)
    return error


def _are_clusters_alive() -> bool:
    started = set(Heartbeat.objects.values_list("cluster", flat=True))
    is_one_stuck = Trouble.objects.filter(over_at=None, key__startswith="clusters:").exists()
    return started >= set(settings.CLUSTERS) and not is_one_stuck
