"""A job is described once, by its saga, and found wherever jobs are shown, planned or watched."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command, get_commands
from django_q.models import Schedule

from market_data.models import MarketDay
from market_data.runs import lifecycle
from market_data.runs.queries import active_runs
from market_data.runs.saga import EVENING_BEFORE, Saga, Step, sagas
from tests.runs import registered
from tradingsite.alerts.job_conditions import troubled_jobs
from tradingsite.alerts.symptoms import CheckContext
from tradingsite.operations import jobs
from tradingsite.operations.views import run_url
from tradingsite.schedule import cron_words, evening_jobs, scheduled_jobs, whole_evening

SESSION = date(2026, 4, 30)
IST = ZoneInfo("Asia/Kolkata")
WEIGH = Saga(
    "weigh",
    "Weigh the market",
    (Step("WEIGH", lambda context: 1, lambda context, payload: 1),),
    cluster="ml",
    command="weigh_market",
    cron="20 1 * * *",
    waits_for=("validation|recent_model",),
    stands_for=EVENING_BEFORE,
)


def test_the_jobs_are_in_the_order_of_a_day():
    assert [saga.job for saga in scheduled_jobs()] == [
        "symbol_master",
        "quotes",
        "pipeline",
        "fill_data",
        "business_logic",
        "csv_export",
        "validation",
        "scoreboard",
        "training",
        "selection",
        "cleanup",
        "backup",
    ]
    of_the_picks = ["pipeline", "fill_data", "business_logic", "validation", "training", "selection"]
    assert whole_evening() == [*of_the_picks, "csv_export", "scoreboard"]


def test_each_command_exists_and_titles_are_unique():
    known = sagas().values()
    assert {saga.command for saga in known if saga.command} <= get_commands().keys()
    assert len({saga.title for saga in known}) == len(known)


@pytest.mark.django_db
def test_an_extra_job_is_found_everywhere(admin_client: Any):
    MarketDay.objects.create(date=SESSION, kind="normal", is_session=True, source="test")
    MarketDay.objects.create(date=date(2026, 5, 1), kind="normal", is_session=True, source="test")
    with registered(WEIGH):
        call_command("sync_schedules", verbosity=0)
        schedule = Schedule.objects.get(name="weigh")
        assert (schedule.cron, schedule.cluster) == ("20 1 * * *", "ml")
        assert schedule.args == "('weigh', ['validation|recent_model'], 'evening before')"
        startable = jobs.startable_jobs()["weigh"]
        assert (startable.name, startable.title) == ("weigh", "Weigh the market")
        result = troubled_jobs(
            CheckContext(datetime(2026, 5, 1, 2, 30, tzinfo=IST), datetime(2026, 5, 1, tzinfo=IST), "ml", "h", {})
        )
        assert [symptom.key for symptom in result.symptoms] == ["jobs:weigh"]
        assert result.symptoms[0].remedy.endswith("./run.sh manage weigh_market")
        run = lifecycle.create_run("weigh", SESSION, triggered_by="test", waits_for=WEIGH.waits_for)
        assert active_runs()[0].title == "Weigh the market"
        page = admin_client.get(run_url(run.id)).content.decode()
        assert "Weigh the market" in page
        assert "Waits for Data-quality validation or a recent accepted model." in page
        assert "Weigh the market" in admin_client.get("/admin/").content.decode()
        status = admin_client.get(f"/admin/task/{run.id}/status").json()
        assert "Weigh the market" in str(status)
        assert [saga.job for saga in evening_jobs()][-3:] == ["weigh", "training", "selection"]
        assert whole_evening()[-1] == "weigh"


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 21 * * *", "21:00, every day"),
        ("0 6 * * 1", "06:00, Mondays"),
        ("*/30 9-15 * * 1-5", "every 30 minutes from 09:00 to 15:59, Monday to Friday"),
        ("0 3 * * 0", "03:00, Sundays"),
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("5-59/10 * * * *", "every 10 minutes, from 5 past the hour"),
        ("0 4 1 * *", "0 4 1 * *"),
    ],
)
def test_the_times_of_a_schedule_are_said_in_words(cron, words):
    assert cron_words(cron) == words


@pytest.mark.django_db
def test_every_schedule_of_ours_has_words():
    assert [saga.job for saga in scheduled_jobs() if cron_words(saga.cron) == saga.cron] == []
    call_command("sync_schedules", verbosity=0)
    stored = Schedule.objects.values_list("name", "cron")
    assert len(stored) > len(scheduled_jobs())
    assert [name for name, cron in stored if cron_words(cron) == cron] == []
