"""The queue's schedules follow the registered jobs, and a second call changes nothing."""

import io
from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django_q.models import Schedule

from tradingsite.schedule import scheduled_jobs

pytestmark = pytest.mark.django_db


def sync() -> str:
    out = io.StringIO()
    call_command("sync_schedules", stdout=out)
    return out.getvalue()


def test_every_job_and_every_minute_task_is_scheduled() -> None:
    output = sync()
    assert f"{len(scheduled_jobs()) + 7} written" in output
    assert set(Schedule.objects.values_list("name", "cron")) >= {(saga.job, saga.cron) for saga in scheduled_jobs()}
    for name in ("heartbeat", "alerts"):
        assert Schedule.objects.filter(name__startswith=name, cron="* * * * *").count() == 2


def test_a_second_call_changes_nothing() -> None:
    sync()
    before = list(Schedule.objects.order_by("id").values())
    assert ": 0 written, 0 removed" in sync()
    assert list(Schedule.objects.order_by("id").values()) == before


def test_changed_schedules_are_restored_and_unknown_ones_removed() -> None:
    sync()
    Schedule.objects.filter(name="pipeline").update(cron="0 1 * * *")
    Schedule.objects.create(name="of old", func="a.b", schedule_type="C", cron="0 0 * * *")
    assert ": 1 written, 1 removed" in sync()
    pipeline = Schedule.objects.get(name="pipeline")
    assert pipeline.cron == "0 21 * * *"
    assert pipeline.next_run > datetime.now(UTC)
