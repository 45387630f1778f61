"""The engine: exclusive claims, whole commits, late writers refused, retries on the same rows."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from market_data.models import Finding, PipelineRun, PipelineStep
from market_data.runs import engine, interventions, lifecycle
from market_data.runs.saga import (
    AlreadyRunning,
    NotRetryable,
    OtherMarket,
    Saga,
    Step,
    StepContext,
    StepFailed,
    saga_of,
)
from tests.locks import waiting_sessions
from tests.runs import chunks, registered

pytestmark = pytest.mark.django_db(transaction=True)


class Flaky(Exception):
    """Declared as transient."""


class Unusable(Exception):
    """Declared as a refusal."""

    runbook = "file-missing"


class Script:
    """What the steps of the saga under test do; each test sets it."""

    def __init__(self) -> None:
        self.errors: dict[str, list[Exception]] = {}
        self.computed: list[str] = []
        self.before_record: Any = None

    def compute(self, context: StepContext, label: str = "") -> str:
        self.computed.append(f"{context.step.name}:{label}")
        if self.errors.get(context.step.name):
            raise self.errors[context.step.name].pop(0)
        if self.before_record:
            self.before_record(context)
        return label

    def record(self, context: StepContext, label: str) -> int:
        Finding.objects.create(
            run_id=context.run.id, check_name=f"{context.step.name}:{label}", severity="info", message=""
        )
        return 1


@pytest.fixture
def script(settings: Any) -> Iterator[Script]:
    script = Script()
    steps = (
        Step("FIRST", script.compute, script.record, transient=(Flaky,), refusals=(Unusable,)),
        Step("LONG", chunks=lambda _: chunks("abc", script.compute, script.record)),
    )
    settings.STEP_PAUSE_SECONDS, settings.STEP_LEASE_SECONDS = 0, 1
    with registered(Saga("drill", "Drill", steps)):
        yield script


def start() -> PipelineRun:
    return lifecycle.create_run("drill", None, triggered_by="test")


def written() -> list[str]:
    return sorted(Finding.objects.values_list("check_name", flat=True))


EVERYTHING = ["FIRST:", "LONG:a", "LONG:b", "LONG:c"]


def test_steps_are_executed_in_order_and_the_run_completes(script: Script) -> None:
    run = engine.advance(start().id)
    assert run.status == "completed"
    assert script.computed == EVERYTHING == written()
    assert list(run.steps.values_list("progress", "records_processed")) == [(1.0, 1), (1.0, 3)]


def test_a_second_run_of_an_active_job_is_refused_with_its_id(script: Script) -> None:
    run = start()
    with pytest.raises(AlreadyRunning) as refusal:
        start()
    assert refusal.value.run_id == run.id


def test_concurrent_deliveries_execute_once(script: Script) -> None:
    run, barrier = start(), threading.Barrier(8)

    def deliver() -> None:
        barrier.wait()
        engine.advance(run.id)
        connection.close()

    threads = [threading.Thread(target=deliver) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert script.computed == EVERYTHING == written()
    assert set(run.steps.values_list("attempts", flat=True)) == {1}


def test_a_transient_error_is_retried(script: Script) -> None:
    script.errors["FIRST"] = [Flaky("busy")]
    run = engine.advance(start().id, wait=True)
    assert run.status == "completed"
    assert run.steps.get(name="FIRST").attempts == 2
    assert written() == EVERYTHING


def test_a_refusal_fails_the_step_and_any_other_error_keeps_its_traceback(script: Script) -> None:
    script.errors["FIRST"] = [StepFailed("The file of 2026-04-30 is empty.")]
    run = engine.advance(start().id)
    step = run.steps.get(name="FIRST")
    assert (run.status, step.status, step.reason, step.traceback) == (
        "failed",
        "failed",
        "The file of 2026-04-30 is empty.",
        "",
    )
    script.errors["FIRST"] = [ZeroDivisionError("a")]
    run, names = lifecycle.retry_failed(run.id, "test")
    run = engine.advance(run.id)
    step = run.steps.get(name="FIRST")
    assert names == ["FIRST"]
    assert (step.status, "ZeroDivisionError" in step.traceback) == ("errored", True)


def test_a_declared_refusal_fails_the_step_with_its_sentence_and_runbook_entry(script: Script) -> None:
    script.errors["FIRST"] = [Unusable("There is no file of 2026-04-30."), StepFailed("No.", runbook="no-space")]
    run = engine.advance(start().id)
    assert list(run.steps.filter(name="FIRST").values_list("status", "reason", "runbook", "traceback")) == [
        ("failed", "There is no file of 2026-04-30.", "file-missing", "")
    ]
    run, _ = lifecycle.retry_failed(run.id, "test")
    assert run.steps.get(name="FIRST").runbook == ""
    run = engine.advance(run.id)
    assert run.steps.get(name="FIRST").runbook == "no-space"


def test_a_retry_resumes_after_the_last_committed_chunk_on_the_same_rows(script: Script) -> None:
    script.before_record = lambda context: script.errors.update(LONG=[]) if context.step.name == "FIRST" else None
    outcomes = iter([None, StepFailed("b is garbled"), None])

    def fail_at_b(context: StepContext) -> None:
        if context.step.name == "LONG" and (error := next(outcomes, None)):
            raise error

    script.before_record = fail_at_b
    run = engine.advance(start().id)
    assert run.status == "failed"
    assert written() == ["FIRST:", "LONG:a"]
    retried, _ = lifecycle.retry_failed(run.id, "test")
    done = engine.advance(retried.id)
    assert (done.id, done.status) == (run.id, "completed")
    assert lifecycle.find_run(done.aliases[0]).id == run.id
    assert script.computed == ["FIRST:", "LONG:a", "LONG:b", "LONG:b", "LONG:c"]
    assert written() == EVERYTHING
    with pytest.raises(NotRetryable):
        lifecycle.retry_failed(run.id, "test")


def test_a_worker_whose_step_was_taken_over_writes_nothing(script: Script) -> None:
    run = start()

    def steal(context: StepContext) -> None:
        # As if this worker had slept past its lease and another one had claimed the step meanwhile.
        script.before_record = None
        PipelineStep.objects.filter(pk=context.step.pk).update(
            fence=context.step.fence + 1, lease_until=timezone.now() - timedelta(1)
        )

    script.before_record = steal
    engine.advance(run.id)
    assert written() == EVERYTHING
    assert script.computed == ["FIRST:", *EVERYTHING]


def test_a_cancelled_run_stops_at_the_next_commit(script: Script) -> None:
    run = start()
    script.before_record = lambda context: interventions.cancel(run.id, "test")
    assert engine.advance(run.id).status == "cancelled"
    assert written() == []


def test_a_step_whose_worker_dies_each_time_is_given_up(script: Script) -> None:
    run = start()
    run.steps.filter(name="FIRST").update(
        status="running", fruitless_attempts=3, lease_until=timezone.now() - timedelta(1)
    )
    run = engine.advance(run.id, wait=True)
    assert run.status == "failed"
    assert "3 times" in run.steps.get(name="FIRST").reason


def test_a_step_under_a_living_lease_is_not_claimed(script: Script) -> None:
    run = start()
    run.steps.filter(name="FIRST").update(
        status="running", attempts=1, lease_until=timezone.now() + timedelta(minutes=1)
    )
    assert engine.advance(run.id).status == "running"
    assert written() == []


def test_a_run_of_the_other_kind_of_market_is_refused(script: Script, settings: Any) -> None:
    engine.advance(start().id)
    settings.PROVIDER_KIND, settings.MARKET_DATA_PROVIDER = "real", "nse_archive"
    with pytest.raises(OtherMarket, match="simulated market"):
        start()


def test_a_command_continues_a_run_whose_process_was_killed(script: Script) -> None:
    from django.core.management.base import CommandError

    from market_data.runs.command import execute_job

    run = start()
    run.steps.filter(name="FIRST").update(
        status="running", attempts=1, lease_until=timezone.now() + timedelta(minutes=1)
    )
    with pytest.raises(CommandError, match="already running"):
        execute_job("drill", None, quiet=True)
    run.steps.filter(name="FIRST").update(lease_until=timezone.now() - timedelta(seconds=1))
    done = execute_job("drill", None, quiet=True)
    assert (done.id, done.status) == (run.id, "completed")
    assert written() == EVERYTHING


def test_a_lost_database_costs_an_attempt_and_not_the_run(script: Script) -> None:
    script.errors["LONG"] = [OperationalError("terminating connection"), psycopg.OperationalError("SSL error")]
    run = engine.advance(start().id, wait=True)
    long = run.steps.get(name="LONG")
    # What is limited counts anew with each chunk.
    assert (run.status, long.attempts, long.fruitless_attempts) == ("completed", 3, 1)
    assert written() == EVERYTHING


def test_a_disk_that_stays_full_fails_the_run_and_a_retry_completes_it(script: Script) -> None:
    script.errors["FIRST"] = [psycopg.errors.DiskFull("No space left on device")] * 3
    run = engine.advance(start().id, wait=True)
    assert (run.status, run.reason) == ("failed", "No space left on device (after 3 attempts)")
    retried, _ = lifecycle.retry_failed(run.id, "test")
    assert engine.advance(retried.id).status == "completed"
    assert written() == EVERYTHING


def test_a_commit_whose_confirmation_was_lost_is_not_repeated(script: Script) -> None:
    def lose_confirmation(context: StepContext) -> None:
        script.before_record = None
        PipelineStep.objects.filter(pk=context.step.pk).update(status="completed", lease_until=None)
        raise OperationalError("server closed the connection unexpectedly")

    script.before_record = lose_confirmation
    run = engine.advance(start().id)
    assert run.status == "completed"
    assert script.computed == EVERYTHING


def test_runs_of_several_jobs_are_created_concurrently(script: Script) -> None:
    jobs = [f"drill_{number}" for number in range(8)]
    barrier, errors = threading.Barrier(8), []

    def create(job: str) -> None:
        barrier.wait()
        try:
            lifecycle.create_run(job, None, triggered_by="test")
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=create, args=(job,)) for job in jobs]
    with registered(*(replace(saga_of("drill"), job=job) for job in jobs)):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert sorted(PipelineRun.objects.values_list("sequence", flat=True)) == list(range(1, 9))


def test_of_concurrent_triggers_one_succeeds_and_the_others_name_its_run(script: Script) -> None:
    barrier, refused = threading.Barrier(6), []

    def trigger() -> None:
        barrier.wait()
        try:
            start()
        except AlreadyRunning as error:
            refused.append(error.run_id)
        finally:
            connection.close()

    threads = [threading.Thread(target=trigger) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == [PipelineRun.objects.get().id] * 5


def test_a_step_with_no_chunks_completes_without_records() -> None:
    with registered(Saga("idle", "Idle", (Step("LONG", chunks=lambda _: []),))):
        run = engine.advance(lifecycle.create_run("idle", None, triggered_by="test").id)
    step = run.steps.get()
    assert (run.status, step.status, step.records_processed) == ("completed", "completed", 0)


# --- decisions that were overtaken ------------------------------------------------------------------------------------
def test_the_end_of_a_run_decided_on_before_a_retry_changes_nothing(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.errors["FIRST"] = [StepFailed("The file is empty.")]
    run = start()
    has_read, may_go_on, read = threading.Event(), threading.Event(), engine._state
    late: list[PipelineRun] = []

    def read_and_wait(run_id: str) -> tuple[PipelineRun, PipelineStep | None]:
        state = read(run_id)
        if threading.current_thread() is second and state[1] is not None and state[1].status == "failed":
            has_read.set()
            assert may_go_on.wait(20)
        return state

    def deliver() -> None:
        late.append(engine.advance(run.id))
        connection.close()

    second = threading.Thread(target=deliver)
    monkeypatch.setattr(engine, "_state", read_and_wait)
    second.start()
    assert has_read.wait(20)
    assert engine.advance(run.id).status == "failed"
    lifecycle.retry_failed(run.id, "asha")
    may_go_on.set()
    second.join()
    assert [(late_run.status, late_run.reason) for late_run in late] == [("running", "")]
    assert engine.advance(run.id).status == "completed"
    assert written() == EVERYTHING


def test_the_end_of_a_run_waits_for_a_retry_in_progress_and_sees_it(script: Script) -> None:
    """The retry has changed the step and not committed yet: a statement that began before would see the old one."""
    script.errors["FIRST"] = [StepFailed("The file is empty.")]
    run = start()
    engine.advance(run.id)
    failed = run.steps.get(name="FIRST")
    ended: list[PipelineRun] = []

    def finish() -> None:
        ended.append(engine._finish_run(run, "fail", failed.reason, failed=failed))
        connection.close()

    thread = threading.Thread(target=finish)
    with transaction.atomic():
        lifecycle.retry_failed(run.id, "asha")
        thread.start()
        while not waiting_sessions():
            time.sleep(0.02)
    thread.join()
    assert ended[0].status == "running"


def test_a_failed_run_whose_next_step_is_pending_is_retried_with_that_one(script: Script) -> None:
    run = start()
    PipelineRun.objects.filter(pk=run.pk).update(status="failed", reason="The file is empty.")
    retried, names = lifecycle.retry_failed(run.id, "asha")
    assert (retried.status, names) == ("running", ["FIRST"])
    assert engine.advance(run.id).status == "completed"
