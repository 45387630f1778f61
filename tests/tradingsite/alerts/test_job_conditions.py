"""Failed and late jobs, and that one broken evening is one trouble. 2026-04-30, a session, is a Thursday."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from market_data.models import MarketDay, PipelineRun
from tests.runs import make_run
from tradingsite.alerts.job_conditions import troubled_jobs
from tradingsite.alerts.symptoms import CheckContext, ConditionResult
from tradingsite.schedule import scheduled_jobs

pytestmark = pytest.mark.django_db

IST = ZoneInfo("Asia/Kolkata")
SESSION = date(2026, 4, 30)
EVENING = datetime(2026, 4, 30, 22, 1, tzinfo=IST)  # the pipeline's hour of grace is over
LONG_AGO = datetime(2026, 1, 1, tzinfo=IST)


@pytest.fixture(autouse=True)
def days():
    """Two weeks of market days around the session; everything before its evening was done."""
    for number in range(-8, 7):
        day = SESSION + timedelta(days=number)
        MarketDay.objects.create(date=day, kind="normal", is_session=day.weekday() < 5, source="test")
    for saga in scheduled_jobs():
        done(saga.job, SESSION - timedelta(days=1))
    done("quotes", SESSION)
    for number in range(3):  # the night's back-up is nobody's trouble here
        day = SESSION + timedelta(days=number)
        done("backup", day, created_at=datetime.combine(day, time(4, 5), IST))


def done(job: str, session: date, **facts: Any) -> PipelineRun:
    usual: dict[str, Any] = {"status": "completed", "created_at": datetime.combine(session, datetime.min.time(), IST)}
    run_id = f"{job}_{session}_{PipelineRun.objects.count()}"
    return make_run(run_id, job=job, names=(), session=session, **(usual | facts))


def troubled(now: datetime = EVENING, since: datetime = LONG_AGO) -> ConditionResult:
    return troubled_jobs(CheckContext(now, since, "data", "host", {}))


def test_before_its_hour_is_over_a_job_is_not_late():
    assert troubled(EVENING - timedelta(minutes=2)).symptoms == []


def test_a_late_job_is_one_symptom_for_all_that_wait_for_it():
    result = troubled(datetime(2026, 5, 1, 4, 0, tzinfo=IST))
    assert [symptom.key for symptom in result.symptoms] == ["jobs:pipeline"]
    assert (
        result.symptoms[0].title == "The job pipeline, planned for 30 Apr 21:00, session 2026-04-30, was not started."
    )
    assert "run_pipeline" in result.symptoms[0].remedy
    assert {f"jobs:{name}" for name in ("fill_data", "validation", "training", "selection")} <= result.unknown_keys


def test_the_title_names_the_state_of_a_late_job():
    for job in ("pipeline", "fill_data"):
        done(job, SESSION)
    done("business_logic", SESSION, status="waiting", waits_for=["fill_data"])
    title = troubled(EVENING + timedelta(hours=1)).symptoms[0].title
    assert "is waiting (business_logic_" in title
    assert title.endswith("for Fill missing data.")


def test_a_later_session_and_a_skipped_run_are_as_good():
    done("pipeline", SESSION + timedelta(days=1))
    done("fill_data", SESSION, status="skipped", intended_at=datetime(2026, 4, 30, 21, 30, tzinfo=IST))
    assert troubled(EVENING + timedelta(minutes=35)).symptoms == []


def test_on_a_day_without_a_session_nothing_is_due():
    for saga in scheduled_jobs():
        done(saga.job, date(2026, 5, 1))
    assert troubled(datetime(2026, 5, 2, 23, 59, tzinfo=IST)).symptoms == []


def test_what_was_planned_before_the_first_check_is_not_late():
    morning = EVENING + timedelta(hours=8)
    assert troubled(morning).symptoms
    assert troubled(morning, since=morning - timedelta(hours=3)).symptoms == []


def test_a_failed_job_names_its_run_its_reason_and_the_remedy():
    run = done("pipeline", SESSION, status="failed", reason="The file of 2026-04-30 is truncated.")
    symptom = troubled(EVENING - timedelta(minutes=50)).symptoms[0]
    assert symptom.key == "jobs:pipeline"
    assert symptom.title.endswith(f"failed ({run.id}): The file of 2026-04-30 is truncated.")
    assert symptom.remedy.endswith(f"retry_failed {run.id}")


def test_a_retry_is_unknown_until_it_ends():
    run = done("pipeline", SESSION, status="failed")
    now = EVENING - timedelta(minutes=50)
    PipelineRun.objects.filter(pk=run.pk).update(status="running")
    assert (troubled(now).symptoms, "jobs:pipeline" in troubled(now).unknown_keys) == ([], True)
    PipelineRun.objects.filter(pk=run.pk).update(status="completed")
    assert (troubled(now).symptoms, "jobs:pipeline" in troubled(now).unknown_keys) == ([], False)


def test_failed_training_does_not_hide_the_selection_that_needs_none():
    for job in ("pipeline", "fill_data", "business_logic", "validation", "csv_export", "scoreboard"):
        done(job, SESSION)
    done("training", SESSION, status="failed")
    result = troubled(datetime(2026, 5, 1, 3, 30, tzinfo=IST))
    assert [symptom.key for symptom in result.symptoms] == ["jobs:training", "jobs:selection"]


def test_a_failed_replay_is_no_trouble():
    done("pipeline", SESSION - timedelta(days=3), status="failed", is_replay=True)
    assert troubled(EVENING - timedelta(minutes=50)).symptoms == []
