"""Cancel, resume, hold and unhold: whole commits, and of concurrent operators one succeeds."""

import re
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from market_data import tasks
from market_data.models import EveningHold, Finding, MarketDay, PipelineRun
from market_data.runs import engine, interventions, lifecycle
from market_data.runs.saga import AlreadyRunning, NotRetryable, Saga, SagaError, Step, StepContext, StepFailed
from market_data.tasks import Link
from tests.runs import chunks, registered

pytestmark = pytest.mark.django_db(transaction=True)
IST = ZoneInfo("Asia/Kolkata")
FRIDAY = date(2026, 4, 24)


class Worker:
    """What the steps of the jobs under test do; `done` lists the job of each record."""

    def __init__(self) -> None:
        self.before_record: Any = None
        self.done: list[str] = []

    def compute(self, context: StepContext, label: str = "") -> str:
        if self.before_record:
            self.before_record(context, label)
        return label

    def record(self, context: StepContext, label: str) -> int:
        Finding.objects.create(run_id=context.run.id, check_name=f"{context.step.name}:{label}", severity="info")
        self.done.append(context.run.job)
        return 1


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    steps = (
        Step("FIRST", worker.compute, worker.record),
        Step("LONG", chunks=lambda _: chunks("abc", worker.compute, worker.record)),
    )
    days = [FRIDAY + timedelta(days=number) for number in range(7)]
    MarketDay.objects.bulk_create(MarketDay(date=day, kind="normal", is_session=True, source="test") for day in days)
    with registered(*(Saga(job, job, steps) for job in ("drill", "sequel", "last"))):
        yield worker


def start() -> PipelineRun:
    return lifecycle.create_run("drill", FRIDAY, triggered_by="test")


def planned(job: str, hour: int, waits_for: tuple[str, ...] = ()) -> PipelineRun:
    at = datetime(FRIDAY.year, FRIDAY.month, FRIDAY.day, hour, tzinfo=IST)
    return PipelineRun.objects.get(pk=tasks.start_scheduled(job, waits_for, "same day", at.isoformat()))


def written() -> list[str]:
    return sorted(Finding.objects.values_list("check_name", flat=True))


# --- cancel and resume ----------------------------------------------------------------------------------------------
def test_a_cancelled_run_keeps_its_committed_chunks_and_resumes_after_them(worker: Worker) -> None:
    run = start()

    def stop_at_b(context: StepContext, label: str) -> None:
        if label == "b":
            interventions.cancel(run.id, "asha")

    worker.before_record = stop_at_b
    cancelled = engine.advance(run.id)
    step = run.steps.get(name="LONG")
    assert (cancelled.status, cancelled.reason) == ("cancelled", "cancelled by asha")
    assert (step.status, step.watermark, step.lease_until) == ("pending", "a", None)
    assert written() == ["FIRST:", "LONG:a"]
    worker.before_record = None
    assert engine.advance(run.id).status == "cancelled", "a late delivery does not revive it"
    resumed = interventions.resume(run.id, "asha")
    assert (resumed.id, resumed.status) == (run.id, "running")
    assert engine.advance(run.id).status == "completed"
    assert written() == ["FIRST:", "LONG:a", "LONG:b", "LONG:c"]


def test_a_cancelled_step_stops_at_its_next_report(worker: Worker) -> None:
    run, reports = start(), []

    def work(context: StepContext, label: str) -> None:
        interventions.cancel(run.id, "asha")
        for number in range(500):
            context.report(number, 500)
            reports.append(number)
            threading.Event().wait(0.02)

    worker.before_record = work
    assert engine.advance(run.id).status == "cancelled"
    assert len(reports) < 400, "the worker was not stopped"
    assert written() == []


def test_only_an_active_run_can_be_cancelled(worker: Worker) -> None:
    run = engine.advance(start().id)
    with pytest.raises(SagaError, match="is completed; only an active run"):
        interventions.cancel(run.id, "asha")
    run.refresh_from_db()
    assert run.status == "completed"


def test_a_waiting_run_can_be_cancelled_and_waits_again_when_resumed(worker: Worker) -> None:
    waiting = lifecycle.create_run("sequel", FRIDAY, triggered_by="test", waits_for=["drill"])
    interventions.cancel(waiting.id, "asha")
    assert interventions.resume(waiting.id, "asha").status == "waiting"


def test_a_run_is_not_resumed_beside_an_active_one_or_after_a_completed_one(worker: Worker) -> None:
    old = interventions.cancel(start().id, "asha")
    new = start()
    with pytest.raises(AlreadyRunning, match=new.id):
        interventions.resume(old.id, "asha")
    engine.advance(new.id)
    with pytest.raises(NotRetryable, match=f"{new.id} has completed drill since"):
        interventions.resume(old.id, "asha")
    with pytest.raises(NotRetryable, match="is completed: there is nothing to resume"):
        interventions.resume(new.id, "asha")


def test_a_running_run_is_resumed_only_if_its_worker_is_lost(worker: Worker) -> None:
    run = start()
    run.steps.filter(name="FIRST").update(status="running", lease_until=timezone.now() + timedelta(minutes=1))
    with pytest.raises(NotRetryable, match="is at work"):
        interventions.resume(run.id, "asha")
    run.steps.filter(name="FIRST").update(lease_until=timezone.now() - timedelta(seconds=1))
    assert interventions.resume(run.id, "asha").status == "running"


def test_a_resumed_step_starts_at_once_though_a_worker_had_claimed_it(worker: Worker) -> None:
    """A step that was claimed in a cancelled run: its lease and worker are still on the row."""
    run = start()
    PipelineRun.objects.filter(pk=run.pk).update(status="cancelled")
    run.steps.filter(name="FIRST").update(
        status="running", worker="elsewhere:1:boot:1:1", lease_until=timezone.now() + timedelta(minutes=5), fence=7
    )
    interventions.resume(run.id, "asha")
    step = run.steps.get(name="FIRST")
    assert (step.status, step.fence, step.lease_until, step.worker) == ("pending", 8, None, "")
    assert engine.advance(run.id).status == "completed"


def test_a_single_failed_step_can_be_retried_and_no_other(worker: Worker) -> None:
    def fail(context: StepContext, label: str) -> None:
        if label == "a":
            raise StepFailed("a is garbled")

    worker.before_record = fail
    run = engine.advance(start().id)
    assert run.status == "failed"
    with pytest.raises(NotRetryable, match="is completed: it has not failed"):
        lifecycle.retry_failed(run.id, "asha", step="FIRST")
    with pytest.raises(SagaError, match=r"no step 'SECOND'; its steps are FIRST, LONG\."):
        lifecycle.retry_failed(run.id, "asha", step="SECOND")
    _, names = lifecycle.retry_failed(run.id, "asha", step="LONG")
    assert names == ["LONG"]


# --- held evenings --------------------------------------------------------------------------------------------------
def test_planned_runs_of_a_held_evening_wait_until_it_is_released(worker: Worker) -> None:
    interventions.hold_evening(FRIDAY, "asha", "The file is wrong.")
    held = planned("drill", 21)
    follower = planned("sequel", 22, ("drill",))
    tasks.heartbeat("data")
    assert [PipelineRun.objects.get(pk=run.id).status for run in (held, follower)] == ["waiting", "waiting"]
    assert OrmQ.objects.count() == 0
    waiting = interventions.unhold_evening(FRIDAY, "asha")
    assert [run.id for run in waiting] == [held.id, follower.id]
    tasks.release_waiting()
    assert PipelineRun.objects.get(pk=held.id).status == "running"
    assert PipelineRun.objects.get(pk=follower.id).status == "waiting"
    tasks.advance_run(held.id)
    assert PipelineRun.objects.get(pk=follower.id).status == "running"


def test_a_triggered_run_starts_in_a_held_evening(worker: Worker) -> None:
    interventions.hold_evening(FRIDAY, "asha")
    assert tasks.trigger("drill", triggered_by="asha", session=FRIDAY).status == "running"


def test_an_evening_is_held_once_and_released_once(worker: Worker) -> None:
    interventions.hold_evening(FRIDAY, "asha")
    with pytest.raises(SagaError, match="is held by asha already"):
        interventions.hold_evening(FRIDAY, "ravi")
    interventions.unhold_evening(FRIDAY, "ravi")
    with pytest.raises(SagaError, match="is not held"):
        interventions.unhold_evening(FRIDAY, "ravi")
    interventions.hold_evening(FRIDAY, "ravi")
    assert EveningHold.objects.count() == 2


def test_of_concurrent_holds_one_succeeds(worker: Worker) -> None:
    barrier, refusals = threading.Barrier(4), []

    def hold(name: str) -> None:
        barrier.wait()
        try:
            interventions.hold_evening(FRIDAY, name)
        except SagaError as error:
            refusals.append(str(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=hold, args=(f"operator {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    holder = EveningHold.objects.get().held_by
    assert len(refusals) == 3
    assert all(holder in refusal for refusal in refusals)


# --- chains ---------------------------------------------------------------------------------------------------------
CHAIN = (Link("drill"), Link("sequel", ("drill",)), Link("last", ended=("sequel",)))


def test_a_chain_waits_for_its_own_runs_and_not_for_earlier_ones(worker: Worker) -> None:
    for job in ("drill", "sequel"):  # already completed for the session
        engine.advance(lifecycle.create_run(job, FRIDAY, triggered_by="test").id)
    first, second, third = tasks.trigger_chain(CHAIN, triggered_by="asha", prefix="all", session=FRIDAY)
    tasks.release_waiting()
    assert [PipelineRun.objects.get(pk=run.id).status for run in (first, second, third)] == [
        "running",
        "waiting",
        "waiting",
    ]
    tasks.advance_run(first.id)
    assert PipelineRun.objects.get(pk=second.id).status == "running"
    PipelineRun.objects.filter(pk=second.id).update(status="failed")
    tasks.release_waiting()
    assert PipelineRun.objects.get(pk=third.id).status == "running", "it only waits for the end of the second"
    aliases = {run.aliases[0] for run in PipelineRun.objects.filter(triggered_by="asha")}
    assert len(aliases) == 1
    assert re.fullmatch(r"all_\d{8}_\d{6}", aliases.pop())


def test_a_chain_is_refused_as_a_whole_when_one_of_its_jobs_is_active(worker: Worker) -> None:
    active = lifecycle.create_run("last", FRIDAY, triggered_by="test")
    with pytest.raises(AlreadyRunning, match=active.id):
        tasks.trigger_chain(CHAIN, triggered_by="asha", prefix="all", session=FRIDAY)
    assert PipelineRun.objects.count() == 1
    assert OrmQ.objects.count() == 0
