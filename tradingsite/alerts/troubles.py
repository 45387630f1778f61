"""The only writer of troubles: opens them, ends them, and records which channels owe a delivery."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection, transaction

from tradingsite.alerts.channels import channels
from tradingsite.alerts.symptoms import ConditionResult, Symptom
from tradingsite.models import AlertDelivery, AlertTimer, Trouble

# Two checks without it: what flickers within a minute is one trouble.
OVER_AFTER = timedelta(minutes=2)
_LOCK, _LOCK_SECONDS = 5003, 10
_Event = AlertDelivery.Event


def lock() -> None:
    """Keep other processes from checking and recording until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{_LOCK_SECONDS}s"])
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def watched_since(now: datetime) -> datetime:
    """Return when this installation was first checked; the first call is that moment."""
    return timer("watch", now).since


def open_keys() -> dict[str, datetime]:
    """Return the keys of the open troubles, with the moment each was last seen."""
    return dict(Trouble.objects.filter(over_at=None).values_list("key", "last_seen_at"))


def record_result(result: ConditionResult, now: datetime) -> None:
    """Open new troubles, keep those that last, end those not seen for two minutes, and plan the deliveries."""
    record_symptoms(result.symptoms, now)
    absent = Trouble.objects.filter(over_at=None, last_seen_at__lte=now - OVER_AFTER)
    ended = list(absent.exclude(key__in={*result.unknown_keys, *(symptom.key for symptom in result.symptoms)}))
    for trouble in ended:
        trouble.over_at = now
    Trouble.objects.bulk_update(ended, ["over_at"])
    _plan_deliveries(ended)


def record_symptoms(symptoms: Iterable[Symptom], now: datetime) -> None:
    """Open the troubles of new symptoms, and refresh when the others were last seen."""
    with transaction.atomic():
        for symptom in symptoms:
            facts = {"title": symptom.title, "remedy": symptom.remedy, "since": now, "last_seen_at": now}
            trouble, is_new = Trouble.objects.get_or_create(key=symptom.key, over_at=None, defaults=facts)
            if not is_new:
                trouble.last_seen_at = now
                trouble.save(update_fields=["last_seen_at"])
        _plan_deliveries(())


def timer(name: str, now: datetime) -> AlertTimer:
    """Return a timer; a new one is due at once."""
    return AlertTimer.objects.get_or_create(name=name, defaults={"since": now, "next_at": now})[0]


def _plan_deliveries(ended: Iterable[Trouble]) -> None:
    """Plan a delivery of every open trouble through every channel, and of each end where the beginning was planned."""
    names = list(channels())
    beginnings = AlertDelivery.objects.filter(event=_Event.BEGUN)
    planned = set(beginnings.filter(trouble__over_at=None).values_list("trouble_id", "channel"))
    new = [
        AlertDelivery(trouble_id=trouble, event=_Event.BEGUN, channel=name)
        for trouble in Trouble.objects.filter(over_at=None).values_list("pk", flat=True)
        for name in names
        if (trouble, name) not in planned
    ]
    new += [
        AlertDelivery(trouble_id=beginning.trouble_id, event=_Event.OVER, channel=beginning.channel)
        for beginning in beginnings.filter(trouble__in=list(ended), channel__in=names)
    ]
    AlertDelivery.objects.bulk_create(new, ignore_conflicts=True)
    # A channel that is no longer configured gets nothing more.
    AlertDelivery.objects.filter(delivered_at=None).exclude(channel__in=names).delete()
