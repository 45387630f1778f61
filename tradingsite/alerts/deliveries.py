"""Sends what the channels have not been told: grouped, not faster than a pause, tried again until it is delivered."""

import logging
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db.models import F

from tradingsite.alerts.channels import DEADLINE_SECONDS, Channel, attempted, channels
from tradingsite.alerts.messages import Message, News, message_of
from tradingsite.alerts.troubles import timer
from tradingsite.models import AlertDelivery, AlertTimer

# Between two messages of a channel; what comes meanwhile is one message more.
PAUSE = timedelta(minutes=3)
LONGEST_PAUSE = timedelta(hours=1)

logger = logging.getLogger(__name__)


def deliver_due(now: datetime, deadline_seconds: float = DEADLINE_SECONDS) -> dict[str, str]:
    """Send each channel what waits for it, side by side.

    Returns
    -------
    dict
        By the names of the channels that were tried: what went wrong, empty where nothing did.
    """
    prepared = {channel.name: taken for channel in channels().values() if (taken := _take(channel, now))}
    actions = {name: send for name, (send, _) in prepared.items()}
    outcomes = attempted(actions, deadline_seconds)
    for name, error in outcomes.items():
        _record_outcome(name, error, prepared[name][1], now)
    return outcomes


def system_name() -> str:
    """Return how this installation calls itself in messages."""
    return "NSE trading system" + (" (simulated market)" if settings.PROVIDER_KIND == "simulated" else "")


def claim(name: str, now: datetime, pause: timedelta) -> bool:
    """Take a timer that is due and set it `pause` ahead; of several processes one succeeds."""
    timer(name, now)
    return bool(AlertTimer.objects.filter(name=name, next_at__lte=now).update(next_at=now + pause))


def record_attempt(name: str, error: str, now: datetime, pause: timedelta) -> None:
    """Note how an attempt went: the next is due after `pause`, or after 1, 2, 4 … minutes when it failed again."""
    mine = AlertTimer.objects.filter(name=name)
    if not error:
        mine.update(failures=0, last_error="", succeeded_at=now, next_at=now + pause)
        return
    failures = mine.get().failures
    back_off = min(LONGEST_PAUSE, timedelta(minutes=2 ** min(failures, 10)))
    mine.update(failures=F("failures") + 1, last_error=error, next_at=now + back_off)
    logger.warning("an alert was not delivered", extra={"channel": name, "why": error, "failures": failures + 1})


def _take(channel: Channel, now: datetime) -> tuple[partial[None], list[int]] | None:
    """Take the channel's turn: return what to do and the deliveries it serves, or None when nothing waits or is due."""
    waiting = AlertDelivery.objects.filter(channel=channel.name, delivered_at=None)
    if not waiting.exists() or not claim(channel.name, now, PAUSE):
        return None
    chosen = list(waiting.select_related("trouble").order_by("id"))
    message = _message(chosen)
    return partial(channel.send, message), [one.pk for one in chosen]


def _message(chosen: list[AlertDelivery]) -> Message:
    """One line a trouble, even when its beginning could not be told before its end."""
    troubles = {one.trouble_id: one.trouble for one in chosen}
    news = [News(one.title, one.remedy, one.since, one.over_at) for one in troubles.values()]
    return message_of(news, system_name())


def _record_outcome(name: str, error: str, deliveries: list[int], now: datetime) -> None:
    if not error:
        AlertDelivery.objects.filter(pk__in=deliveries).update(delivered_at=now)
    record_attempt(name, error, now, PAUSE)
