"""`manage.py sync_schedules`: writes the list of jobs into the queue's schedules."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone
from django_q.models import Schedule

from tradingsite.schedule import JOBS, Job

START = "market_data.tasks.start_scheduled"
HEARTBEAT = "market_data.tasks.heartbeat"
ALERTS = "tradingsite.alerts.tasks.check_alerts"


class Command(BaseCommand):
    """Makes the queue's schedules equal to the list in `tradingsite/schedule.py`."""

    help = (
        "Make the queue's schedules equal to the list of jobs in tradingsite/schedule.py"
        " (changes nothing when they are)."
    )

    def handle(self, *_: object, **__: Any) -> None:
        """Write one schedule a job and two a cluster (heartbeat, alerts), and remove those no longer listed."""
        from django.conf import settings

        minutely = {
            f"{name} {cluster}": _each_minute(function, cluster)
            for name, function in (("heartbeat", HEARTBEAT), ("alerts", ALERTS))
            for cluster in settings.CLUSTERS
        }
        names = {job.name for job in JOBS} | minutely.keys()
        with transaction.atomic():
            removed, _ = Schedule.objects.exclude(name__in=names).delete()
            changed = [_written(job.name, _fields(job)) for job in JOBS]
            changed += [_written(name, fields) for name, fields in minutely.items()]
        self.stdout.write(
            f"{len(names)} schedules: {sum(changed)} written, {removed} removed, the others as they were."
        )


def _fields(job: Job) -> dict[str, Any]:
    return {
        "func": START,
        "args": repr((job.name, list(job.waits_for), job.stands_for)),
        "schedule_type": Schedule.CRON,
        "cron": job.cron,
        "cluster": job.cluster,
        "intended_date_kwarg": "intended",
    }


def _each_minute(function: str, cluster: str) -> dict[str, Any]:
    return {
        "func": function,
        "args": repr((cluster,)),
        "schedule_type": Schedule.CRON,
        "cron": "* * * * *",
        "cluster": cluster,
    }


def _written(name: str, fields: dict[str, Any]) -> bool:
    """Write one schedule; True when something changed. A changed or new one is next due by its cron, not at once."""
    found = Schedule.objects.filter(name=name).first()
    if found and all(getattr(found, field) == value for field, value in fields.items()):
        return False
    schedule = found or Schedule(name=name)
    for field, value in fields.items():
        setattr(schedule, field, value)
    schedule.repeats = -1
    schedule.next_run = schedule.calculate_next_run(timezone.now())
    schedule.save()
    return True
