"""The dead-man ping: a call every few minutes while all essentials live.

A dead host calls nobody; that the calls end is what the outside service notices and tells.
"""

from datetime import datetime, timedelta
from functools import partial

from django.conf import settings

from market_data.models import Heartbeat
from tradingsite.alerts.channels import DEADLINE_SECONDS, attempted, call
from tradingsite.alerts.deliveries import claim, record_attempt
from tradingsite.models import Trouble

NAME = "dead-man ping"
EVERY = timedelta(minutes=3)


def ping_if_alive(now: datetime, deadline_seconds: float = DEADLINE_SECONDS) -> str | None:
    """Call DEADMAN_PING_URL when it is due and both clusters beat; that the database answers is shown by getting here.

    Returns
    -------
    str or None
        What went wrong (which is only noted), empty after a success, None when no call was made.
    """
    if not settings.DEADMAN_PING_SECRET_URL or not _all_alive() or not claim(NAME, now, EVERY):
        return None
    error = attempted({NAME: partial(call, "GET", settings.DEADMAN_PING_SECRET_URL)}, deadline_seconds)[NAME]
    record_attempt(NAME, error, now, EVERY)
    return error


def _all_alive() -> bool:
    beating = set(Heartbeat.objects.values_list("cluster", flat=True))
    silent = Trouble.objects.filter(over_at=None, key__startswith="clusters:").exists()
    return beating >= set(settings.CLUSTERS) and not silent
