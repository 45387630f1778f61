"""Attempts: each keeps its start, end, worker, log and reason, whatever became of it and of those before."""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from market_data.models import PipelineRun, PipelineStep, StepAttempt
from market_data.runs import attempts, claims, engine, interventions, lifecycle, workers
from market_data.runs.saga import NotYet, Saga, Step, StepContext, StepFailed
from tests.runs import registered

pytestmark = pytest.mark.django_db(transaction=True)
ELSEWHERE = "elsewhere:1:boot:1:1"


class Flaky(Exception):
    """Declared as transient."""


class Script:
    """What the attempts at the only step do, one after the other; later ones succeed."""

    def __init__(self) -> None:
        self.acts: list[Any] = []

    def compute(self, context: StepContext) -> None:
        context.log("begun", attempt=context.step.attempts)
        act = self.acts.pop(0) if self.acts else None
        if isinstance(act, Exception):
            raise act
        if act:
            act(context)


@pytest.fixture
def script(settings: Any) -> Iterator[Script]:
    script = Script()
    settings.STEP_PAUSE_SECONDS, settings.STEP_LEASE_SECONDS = 0, 1
    step = Step("ONLY", script.compute, lambda context, result: 1, transient=(Flaky,))
    with registered(Saga("drill", "Drill", (step,))):
        yield script


def start(**facts: Any) -> PipelineRun:
    run = lifecycle.create_run("drill", None, triggered_by="test")
    PipelineRun.objects.filter(pk=run.pk).update(**facts)
    return run


def logged(run: PipelineRun, *fields: str) -> list[Any]:
    rows = StepAttempt.objects.filter(step__run=run).order_by("number")
    return list(rows.values_list(*fields, flat=len(fields) == 1))


def test_each_attempt_keeps_its_log_outcome_and_reason(script: Script) -> None:
    script.acts = [Flaky("busy"), StepFailed("The file is empty."), ZeroDivisionError("by zero")]
    run = start()
    engine.advance(run.id, wait=True)
    for _ in range(2):
        lifecycle.retry_failed(run.id, "asha")
        engine.advance(run.id, wait=True)
    assert logged(run, "number", "outcome", "reason") == [
        (1, "postponed", "busy"),
        (2, "failed", "The file is empty."),
        (3, "errored", "ZeroDivisionError: by zero"),
        (4, "completed", ""),
    ]
    assert [lines[0] for lines in logged(run, "log_lines")] == [f"begun attempt={number}" for number in (1, 2, 3, 4)]
    assert ["ZeroDivisionError" in trace for trace in logged(run, "traceback")] == [False, False, True, False]
    assert set(logged(run, "worker")) == {workers.identity()}
    rows = StepAttempt.objects.order_by("number")
    assert all(row.started_at <= row.ended_at for row in rows if row.ended_at)
    assert rows.filter(ended_at=None).count() == 0
    step = run.steps.get()
    assert (step.attempts, step.worker) == (4, workers.identity())


def test_a_failed_step_keeps_the_name_of_its_worker(script: Script) -> None:
    script.acts = [StepFailed("The file is empty.")]
    run = engine.advance(start().id)
    assert run.steps.get().worker == workers.identity()


def test_a_poll_is_an_attempt_that_is_not_limited(script: Script) -> None:
    script.acts = [NotYet("No file yet.") for _ in range(5)]
    run = start(intended_at=timezone.now())
    for _ in range(5):
        run.steps.update(not_before=None)
        engine.advance(run.id)
    step = run.steps.get()
    assert (step.status, step.attempts, step.fruitless_attempts) == ("pending", 5, 0)
    assert set(logged(run, "outcome", "reason")) == {("waited", "No file yet.")}


def test_a_cancelled_attempt_says_by_whom(script: Script) -> None:
    run = start()
    script.acts = [lambda context: interventions.cancel(run.id, "asha")]
    engine.advance(run.id)
    assert logged(run, "outcome", "reason") == [("cancelled", "cancelled by asha")]
    assert run.steps.get().reason == "", "the step waits for nothing but its run"
    interventions.resume(run.id, "asha")
    engine.advance(run.id)
    assert logged(run, "outcome") == ["cancelled", "completed"]


@pytest.mark.parametrize(("worker", "fate"), [(ELSEWHERE, "silent"), ("{host}:999999999:{boot}:12:{ns}", "ended")])
def test_the_attempt_of_a_lost_worker_ends_with_its_last_sign_of_life(script: Script, worker: str, fate: str) -> None:
    host, _, boot, _, namespace = workers.identity().split(":")
    run, last_sign = start(), timezone.now() - timedelta(minutes=20)
    step = run.steps.get()
    assert claims.claim(step, 3)
    worker = worker.format(host=host, boot=boot, ns=namespace)
    StepAttempt.objects.update(
        worker=worker, started_at=last_sign - timedelta(minutes=1), renewed_at=last_sign, log_lines=["half way"]
    )
    PipelineStep.objects.update(worker=worker, lease_until=last_sign)
    assert engine.advance(run.id, wait=True).status == "completed"
    assert logged(run, "number", "outcome") == [(1, "lost"), (2, "completed")]
    lost = StepAttempt.objects.get(number=1)
    assert (lost.ended_at, lost.log_lines, lost.worker) == (last_sign, ["half way"], worker)
    assert fate in lost.reason


def test_the_last_attempt_of_a_step_that_is_given_up_is_closed(script: Script) -> None:
    run = start()
    step = run.steps.get()
    assert claims.claim(step, 3)
    PipelineStep.objects.update(worker=ELSEWHERE, lease_until=timezone.now() - timedelta(1), fruitless_attempts=3)
    assert engine.advance(run.id, wait=True).status == "failed"
    assert logged(run, "outcome") == ["lost"]
    assert run.steps.get().worker == ELSEWHERE


def test_a_claim_that_fails_opens_no_attempt(script: Script) -> None:
    run = start()
    first, second = run.steps.get(), run.steps.get()
    assert claims.claim(first, 3)
    assert not claims.claim(second, 3)
    assert logged(run, "number") == [1]


def test_a_worker_that_lost_its_step_does_not_touch_the_attempt_of_the_next(script: Script) -> None:
    run = start()

    def lose(context: StepContext) -> None:
        row = PipelineStep.objects.filter(pk=context.step.pk)
        row.update(fence=context.step.fence + 1, worker=ELSEWHERE, lease_until=timezone.now() - timedelta(1))

    script.acts = [lose]
    assert engine.advance(run.id, wait=True).status == "completed"
    assert logged(run, "outcome") == ["lost", "completed"]


def test_the_log_of_an_attempt_is_stored_while_it_works(script: Script) -> None:
    def wait_for_the_row(context: StepContext) -> None:
        while not StepAttempt.objects.filter(log_lines=["begun attempt=1"]).exists():
            time.sleep(0.02)

    script.acts = [wait_for_the_row]
    assert engine.advance(start().id).status == "completed"


def test_time_at_work_leaves_the_pauses_out() -> None:
    now = timezone.now()
    run = PipelineRun.objects.create(
        id="drill_1", sequence=1, job="drill", provider_kind="real", started_at=now - timedelta(hours=9), ended_at=now
    )
    assert attempts.seconds_at_work(run) == 9 * 3600, "nothing is known of its attempts"
    step = PipelineStep.objects.create(run=run, name="ONLY", order=0)
    for number, (begin, minutes) in enumerate(((540, 2), (300, 3), (4, 4)), start=1):
        begun = now - timedelta(minutes=begin)
        StepAttempt.objects.create(
            step=step, number=number, fence=number, started_at=begun, ended_at=begun + timedelta(minutes=minutes)
        )
    assert attempts.seconds_at_work(run) == 9 * 60
    # The clock was set back during the last one.
    StepAttempt.objects.filter(number=3).update(ended_at=now - timedelta(hours=1))
    assert attempts.seconds_at_work(run) == 5 * 60


def test_old_attempts_are_purged_and_open_ones_kept(script: Script) -> None:
    script.acts = [StepFailed("No.")]
    run = start()
    engine.advance(run.id)
    lifecycle.retry_failed(run.id, "asha")
    claims.claim(run.steps.get(), 3)
    StepAttempt.objects.update(started_at=timezone.now() - timedelta(days=200))
    StepAttempt.objects.filter(outcome="failed").update(ended_at=timezone.now() - timedelta(days=100))
    assert attempts.purge_attempts(date.today() - timedelta(days=90)) == 1
    assert logged(run, "outcome") == ["running"]
