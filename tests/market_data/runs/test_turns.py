"""Runs that need the same tables take turns: who waits for whom, and how a command waits."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.management.base import CommandError
from django.db import connection

from market_data import tasks
from market_data.models import PipelineRun, SourceFile
from market_data.runs import command, engine, interventions, lifecycle
from market_data.runs.prerequisites import Prerequisite, describe_all, outstanding
from tests.market_data.runs.revenues import (
    SESSION,
    TABLE,
    Script,
    acting_jobs,
    create,
    revenue,
    saga,
)
from tests.runs import STARTED, registered

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def script() -> Iterator[Script]:
    yield from acting_jobs()


# --- turns ----------------------------------------------------------------------------------------------------------
def test_a_waiting_run_names_the_run_and_the_tables(script: Script) -> None:
    first, second = create("first"), create("second")
    assert (first.status, second.status) == ("running", "waiting")
    awaited = outstanding(second)
    assert describe_all(awaited) == f"first ({first.id}) to finish with financial_statements"
    (text,) = map(str, awaited)
    assert text == f"turn:{first.id}:financial_statements"
    assert [Prerequisite.parse(text)] == awaited
    assert not awaited[0].is_met(SESSION)
    assert not lifecycle.start_waiting_run(second)


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled", "rolled_back", "skipped"])
def test_a_run_that_has_ended_keeps_nobody_waiting(script: Script, end: str) -> None:
    first, second = create("first"), create("second")
    PipelineRun.objects.filter(pk=first.pk).update(status=end)
    tasks.release_waiting()
    second.refresh_from_db()
    assert second.status == "running"


def test_the_turns_follow_the_order_of_creation(script: Script) -> None:
    first, second, third = (create(job) for job in ("first", "second", "third"))
    assert describe_all(outstanding(third)) == (
        f"first ({first.id}) to finish with financial_statements"
        f" and second ({second.id}) to finish with financial_statements"
    )
    engine.advance(first.id)
    assert not lifecycle.start_waiting_run(third), "the second run was created before it"
    assert lifecycle.start_waiting_run(second)
    engine.advance(second.id)
    assert lifecycle.start_waiting_run(third)


def test_a_run_that_waits_for_its_prerequisites_keeps_nobody_waiting(script: Script) -> None:
    sequel = create("second", "first")
    first = create("first")
    assert (sequel.status, first.status) == ("waiting", "running")
    third = create("third")
    engine.advance(first.id)
    assert not lifecycle.start_waiting_run(third), "the sequel may begin by now, and was created before it"
    assert lifecycle.start_waiting_run(sequel)


def test_a_run_that_is_held_keeps_nobody_waiting(script: Script) -> None:
    interventions.hold_evening(SESSION, "asha")
    held = lifecycle.create_run("first", SESSION, triggered_by="schedule", intended_at=STARTED)
    assert held.status == "waiting"
    assert create("second").status == "running"
    assert outstanding(held) == []


def test_readers_wait_for_writers_and_writers_for_readers(script: Script) -> None:
    first = create("first")
    reader = create("reader")
    assert describe_all(outstanding(reader)) == f"first ({first.id}) to finish with financial_statements"
    engine.advance(first.id)
    assert lifecycle.start_waiting_run(reader)
    assert create("second").status == "waiting"
    assert create("elsewhere").status == "running"


def test_a_run_in_the_background_begins_on_whole_tables_and_keeps_nobody_waiting(script: Script) -> None:
    first = create("first")
    long = create("long")
    assert long.status == "waiting"
    engine.advance(first.id)
    assert lifecycle.start_waiting_run(long)
    assert create("second").status == create("picks").status == "running"


def test_a_replay_reads_in_turn_and_writes_nothing(script: Script) -> None:
    SourceFile.objects.create(session=SESSION, name="f", size=1, mtime_ns=1, sha256="0", rows=1, rejected=0)
    earlier = SESSION - timedelta(days=1)
    assert create("first", session=earlier).status == "running"
    assert create("second").status == "running"
    with registered(saga(script, "third", tables=("findings",), reads=(TABLE,), replays=True)):
        assert create("third", session=earlier).status == "waiting"


def test_a_run_becomes_a_replay_when_a_later_session_was_loaded_before_its_turn(script: Script) -> None:
    first, second = create("first"), create("second")
    later = SESSION + timedelta(days=1)
    SourceFile.objects.create(session=later, name="f", size=1, mtime_ns=1, sha256="0", rows=1, rejected=0)
    engine.advance(first.id)
    script.revenues = {"second a": 200.0}
    assert lifecycle.start_waiting_run(second)
    assert engine.advance(second.id).is_replay
    assert revenue() == 100.0


# --- commands -------------------------------------------------------------------------------------------------------
def test_a_command_waits_for_its_turn_and_says_so(
    script: Script, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_RECHECK_SECONDS", 0.05)
    first = create("first")

    def fail_the_first() -> None:
        PipelineRun.objects.filter(pk=first.pk).update(status="failed")
        connection.close()

    ending = threading.Timer(0.5, fail_the_first)
    ending.start()
    script.revenues = {"second a": 200.0}
    run = command.execute_job("second", SESSION, quiet=True)
    ending.join()
    assert (run.status, revenue()) == ("completed", 200.0)
    assert (
        capsys.readouterr().err.count(
            f"{run.id} waits for first ({first.id}) to finish with financial_statements; Ctrl-C cancels it.\n"
        )
        == 1
    )


def test_an_interrupted_command_cancels_the_run_that_waited(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    create("first")

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    with pytest.raises(CommandError, match="was cancelled while it waited"):
        command.execute_job("second", SESSION, quiet=True)
    assert PipelineRun.objects.get(job="second").status == "cancelled"


def test_a_command_goes_on_with_the_run_that_a_killed_one_left_waiting(script: Script) -> None:
    first, left = create("first"), create("second")
    PipelineRun.objects.filter(pk=first.pk).update(status="cancelled")
    assert command.execute_job("second", SESSION, quiet=True).id == left.id
