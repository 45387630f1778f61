"""Sends alerts through the channels: grouped, rate-limited for each channel, retried until delivered."""

import logging
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db.models import F

from brokers.redaction import without_secrets
from tradingsite.alerts.channels import DEADLINE_SECONDS, Channel, attempt_all, channels
from tradingsite.alerts.messages import Message, Notice, alert_message
from tradingsite.alerts.troubles import timer
from tradingsite.models import AlertDelivery, AlertTimer

# Between two messages of a channel; what arrives meanwhile is grouped into the next.
PAUSE = timedelta(minutes=3)
LONGEST_PAUSE = timedelta(hours=1)

logger = logging.getLogger(__name__)


def deliver_due(now: datetime, deadline_seconds: float = DEADLINE_SECONDS) -> dict[str, str]:
    """Send what waits for each channel, all in parallel; return the error of each channel tried, empty if delivered."""
    due = {channel.name: batch for channel in channels().values() if (batch := _claim_batch(channel, now))}
    errors = attempt_all({name: send for name, (send, _) in due.items()}, deadline_seconds)
    for name, error in errors.items():
        if not error:
            AlertDelivery.objects.filter(pk__in=due[name][1]).update(delivered_at=now)
        record_attempt(name, error, now, PAUSE)
    return errors


def system_name() -> str:
    return "NSE trading system" + (" (simulated market)" if settings.PROVIDER_KIND == "simulated" else "")


def claim(name: str, now: datetime, pause: timedelta) -> bool:
    """Claim a due timer and set it `pause` ahead; of several processes one succeeds."""
    timer(name, now)
    return bool(AlertTimer.objects.filter(name=name, next_at__lte=now).update(next_at=now + pause))


def record_attempt(name: str, error: str, now: datetime, pause: timedelta) -> None:
    """Record the outcome of an attempt: the next is due after `pause`, after failures in 1, 2, 4 … 60 minutes."""
    timers = AlertTimer.objects.filter(name=name)
    if not error:
        timers.update(failures=0, last_error="", succeeded_at=now, next_at=now + pause)
        return
    failures = timers.get().failures
    back_off = min(LONGEST_PAUSE, timedelta(minutes=2 ** min(failures, 10)))
    error = without_secrets(error)
    timers.update(failures=F("failures") + 1, last_error=error, next_at=now + back_off)
    logger.warning("an alert was not delivered", extra={"channel": name, "why": error, "failures": failures + 1})


def _claim_batch(channel: Channel, now: datetime) -> tuple[partial[None], list[int]] | None:
    """Return the call that sends all waiting deliveries of a channel, and their keys; None if none waits or is due."""
    waiting = AlertDelivery.objects.filter(channel=channel.name, delivered_at=None)
    if not waiting.exists() or not claim(channel.name, now, PAUSE):
        return None
    batch = list(waiting.select_related("trouble").order_by("id"))
    return partial(channel.send, _message(batch)), [delivery.pk for delivery in batch]


def _message(batch: list[AlertDelivery]) -> Message:
    # One line for a trouble, even if it ended before its beginning could be delivered.
    troubles = {delivery.trouble_id: delivery.trouble for delivery in batch}
    notices = [Notice(trouble.title, trouble.remedy, trouble.since, trouble.over_at) for trouble in troubles.values()]
    return alert_message(notices, system_name())
