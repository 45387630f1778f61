"""The queue's task of each minute in each cluster: check the conditions, record troubles, deliver alerts."""

import socket
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from tradingsite.alerts import dead_man, deliveries, troubles
from tradingsite.alerts.conditions import check_conditions
from tradingsite.alerts.symptoms import CheckContext


def check_alerts(cluster: str) -> None:
    """Check everything, ping, deliver; not part of the heartbeat, because a channel that hangs costs half a minute."""
    now = timezone.now()
    check_and_record(cluster, now)
    dead_man.ping_if_alive(now)
    deliveries.deliver_due(now)


def check_and_record(cluster: str, now: datetime) -> None:
    """Check the conditions and record the result, one process at a time: a later record is never of an older check."""
    with transaction.atomic():
        troubles.lock()
        context = CheckContext(now, troubles.watched_since(now), cluster, socket.gethostname(), troubles.open_keys())
        troubles.record_result(check_conditions(context), now)
