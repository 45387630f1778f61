"""Rollback: which runs can be rolled back, what the plan says, what is restored, and concurrency."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from datetime import time as clock
from typing import Any

import pandas as pd
import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from market_data import trading_calendar
from market_data.models import MarketDay, PipelineRun, RunUndo
from market_data.providers import DAY_COLUMNS
from market_data.runs import lifecycle, rollback
from market_data.runs.saga import SagaError, saga_of
from market_data.steps import upkeep
from ml.champions import queries
from ml.models import TrainedModel
from stocks.models import FinancialStatement
from stocks.storage import bulk
from tests.champions import crown, fitted
from tests.runs import make_run
from tests.state_hash import contract_hash, differences

DAY = date(2026, 4, 30)
KEY = ("symbol", "period_end", "kind")
one_database = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)


def ended(run_id: str, job: str = "pipeline", status: str = "completed", **facts: Any) -> PipelineRun:
    """Store a run that has ended with all its steps complete."""
    names = tuple(step.name for step in saga_of(job).steps)
    return make_run(run_id, job=job, status=status, done=len(names), names=names, **facts)


def record(run_id: str, **revenues: float) -> None:
    frame = pd.DataFrame({"symbol": list(revenues), "revenue": list(revenues.values())})
    frame = frame.assign(period_end=pd.Timestamp("2026-03-31"), kind="year", source="test")
    frame = frame.assign(published_on=pd.Timestamp("2026-04-20"), published_assumed=False)
    with transaction.atomic():
        bulk.upsert("financial_statements", frame, KEY, run_id)


def revenues() -> dict[str, float | None]:
    return dict(FinancialStatement.objects.order_by("symbol").values_list("symbol", "revenue"))


def refusal(run_id: str) -> str:
    with pytest.raises(SagaError) as plan_refusal:
        rollback.planned_rollback(run_id)
    with pytest.raises(SagaError) as refusal:
        rollback.roll_back(run_id, "test")
    assert str(plan_refusal.value) == str(refusal.value), "the plan is refused for the same reason"
    return str(refusal.value)


# --- which runs can be rolled back ----------------------------------------------------------------------------------
@one_database
def test_the_runs_built_on_it_are_named_in_the_order_of_their_rollback() -> None:
    chain = [ended(f"r{number}", job) for number, job in enumerate(("pipeline", "fill_data", "validation"), 1)]
    assert refusal("r1") == "r3, r2 built on r1: roll these, in this order, back first."
    for run in reversed(chain):
        rollback.roll_back(run.id, "asha")
    assert set(PipelineRun.objects.values_list("status", "reason")) == {("rolled_back", "rolled back by asha")}
    assert refusal("r1") == "r1 is rolled back: only a run that has ended can be rolled back."


@one_database
def test_a_later_run_is_an_obstacle_only_if_it_has_written() -> None:
    ended("r1")
    make_run("r2", status="failed", step_status="failed", done=0)
    ended("export", "csv_export")
    ended("replay", "validation", is_replay=True)
    assert rollback.planned_rollback("r1")
    make_run("r3", status="cancelled", done=3)
    assert refusal("r1").startswith("r3 built on r1")
    rollback.roll_back("r3", "test")
    rollback.roll_back("r1", "test")


@one_database
def test_a_running_run_on_the_same_tables_prevents_a_rollback() -> None:
    make_run("older", job="import_fundamentals", status="running", done=0, names=("READ_FILES",), session=None)
    ended("newer")
    make_run("idle", job="quotes", status="running", done=0, names=("QUOTES",))
    assert refusal("newer").startswith("older is at work on tables of newer: wait until it has ended, or cancel it")
    assert "is running: only a run that has ended" in refusal("older")
    PipelineRun.objects.filter(pk="older").update(status="completed")
    assert rollback.roll_back("newer", "test")


@one_database
def test_a_run_that_writes_nothing_cannot_be_rolled_back() -> None:
    ended("export", "csv_export")
    ended("replay", "validation", is_replay=True)
    for run_id in ("export", "replay"):
        assert refusal(run_id) == f"{run_id} writes nothing that can be rolled back."


# --- ten nights -----------------------------------------------------------------------------------------------------
def nights(count: int, runs_a_night: str = "a") -> list[PipelineRun]:
    """Store nights that each change the same figure, in one run of the pipeline or several."""
    runs = []
    for number in range(1, count + 1):
        for place, suffix in enumerate(runs_a_night):
            runs.append(ended(f"n{number:02}{suffix}", session=DAY + timedelta(days=number)))
            record(runs[-1].id, ACME=number + place / 2)
    return runs


@one_database
def test_before_images_of_the_last_ten_nights_are_kept() -> None:
    nights(13, "ab")
    RunUndo.objects.create(run_id="nobody", table_name="stocks", row_image={"id": 1})
    assert upkeep.purge_undo() == 6, "five of the first three nights, whose first run only inserted, and one of no run"
    kept = sorted(RunUndo.objects.values_list("run_id", flat=True))
    assert (kept[0], kept[-1], len(kept)) == ("n04a", "n13b", 20)
    assert upkeep.purge_undo() == 0


@one_database
def test_a_run_older_than_ten_nights_is_refused_even_after_all_later_ones_were_rolled_back() -> None:
    runs = nights(11)
    upkeep.purge_undo()
    for run in reversed(runs[1:]):
        rollback.roll_back(run.id, "test")
    assert revenues() == {"ACME": 1.0}
    before = contract_hash(["financial_statements"])
    assert "n01a is older than the last 10 nights" in refusal("n01a")
    assert contract_hash(["financial_statements"]) == before


@one_database
def test_with_fewer_than_ten_nights_all_before_images_are_kept() -> None:
    nights(9)
    assert upkeep.purge_undo() == 0
    assert rollback.planned_rollback("n09a")["financial_statements"] == (0, 1)


# --- what a rollback restores ---------------------------------------------------------------------------------------
@one_database
def test_the_plan_changes_nothing_and_equals_the_rollback() -> None:
    ended("r1")
    record("r1", ACME=1.0, BETA=2.0)
    ended("r2")
    record("r2", ACME=5.0, GAMMA=3.0)
    record("r2", ACME=6.0)
    bulk.delete("financial_statements", "t.symbol = %s", ["BETA"], "r2")
    before = revenues()
    planned = rollback.planned_rollback("r2")
    assert planned["financial_statements"] == (1, 2)
    assert revenues() == before == {"ACME": 6.0, "GAMMA": 3.0}
    assert rollback.roll_back("r2", "test") == planned
    assert revenues() == {"ACME": 1.0, "BETA": 2.0}
    assert not RunUndo.objects.exists()


@one_database
def test_rows_that_exchanged_their_keys_are_restored() -> None:
    """A → B and B → C in one evening: restored one by one, A's row would collide with B's."""
    record("r1", A=1.0, B=2.0)
    before = list(FinancialStatement.objects.order_by("pk").values())
    bulk.keep_before_images("financial_statements", "true", [], "r2")
    for old, new in (("B", "C"), ("A", "B"), ("C", "A")):
        FinancialStatement.objects.filter(symbol=old).update(symbol=new)
    assert revenues() == {"A": 2.0, "B": 1.0}
    bulk.roll_back("financial_statements", "r2")
    assert list(FinancialStatement.objects.order_by("pk").values()) == before


@one_database
def test_a_column_younger_than_an_image_keeps_its_value() -> None:
    record("r1", ACME=1.0)
    record("r2", ACME=2.0)
    image = RunUndo.objects.get()
    del image.row_image["source"]
    image.save()
    bulk.roll_back("financial_statements", "r2")
    assert FinancialStatement.objects.values_list("revenue", "source").get() == (1.0, "test")


@one_database
def test_rolling_back_a_training_removes_its_model_and_brings_the_champion_before_back() -> None:
    ended("t1", "training")
    crown(DAY, recipe="a")
    fitted(DAY, recipe="b", run_id="t1")
    crown(DAY, recipe="b", kind="promoted", champion_recipe="a", challenger_recipe="b", run_id="t1")
    undone = rollback.roll_back("t1", "test")
    assert [undone[name] for name in ("trained_models", "champion_changes", "predictions")] == [(1, 0), (1, 0), (0, 0)]
    assert not TrainedModel.objects.exists()
    assert (champion := queries.champion()) is not None
    assert champion.recipe == "a"


@one_database
def test_market_days_of_a_run_are_restored_and_imported_ones_stay() -> None:
    seed = pd.DataFrame(columns=list(DAY_COLUMNS))
    trading_calendar.record_market_days(seed, "XBOM", "r1")
    MarketDay.objects.filter(date=DAY).update(kind="special", is_session=True)
    before = list(MarketDay.objects.values())
    trading_calendar.record_market_days(seed, "XBOM", "r2")
    assert bulk.rollback_counts("market_days", "r2") == (0, 1)
    bulk.roll_back("market_days", "r2")
    assert list(MarketDay.objects.values()) == before
    trading_calendar.record_market_days(seed, "XBOM", "r3")
    imported = {"date": [DAY], "kind": ["muhurat"], "is_session": [True], "open": [clock(18)], "close": [clock(19)]}
    trading_calendar.record_imported_days(pd.DataFrame(imported), "circular.csv")
    for run_id in ("r3", "r1"):
        bulk.roll_back("market_days", run_id)
    assert list(MarketDay.objects.values_list("date", "kind")) == [(DAY, "muhurat")]


@one_database
def test_the_command_prints_the_plan_and_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    ended("r1", "import_fundamentals", session=None)
    record("r1", ACME=1.0)
    call_command("rollback_run", "r1", dry_run=True)
    assert "would be rolled back:" in capsys.readouterr().out
    assert revenues() == {"ACME": 1.0}
    call_command("rollback_run", "r1")
    output = capsys.readouterr().out
    assert "r1 was rolled back:" in output
    assert "financial_statements              1 rows removed          0 rows restored" in output
    with pytest.raises(CommandError, match="r1 is rolled back"):
        call_command("rollback_run", "r1")


# --- concurrency ----------------------------------------------------------------------------------------------------
def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Start work on a connection of its own; its result or error is in the list once it has ended."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:
            outcome.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def database_url() -> str:
    return os.environ["DATABASE_URL"].replace("/trading_system", f"/{connection.settings_dict['NAME']}")


def until_waiting(count: int) -> None:
    """Wait until so many sessions wait for a lock, watched from a session outside the caller's transaction."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 60
    with psycopg.connect(database_url(), autocommit=True) as watcher:
        while time.monotonic() < deadline:
            row = watcher.execute(query).fetchone()
            if row and row[0] >= count:
                return
            time.sleep(0.02)
    raise AssertionError(f"fewer than {count} sessions wait for a lock")


@committed
def test_of_concurrent_rollbacks_one_succeeds_and_a_new_run_waits_for_it() -> None:
    ended("r1", session=None)
    record("r1", ACME=1.0)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE financial_statements IN SHARE MODE")
        first, first_outcome = in_thread(lambda: rollback.roll_back("r1", "one"))
        until_waiting(1)
        second, second_outcome = in_thread(lambda: rollback.roll_back("r1", "two"))
        creation, creation_outcome = in_thread(
            lambda: lifecycle.create_run("import_fundamentals", None, triggered_by="test")
        )
        until_waiting(3)
        assert not second_outcome
        assert not creation_outcome
    for thread in (first, second, creation):
        thread.join(30)
    assert first_outcome[0]["financial_statements"] == (1, 0)
    assert "r1 is rolled back" in str(second_outcome[0])
    assert creation_outcome[0].status == "running"
    assert PipelineRun.objects.get(pk="r1").reason == "rolled back by one"


@committed
def test_a_rollback_waits_for_the_late_commit_of_a_worker_past_its_lease() -> None:
    run = ended("r1", status="cancelled")
    step = run.steps.first()
    assert step is not None
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(5001, %s::int)", [step.pk])
        record("r1", ACME=1.0)
        thread, outcome = in_thread(lambda: rollback.roll_back("r1", "test"))
        until_waiting(1)
        PipelineRun.objects.filter(pk="r1").update(summary={"late": True})
    thread.join(30)
    assert outcome[0]["financial_statements"] == (1, 0), outcome
    assert revenues() == {}


@pytest.mark.crash
@committed
def test_a_killed_rollback_has_changed_nothing() -> None:
    ended("r1")
    record("r1", ACME=1.0, BETA=2.0)
    ended("r2")
    record("r2", ACME=5.0)
    before = contract_hash()
    with psycopg.connect(database_url()) as blocker:
        # The last table but one: by then the rows of the earlier ones are changed but not committed.
        blocker.execute("LOCK TABLE rejected_rows IN SHARE MODE")
        child = subprocess.Popen(
            [sys.executable, "manage.py", "rollback_run", "r2"],
            cwd=settings.BASE_DIR,
            env=os.environ | {"DATABASE_URL": database_url()},
        )
        try:
            until_waiting(1)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
    assert differences(contract_hash(), before) == []
    assert PipelineRun.objects.get(pk="r2").status == "completed"
    rollback.roll_back("r2", "test")
    assert revenues() == {"ACME": 1.0, "BETA": 2.0}
