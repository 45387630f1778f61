"""`manage.py sync_schedules`: writes the scheduled jobs into the queue's schedules."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone
from django_q.models import Schedule

from portfolio.backtest.job import CLUSTER
from tradingsite.schedule import scheduled_jobs

START = "market_data.tasks.start_scheduled"
HEARTBEAT = "market_data.tasks.heartbeat"
ALERTS = "tradingsite.alerts.tasks.check_alerts"
BACKTESTS = "portfolio.tasks.look_after_backtests"
PLANS = "portfolio.tasks.trade_evenings"
LEDGERS = "portfolio.tasks.post_ledgers"


class Command(BaseCommand):
    help = "Make the queue's schedules equal to those of the jobs (changes nothing when they are)."

    def handle(self, *_: object, **__: Any) -> None:
        """Write one schedule a job, two a cluster, one each for backtests, plans and ledgers; delete all others."""
        minutely = {
            f"{name} {cluster}": _fields(function, cluster, "* * * * *", cluster)
            for name, function in (("heartbeat", HEARTBEAT), ("alerts", ALERTS))
            for cluster in settings.CLUSTERS
        }
        intended = {"intended_date_kwarg": "intended"}
        jobs = {
            saga.job: intended | _fields(START, saga.cluster, saga.cron, saga.job, [*saga.waits_for], saga.stands_for)
            for saga in scheduled_jobs()
        }
        minutely["backtests"] = _fields(BACKTESTS, CLUSTER, "* * * * *")
        minutely["plans"] = _fields(PLANS, CLUSTER, "*/5 * * * *")
        minutely["ledgers"] = _fields(LEDGERS, CLUSTER, "5-59/10 * * * *")
        schedules = jobs | minutely
        with transaction.atomic():
            removed, _ = Schedule.objects.exclude(name__in=schedules).delete()
            changed = [_write(name, fields) for name, fields in schedules.items()]
        self.stdout.write(
            f"{len(schedules)} schedules: {sum(changed)} written, {removed} removed, the others unchanged."
        )


def _fields(function: str, cluster: str, cron: str, *args: object) -> dict[str, Any]:
    return {"func": function, "args": repr(args), "schedule_type": Schedule.CRON, "cron": cron, "cluster": cluster}


def _write(name: str, fields: dict[str, Any]) -> bool:
    """Write one schedule; True when it changed. A new or changed schedule is next due by its cron, not at once."""
    stored = Schedule.objects.filter(name=name).first()
    if stored and all(getattr(stored, field) == value for field, value in fields.items()):
        return False
    schedule = stored or Schedule(name=name)
    for field, value in fields.items():
        setattr(schedule, field, value)
    schedule.repeats = -1
    schedule.next_run = schedule.calculate_next_run(timezone.now())
    schedule.save()
    return True
