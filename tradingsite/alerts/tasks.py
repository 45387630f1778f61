"""What the queue runs each minute in each cluster: look, remember, tell."""

import socket
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from tradingsite.alerts import dead_man, deliveries, troubles
from tradingsite.alerts.conditions import look
from tradingsite.alerts.symptoms import Watch


def check_alerts(cluster: str) -> None:
    """Look at everything from a cluster, ping the outside service, and deliver what waits.

    A task of its own: a channel that hangs costs half a minute here, and no heartbeat.
    """
    now = timezone.now()
    record_look(cluster, now)
    dead_man.ping_if_alive(now)
    deliveries.deliver_due(now)


def record_look(cluster: str, now: datetime) -> None:
    """Look and record, one process at a time, so that what is recorded is not older than what is there."""
    with transaction.atomic():
        troubles.lock()
        watch = Watch(now, troubles.watched_since(now), cluster, socket.gethostname(), troubles.told())
        troubles.record_seen(look(watch), now)
