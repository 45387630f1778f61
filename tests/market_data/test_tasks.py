"""What the queue runs: which session a planned time stands for, who waits for whom, and deliveries that come twice."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.tasks import async_task
from pytest_django import Settings

from market_data import tasks
from market_data.models import Heartbeat, MarketDay, PipelineRun, SourceFile
from market_data.runs import lifecycle
from market_data.runs.saga import AlreadyRunning, Saga, SagaError, Step, StepContext, register_condition
from tests.runs import registered

pytestmark = pytest.mark.django_db
IST = ZoneInfo("Asia/Kolkata")
FRIDAY, MONDAY = date(2026, 4, 24), date(2026, 4, 27)


@pytest.fixture(autouse=True)
def week() -> None:
    """A calendar of weekdays."""
    days = [date(2026, 4, 20) + timedelta(days=number) for number in range(40)]
    MarketDay.objects.bulk_create(
        MarketDay(date=day, kind="normal", is_session=True, source="test") for day in days if day.weekday() < 5
    )


@pytest.fixture
def done() -> Iterator[list[str]]:
    """Two jobs that note their executions in this list."""
    executions: list[str] = []

    def compute(context: StepContext) -> str:
        return context.run.job

    def record(context: StepContext, job: str) -> int:
        executions.append(f"{job} {context.run.session}")
        return 1

    steps = (Step("ONLY", compute, record),)
    with registered(*(Saga(job, job, steps) for job in ("collect", "train"))):
        yield executions


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST)


def queued() -> list[str]:
    return [queued.task["args"][0] for queued in OrmQ.objects.order_by("id")]


def started_by_schedule(
    job: str, day: date, hour: int, waits_for: tuple[str, ...] = (), stands_for: str = "same day"
) -> PipelineRun:
    return PipelineRun.objects.get(pk=tasks.start_scheduled(job, waits_for, stands_for, at(day, hour).isoformat()))


@pytest.mark.parametrize(
    ("stands_for", "planned", "session"),
    [
        ("same day", at(FRIDAY, 21), FRIDAY),
        ("evening before", at(FRIDAY + timedelta(days=1), 2), FRIDAY),
        ("evening before", at(FRIDAY + timedelta(days=1), 2, 15), FRIDAY),
        ("evening before", at(MONDAY, 2), None),
        ("evening before", at(MONDAY + timedelta(days=1), 2), MONDAY),
        ("same day", at(FRIDAY + timedelta(days=1), 21), None),
        ("none", at(FRIDAY + timedelta(days=2), 3), None),
    ],
)
def test_the_session_a_planned_time_stands_for(stands_for: str, planned: datetime, session: date | None) -> None:
    assert tasks.session_for(stands_for, planned) == session


def test_a_planned_run_without_a_session_is_skipped_with_the_reason(done: list[str]) -> None:
    run = started_by_schedule("collect", FRIDAY + timedelta(days=1), 21)
    assert (run.status, run.session) == ("skipped", None)
    assert "Saturday 25 April 2026 stands for no session" in run.reason


def test_beyond_the_calendar_an_evening_is_skipped_with_the_remedy(done: list[str]) -> None:
    planned = at(date(2027, 1, 5), 21).isoformat()
    run = PipelineRun.objects.get(pk=tasks.start_scheduled("collect", [], "same day", planned))
    assert run.status == "skipped"
    assert "not for 2027-01-05: add the whole list of the holidays of 2027 with import_market_days" in run.reason
    assert queued() == []


def test_a_planned_time_is_skipped_once_though_two_deliveries_found_no_run(done: list[str]) -> None:
    planned = at(FRIDAY + timedelta(days=1), 21)
    runs = {lifecycle.record_skipped("collect", "No session.", intended_at=planned).id for _ in range(3)}
    assert len(runs) == PipelineRun.objects.count() == 1


def test_a_run_does_not_start_when_its_prerequisite_was_rolled_back_since_somebody_looked(done: list[str]) -> None:
    first = tasks.trigger("collect", triggered_by="test", session=FRIDAY)
    waiting = started_by_schedule("train", FRIDAY + timedelta(days=1), 2, ("collect",), "evening before")
    PipelineRun.objects.filter(pk=first.pk).update(status="rolled_back")
    assert not lifecycle.start_waiting_run(waiting)
    PipelineRun.objects.filter(pk=first.pk).update(status="completed")
    assert lifecycle.start_waiting_run(waiting)


def test_a_run_waits_until_its_prerequisite_completes_for_the_same_session(done: list[str]) -> None:
    waiting = started_by_schedule("train", FRIDAY + timedelta(days=1), 2, ("collect",), "evening before")
    assert (waiting.status, waiting.session, queued()) == ("waiting", FRIDAY, [])
    tasks.advance_run(waiting.id)
    assert done == []
    other = tasks.trigger("collect", triggered_by="test", session=MONDAY)
    tasks.advance_run(other.id)
    assert PipelineRun.objects.get(pk=waiting.id).status == "waiting"
    SourceFile.objects.all().delete()
    first = tasks.trigger("collect", triggered_by="test", session=FRIDAY)
    tasks.advance_run(first.id)
    assert PipelineRun.objects.get(pk=waiting.id).status == "running"
    assert queued()[-1] == waiting.id
    tasks.advance_run(waiting.id)
    assert done == [f"collect {MONDAY}", f"collect {FRIDAY}", f"train {FRIDAY}"]


def test_an_alternative_prerequisite_may_be_a_condition(done: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    register_condition("still_good", "a good model", lambda session: session == FRIDAY)
    assert started_by_schedule("train", FRIDAY, 21, ("collect|still_good",)).status == "running"


def test_a_failed_prerequisite_releases_no_run(done: list[str]) -> None:
    waiting = started_by_schedule("train", FRIDAY, 21, ("collect",))
    failed = tasks.trigger("collect", triggered_by="test", session=FRIDAY)
    PipelineRun.objects.filter(pk=failed.id).update(status="failed")
    tasks.release_waiting()
    assert PipelineRun.objects.get(pk=waiting.id).status == "waiting"


def test_a_run_that_still_waits_is_skipped_when_the_next_evenings_is_planned(done: list[str]) -> None:
    old = started_by_schedule("train", FRIDAY, 21, ("collect",))
    new = started_by_schedule("train", MONDAY, 21, ("collect",))
    assert PipelineRun.objects.get(pk=old.id).status == "skipped"
    assert new.status == "waiting"


def test_a_planned_run_is_skipped_while_the_job_is_running(done: list[str]) -> None:
    running = tasks.trigger("collect", triggered_by="test", session=FRIDAY)
    second = started_by_schedule("collect", FRIDAY, 21)
    assert (second.status, running.id in second.reason) == ("skipped", True)
    with pytest.raises(AlreadyRunning, match=running.id):
        tasks.trigger("collect", triggered_by="test", session=FRIDAY)


def test_a_run_is_queued_once_and_further_deliveries_change_nothing(done: list[str]) -> None:
    run = tasks.trigger("collect", triggered_by="test", session=FRIDAY)
    tasks.deliver(run)
    assert queued() == [run.id]
    assert [tasks.advance_run(run.id) for _ in range(3)] == ["completed"] * 3
    assert done == [f"collect {FRIDAY}"]
    OrmQ.objects.all().delete()
    tasks.deliver(PipelineRun.objects.get(pk=run.id))
    assert queued() == []


def test_a_heartbeat_delivers_dropped_runs_and_leaves_leased_ones(done: list[str]) -> None:
    run = tasks.trigger("collect", triggered_by="test", session=FRIDAY)
    OrmQ.objects.all().delete()
    run.steps.update(lease_until=timezone.now() + timedelta(minutes=1), status="running")
    tasks.heartbeat("data")
    assert queued() == []
    run.steps.update(lease_until=timezone.now() - timedelta(minutes=1))
    tasks.heartbeat("ml")
    assert queued() == []
    tasks.heartbeat("data")
    assert queued() == [run.id]
    assert set(Heartbeat.objects.values_list("cluster", flat=True)) == {"data", "ml"}


def test_an_unknown_job_is_refused_by_name(done: list[str]) -> None:
    with pytest.raises(SagaError, match="'dance'; the jobs are"):
        tasks.trigger("dance", triggered_by="test")


def test_repeated_deliveries_of_a_planned_start_create_one_run_even_after_it_ended(done: list[str]) -> None:
    first = started_by_schedule("collect", FRIDAY, 21)
    tasks.advance_run(first.id)
    assert {started_by_schedule("collect", FRIDAY, 21).id for _ in range(8)} == {first.id}
    assert PipelineRun.objects.count() == 1
    assert done == [f"collect {FRIDAY}"]


def test_a_run_whose_task_was_fetched_by_a_dead_worker_is_delivered_again(done: list[str]) -> None:
    run = tasks.trigger("collect", triggered_by="test", session=FRIDAY)
    OrmQ.objects.update(lock=timezone.now() + timedelta(hours=2))  # fetched by a worker that has died
    tasks.heartbeat("data")
    assert queued() == [run.id, run.id]


def test_a_planned_start_whose_worker_is_silent_is_requeued(done: list[str], settings: Any) -> None:
    async_task(tasks.START, "collect", [], "same day", intended=at(FRIDAY, 21).isoformat(), cluster="data")
    now = timezone.now()
    for seconds, is_requeued in ((settings.STEP_LEASE_SECONDS - 5, False), (settings.STEP_LEASE_SECONDS + 5, True)):
        OrmQ.objects.update(lock=now - timedelta(seconds=seconds) + timedelta(seconds=Conf.RETRY))
        tasks.heartbeat("data")
        assert OrmQ.objects.filter(lock__lte=timezone.now()).exists() == is_requeued


def test_a_run_of_an_unknown_job_does_not_hold_up_the_others(done: list[str]) -> None:
    PipelineRun.objects.create(id="dance_1", sequence=1, job="dance", provider_kind="simulated", status="running")
    run = tasks.trigger("collect", triggered_by="test", session=FRIDAY)
    OrmQ.objects.all().delete()
    tasks.heartbeat("data")
    assert queued() == [run.id]
    assert Heartbeat.objects.filter(cluster="data").exists()


def test_a_heartbeat_locks_its_row_for_one_statement_only(transactional_db: None) -> None:
    """Two workers of a cluster write the same row: one that hung in a transaction would block the other."""
    with CaptureQueriesContext(connection) as captured:
        tasks.heartbeat("data")
    statements = [query["sql"] for query in captured.captured_queries]
    [place] = [place for place, text in enumerate(statements) if "heartbeats" in text]
    assert statements[place - 1 : place] != ["BEGIN"]
    assert statements[place].startswith("INSERT")


def test_a_session_idle_in_a_transaction_for_five_leases_is_terminated(settings: Settings) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        timeout = cursor.fetchone()[0]
    assert timeout == f"{5 * settings.STEP_LEASE_SECONDS // 60}min"
