"""Claims: dead holders are not waited for, hanging ones are ended, given-up ones are refused."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from market_data.models import PipelineRun, PipelineStep
from market_data.runs import claims, lifecycle, workers
from market_data.runs.reconnecting import DATABASE_LOST
from market_data.runs.saga import FenceLost

pytestmark = pytest.mark.django_db(transaction=True)
PAST, FUTURE = timedelta(minutes=-1), timedelta(minutes=1)


@pytest.fixture
def step() -> PipelineStep:
    run = PipelineRun.objects.create(id="drill_1", sequence=1, job="drill", provider_kind="real", status="running")
    return PipelineStep.objects.create(run=run, name="ONLY", order=0)


def held(step: PipelineStep, worker: str, lease: timedelta, attempts: int = 1) -> PipelineStep:
    """The step in the hands of a worker."""
    PipelineStep.objects.filter(pk=step.pk).update(
        status="running", worker=worker, lease_until=timezone.now() + lease, attempts=attempts, fence=attempts
    )
    return PipelineStep.objects.get(pk=step.pk)


@pytest.fixture
def other_process() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def test_a_workers_name_tells_whether_it_has_ended(other_process: "subprocess.Popen[bytes]") -> None:
    name = workers.identity_of(other_process.pid)
    assert workers.process_id(name) == other_process.pid
    assert not workers.has_ended(name)
    assert not workers.has_ended(workers.identity())
    other_process.kill()
    other_process.wait()
    assert workers.has_ended(name)


@pytest.mark.parametrize(
    "change", [lambda name: "elsewhere" + name, lambda name: name + "1", lambda _: "", lambda _: "x"]
)
def test_of_a_worker_elsewhere_nothing_is_known(change: object) -> None:
    gone = workers.identity().replace(f":{workers.process_id(workers.identity())}:", ":999999999:")
    assert workers.has_ended(gone)
    assert not workers.has_ended(change(gone))  # type: ignore[operator]


def test_a_process_id_used_again_is_another_worker() -> None:
    host, pid, start, namespace = workers.identity().split(":")
    assert workers.has_ended(f"{host}:{pid}:{int(start) - 100}:{namespace}")


def test_the_lease_of_a_dead_worker_is_not_waited_for(
    step: PipelineStep, other_process: "subprocess.Popen[bytes]"
) -> None:
    step = held(step, workers.identity_of(other_process.pid), FUTURE)
    assert not claims.claim(step, 3)
    other_process.kill()
    other_process.wait()
    assert claims.claim(step, 3)
    assert (step.attempts, step.fence, step.worker) == (2, 2, workers.identity())


def other_session() -> "psycopg.Connection[tuple[object, ...]]":
    facts = connection.get_connection_params()
    return psycopg.connect(**{name: facts[name] for name in ("dbname", "host", "user", "port") if name in facts})


def test_a_session_that_hangs_beyond_its_lease_is_ended_and_its_writes_are_gone(step: PipelineStep) -> None:
    step = held(step, "elsewhere:1:1:1", timedelta(seconds=0.3))
    with other_session() as hanging:
        hanging.execute("SELECT pg_advisory_xact_lock(%s, %s)", [claims._LOCK_CLASS, step.pk])
        hanging.execute("UPDATE pipeline_execution_tracking SET status = 'completed' WHERE id = %s", [step.pk])
        assert not claims.claim(step, 3)
        time.sleep(0.4)  # the lease runs out
        assert claims.claim(step, 3)
        with pytest.raises(psycopg.OperationalError):
            hanging.commit()
    step.refresh_from_db()
    assert (step.status, step.fence) == ("running", 2)


def test_a_session_that_hangs_while_it_creates_a_run_does_not_keep_others_from_it(settings: Settings) -> None:
    settings.STEP_LEASE_SECONDS = 1
    entered = threading.Event()
    woken: list[BaseException] = []

    def hang() -> None:
        try:
            with transaction.atomic():
                lifecycle.lock_run_creation()
                entered.set()
                time.sleep(3)  # beyond the lease
                PipelineRun.objects.exists()
        except DATABASE_LOST as error:  # what a woken worker tries again after
            woken.append(error)
        finally:
            connection.close()

    hanging = threading.Thread(target=hang)
    hanging.start()
    assert entered.wait(10)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '2500ms'")
    lifecycle.create_run("cleanup", None, triggered_by="test")
    connection.close()  # and with it that setting
    hanging.join()
    assert len(woken) == 1


def test_who_was_given_up_is_refused(step: PipelineStep) -> None:
    mine = held(step, "elsewhere:1:1:1", PAST, attempts=3)
    theirs = PipelineStep.objects.get(pk=step.pk)
    assert not claims.claim(theirs, 3)
    assert claims.give_up(theirs, 3)
    assert theirs.status == "errored"
    assert "3 times" in theirs.reason
    with pytest.raises(FenceLost):
        claims.verify_fence(mine)


def test_nobody_gives_up_a_step_under_a_living_lease(step: PipelineStep) -> None:
    step = held(step, workers.identity(), FUTURE, attempts=3)
    assert not claims.give_up(step, 3)
