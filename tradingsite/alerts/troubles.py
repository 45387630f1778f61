"""The only writer of troubles: opens them, ends them, and notes which channel is to be told."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection, transaction

from tradingsite.alerts.channels import channels
from tradingsite.alerts.symptoms import Seen, Symptom
from tradingsite.models import AlertDelivery, AlertTimer, Trouble

# Two looks without it: what flickers within a minute is one trouble.
OVER_AFTER = timedelta(minutes=2)
_LOCK = 5003
_LOCK_SECONDS = 10
_Event = AlertDelivery.Event


def lock() -> None:
    """Let one process at a time look and record, for the rest of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{_LOCK_SECONDS}s"])
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def watched_since(now: datetime) -> datetime:
    """Return when this installation began to be watched; the first call is the beginning."""
    return timer("watch", now).since


def told() -> dict[str, datetime]:
    """Return the keys of the open troubles, with the moment each was last seen."""
    return dict(Trouble.objects.filter(over_at=None).values_list("key", "last_seen_at"))


def record_seen(seen: Seen, now: datetime) -> None:
    """Open what is new, keep what lasts, end what has not been seen for two minutes, and note whom to tell."""
    record_symptoms(seen.symptoms, now)
    gone = Trouble.objects.filter(over_at=None, last_seen_at__lte=now - OVER_AFTER).exclude(key__in=seen.undecided)
    ended = list(gone.exclude(key__in=[one.key for one in seen.symptoms]))
    for trouble in ended:
        trouble.over_at = now
    Trouble.objects.bulk_update(ended, ["over_at"])
    _note_deliveries(ended)


def record_symptoms(symptoms: Iterable[Symptom], now: datetime) -> None:
    """Open the troubles of new symptoms, and say that the others were seen."""
    with transaction.atomic():
        for symptom in symptoms:
            facts = {"title": symptom.title, "remedy": symptom.remedy, "since": now, "last_seen_at": now}
            trouble, new = Trouble.objects.get_or_create(key=symptom.key, over_at=None, defaults=facts)
            if not new:
                trouble.last_seen_at = now
                trouble.save(update_fields=["last_seen_at"])
        _note_deliveries(())


def timer(name: str, now: datetime) -> AlertTimer:
    """Return a timer; a new one is due."""
    return AlertTimer.objects.get_or_create(name=name, defaults={"since": now, "next_at": now})[0]


def _note_deliveries(ended: Iterable[Trouble]) -> None:
    """Note that every channel hears of every open trouble, and of an end who was to hear of its beginning."""
    names = list(channels())
    deliveries = AlertDelivery.objects.filter(event=_Event.BEGUN)
    noted = set(deliveries.filter(trouble__over_at=None).values_list("trouble_id", "channel"))
    wanted = [
        AlertDelivery(trouble_id=trouble, event=_Event.BEGUN, channel=name)
        for trouble in Trouble.objects.filter(over_at=None).values_list("pk", flat=True)
        for name in names
        if (trouble, name) not in noted
    ]
    to_hear = deliveries.filter(trouble__in=list(ended), channel__in=names)
    wanted += [AlertDelivery(trouble_id=one.trouble_id, event=_Event.OVER, channel=one.channel) for one in to_hear]
    AlertDelivery.objects.bulk_create(wanted, ignore_conflicts=True)
    # A channel that is no longer configured is told nothing more.
    AlertDelivery.objects.filter(delivered_at=None).exclude(channel__in=names).delete()
