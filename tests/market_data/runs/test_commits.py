"""What overlapped is rolled back exactly: images under lock, the order of commits, refused retries."""

import importlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pandas as pd
import psycopg
import pytest
from django.db import connection, transaction

from market_data import tasks
from market_data.models import PipelineRun, PipelineStep, RunUndo
from market_data.runs import claims, engine, interventions, lifecycle, rollback
from market_data.runs.saga import NotRetryable, StepContext, StepFailed
from stocks.models import FinancialStatement
from stocks.storage import bulk
from tests.market_data.runs.revenues import (
    KEY,
    TABLE,
    Script,
    acting_jobs,
    change,
    create,
    fail,
    refusal,
    restore,
    revenue,
    saga,
    write,
)
from tests.market_data.runs.test_rollback import database_url, in_thread, until_waiting
from tests.runs import STARTED, make_run, registered

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def script() -> Iterator[Script]:
    yield from acting_jobs()


# --- histories that were not rolled back exactly --------------------------------------------------------------------
def test_a_run_that_begins_while_another_is_at_work_waits_and_both_are_rolled_back(script: Script) -> None:
    first = create("first")
    script.revenues = {"second b": 200.0, "first b": 300.0}

    def begin_second(context: StepContext, label: str) -> None:
        if context.run.job == "first" and label == "b":
            engine.advance(create("second").id)

    script.before = begin_second
    assert engine.advance(first.id).status == "completed"
    second = PipelineRun.objects.get(job="second")
    assert (second.status, revenue()) == ("waiting", 300.0)
    tasks.release_waiting()
    assert engine.advance(second.id).status == "completed"
    assert revenue() == 200.0
    rollback.roll_back(second.id, "test")
    assert revenue() == 300.0
    rollback.roll_back(first.id, "test")
    assert revenue() == 100.0


def test_a_run_retried_after_a_later_one_is_rolled_back_before_it(script: Script) -> None:
    first, script.before = create("first"), fail
    engine.advance(first.id)
    script.before, script.revenues = None, {"second a": 200.0, "first a": 300.0}
    second = engine.advance(create("second").id)
    lifecycle.retry_failed(first.id, "test")
    assert engine.advance(first.id).status == "completed"
    assert refusal(lambda: rollback.roll_back(second.id, "test")) == (
        f"{first.id} built on {second.id}: roll it back first."
    )
    rollback.roll_back(first.id, "test")
    assert revenue() == 200.0
    rollback.roll_back(second.id, "test")
    assert revenue() == 100.0


@pytest.mark.parametrize("write_rows", [write, change])
def test_a_before_image_is_of_the_row_that_was_changed_and_not_of_an_earlier_one(
    script: Script, write_rows: Callable[..., int]
) -> None:
    """Another transaction commits between reading the images and the change: its value is what is restored."""
    with transaction.atomic():
        write("first", ACME=300.0)
        thread, outcome = in_thread(lambda: write_rows("second", ACME=200.0))
        until_waiting(1)
    thread.join(30)
    assert (outcome, revenue()) == ([1], 200.0)
    restore("second")
    assert revenue() == 300.0
    restore("first")
    assert revenue() == 100.0


def test_a_row_that_another_transaction_inserts_meanwhile_is_changed_with_an_image(script: Script) -> None:
    with transaction.atomic():
        write("first", BETA=1.0)
        thread, outcome = in_thread(lambda: write("second", BETA=2.0))
        until_waiting(1)
    thread.join(30)
    assert (outcome, revenue("BETA")) == ([1], 2.0)
    restore("second")
    assert revenue("BETA") == 1.0


@pytest.mark.parametrize("change", ["deleted", "kept"])
def test_images_of_whole_selections_are_read_under_lock(script: Script, change: str) -> None:
    work: Callable[..., Any] = bulk.delete if change == "deleted" else bulk.keep_before_images
    with transaction.atomic():
        write("first", ACME=300.0)
        arguments = (TABLE, "t.symbol = %s", ["ACME"], "second")
        thread, outcome = in_thread(lambda: transaction.atomic()(work)(*arguments))
        until_waiting(1)
    thread.join(30)
    assert outcome == [1]
    assert [
        image["revenue"] for image in RunUndo.objects.filter(run_id="second").values_list("row_image", flat=True)
    ] == [300.0]


def test_two_rows_of_one_key_in_a_frame_are_refused(script: Script) -> None:
    frame = pd.DataFrame(FinancialStatement.objects.values(*KEY, "revenue"))
    twice = pd.concat([frame, frame.assign(revenue=2.0)]).assign(
        period_end=lambda rows: pd.to_datetime(rows["period_end"])
    )
    for write_rows in (bulk.upsert, bulk.update):
        with pytest.raises(Exception, match="unique"), transaction.atomic():
            write_rows(TABLE, twice, KEY, "second")


def test_a_worker_that_hangs_in_its_commit_keeps_no_rows_once_its_run_is_cancelled(
    script: Script, settings: Any
) -> None:
    first = create("first")
    step = first.steps.get()
    PipelineStep.objects.update(status="running")
    rollback_lock = "SELECT pg_advisory_xact_lock(5002)"
    with psycopg.connect(database_url()) as hung, psycopg.connect(database_url()) as rolling_back:
        for session in (hung, rolling_back):
            session.execute("SELECT pg_advisory_xact_lock_shared(5001, %s::int)", [step.pk])
        rolling_back.execute(rollback_lock)
        settings.STEP_LEASE_SECONDS = 0
        assert claims.end_outdated_sessions() == 0, "it may still commit"
        PipelineStep.objects.update(status="pending")
        settings.STEP_LEASE_SECONDS = 600
        assert claims.end_outdated_sessions() == 0, "it has not been silent for a lease"
        settings.STEP_LEASE_SECONDS = 0
        tasks.heartbeat("data")
        rolling_back.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError):
            hung.execute("SELECT 1")
        hung.close()


# --- retry and resume -----------------------------------------------------------------------------------------------
def interrupted(script: Script, end: str = "failed") -> PipelineRun:
    """Return a run that wrote at its first label and failed, or was cancelled, at the second."""
    first = create("first")

    def stop_at_b(context: StepContext, label: str) -> None:
        if label == "b" and context.run.job == "first":
            if end == "failed":
                raise StepFailed("The file is missing.")
            interventions.cancel(context.run.id, "asha")

    script.before = stop_at_b
    script.revenues |= {"first a": 200.0}
    assert engine.advance(first.id).status == end
    script.before = None
    return PipelineRun.objects.get(pk=first.pk)


def go_on(run: PipelineRun) -> PipelineRun:
    if run.status == "failed":
        return lifecycle.retry_failed(run.id, "test")[0]
    return interventions.resume(run.id, "test")


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_run_may_not_go_on_once_a_later_one_changed_what_it_wrote(script: Script, end: str) -> None:
    first = interrupted(script, end)
    script.revenues = {"second a": 300.0}
    second = engine.advance(create("second").id)
    with pytest.raises(NotRetryable) as error:
        go_on(first)
    assert str(error.value) == (
        f"{second.id} has changed financial_statements since {first.id} wrote there, so {first.id} cannot go on: its"
        " roll back would no longer be exact. Start first again instead."
    )
    rollback.roll_back(second.id, "test")
    assert go_on(first).status == "running", "the later change is gone"


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_run_may_go_on_after_an_import_of_what_was_missing(script: Script, end: str) -> None:
    first = create("first")

    def stop_at_b(context: StepContext, label: str) -> None:
        if label == "b" and end == "failed":
            raise StepFailed("The file is missing.")
        if label == "b":
            interventions.cancel(context.run.id, "asha")

    script.before = stop_at_b
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "record", lambda context, label: write(context.run.id, BETA=1.0))
        with registered(saga(script, "first")):
            engine.advance(first.id)
    script.before = None
    PipelineRun.objects.filter(pk=first.pk).exclude(status=end).delete()
    imported = make_run("import_1", job="second", status="completed", done=1, names=("WRITE",), last_commit=99)
    write(imported.id, GAMMA=2.0)
    assert go_on(PipelineRun.objects.get(pk=first.pk)).status == "running"
    write(imported.id, BETA=3.0)
    PipelineRun.objects.filter(pk=first.pk).update(status=end)
    PipelineStep.objects.filter(run=first).update(status="failed")
    assert "has changed financial_statements" in refusal(lambda: go_on(PipelineRun.objects.get(pk=first.pk)))


def test_a_retry_waits_for_its_turn_and_is_cancelled_if_its_rows_were_changed_before(script: Script) -> None:
    first = interrupted(script)
    second = create("second")
    retried = go_on(first)
    assert retried.status == "waiting"
    script.revenues = {"second a": 300.0}
    engine.advance(second.id)
    tasks.release_waiting()
    first.refresh_from_db()
    assert first.status == "cancelled"
    assert first.reason.endswith("Start first again instead.")
    rollback.roll_back(second.id, "test")
    rollback.roll_back(first.id, "test")
    assert revenue() == 100.0


def test_a_retry_waits_for_its_turn_and_then_goes_on(script: Script) -> None:
    first = interrupted(script)
    second = create("second")
    assert go_on(first).status == "waiting"
    engine.advance(second.id)
    tasks.release_waiting()
    script.revenues |= {"first b": 300.0}
    assert engine.advance(first.id).status == "completed"
    rollback.roll_back(first.id, "test")
    assert revenue() == 100.0


# --- the order of rollbacks -----------------------------------------------------------------------------------------
def test_a_run_that_read_the_first_part_of_another_built_on_it(script: Script) -> None:
    """A long run in the background reads between two commits of a run that began later, and commits between them."""
    long = create("long")
    first = create("first")

    def finish_long(context: StepContext, label: str) -> None:
        if context.run.job == "first" and label == "b":
            engine.advance(long.id)

    script.before = finish_long
    assert engine.advance(first.id).status == "completed"
    long.refresh_from_db()
    first.refresh_from_db()
    assert (first.first_commit, long.first_commit, long.last_commit, first.last_commit) == (1, 2, 3, 4)
    assert refusal(lambda: rollback.roll_back(first.id, "test")) == (
        f"{long.id} built on {first.id}: roll it back first."
    )
    assert rollback.planned_rollback(long.id)


def test_stored_runs_are_numbered_by_the_end_of_their_steps() -> None:
    """The run created first was retried, and so committed last."""
    migration = importlib.import_module("market_data.migrations.0013_stored_runs_are_numbered_by_their_commits")
    ends = {"r1": 50, "r2": 20, "r3": 30}
    for run_id, minutes in ends.items():
        make_run(run_id, status="completed", done=1, names=("A",))
        PipelineStep.objects.filter(run=run_id).update(ended_at=STARTED + timedelta(minutes=minutes))
    PipelineStep.objects.create(run_id="r1", name="B", order=1, status="completed", ended_at=STARTED)
    make_run("r4", status="failed", done=0)
    PipelineRun.objects.update(first_commit=None, last_commit=None)
    with connection.cursor() as cursor:
        cursor.execute(migration._NUMBER)
    numbers = {
        run_id: (first, last)
        for run_id, first, last in PipelineRun.objects.values_list("id", "first_commit", "last_commit")
    }
    assert numbers == {"r1": (0, 3), "r2": (0, 1), "r3": (1, 2), "r4": (None, None)}
