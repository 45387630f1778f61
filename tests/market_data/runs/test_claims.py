"""Claims: dead owners are not waited for, hung sessions are terminated, given-up workers are refused."""

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


def owned(step: PipelineStep, worker: str, lease: timedelta, attempts: int = 1) -> PipelineStep:
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


def test_a_workers_identity_tells_whether_it_has_ended(other_process: "subprocess.Popen[bytes]") -> None:
    identity = workers.identity_of(other_process.pid)
    assert workers.process_id(identity) == other_process.pid
    assert not workers.has_ended(identity)
    assert not workers.has_ended(workers.identity())
    other_process.kill()
    other_process.wait()
    assert workers.has_ended(identity)


@pytest.mark.parametrize(
    "change", [lambda identity: "elsewhere" + identity, lambda identity: identity + "1", lambda _: "", lambda _: "x"]
)
def test_a_worker_of_another_host_is_never_known_to_have_ended(change: object) -> None:
    gone = workers.identity().replace(f":{workers.process_id(workers.identity())}:", ":999999999:")
    assert workers.has_ended(gone)
    assert not workers.has_ended(change(gone))  # type: ignore[operator]


def test_a_reused_process_id_is_another_worker() -> None:
    host, pid, start, namespace = workers.identity().split(":")
    assert workers.has_ended(f"{host}:{pid}:{int(start) - 100}:{namespace}")


def test_the_lease_of_a_dead_worker_is_not_waited_for(
    step: PipelineStep, other_process: "subprocess.Popen[bytes]"
) -> None:
    step = owned(step, workers.identity_of(other_process.pid), FUTURE)
    assert not claims.claim(step, 3)
    other_process.kill()
    other_process.wait()
    assert claims.claim(step, 3)
    assert (step.attempts, step.fence, step.worker) == (2, 2, workers.identity())


def other_session() -> "psycopg.Connection[tuple[object, ...]]":
    parameters = connection.get_connection_params()
    names = ("dbname", "host", "user", "port")
    return psycopg.connect(**{name: parameters[name] for name in names if name in parameters})


def test_a_session_that_hangs_beyond_its_lease_is_terminated_and_its_writes_are_lost(step: PipelineStep) -> None:
    step = owned(step, "elsewhere:1:1:1", timedelta(seconds=0.3))
    with other_session() as hanging:
        hanging.execute("SELECT pg_advisory_xact_lock(%s, %s)", [claims._LOCK_CLASS, step.pk])
        hanging.execute("UPDATE pipeline_execution_tracking SET status = 'completed' WHERE id = %s", [step.pk])
        assert not claims.claim(step, 3)
        time.sleep(0.4)  # the lease expires
        assert claims.claim(step, 3)
        with pytest.raises(psycopg.OperationalError):
            hanging.commit()
    step.refresh_from_db()
    assert (step.status, step.fence) == ("running", 2)


def test_a_session_that_hangs_while_creating_a_run_does_not_block_others(settings: Settings) -> None:
    settings.STEP_LEASE_SECONDS = 1
    entered = threading.Event()
    errors: list[BaseException] = []

    def hang() -> None:
        try:
            with transaction.atomic():
                lifecycle.lock_run_creation()
                entered.set()
                time.sleep(3)  # beyond the lease
                PipelineRun.objects.exists()
        except DATABASE_LOST as error:  # a woken worker would retry
            errors.append(error)
        finally:
            connection.close()

    hanging = threading.Thread(target=hang)
    hanging.start()
    assert entered.wait(10)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '2500ms'")
    lifecycle.create_run("cleanup", None, triggered_by="test")
    connection.close()  # discards the setting as well
    hanging.join()
    assert len(errors) == 1


def test_a_worker_whose_step_was_taken_over_is_refused(step: PipelineStep) -> None:
    mine = owned(step, "elsewhere:1:1:1", PAST)
    current = PipelineStep.objects.get(pk=step.pk)
    assert claims.claim(current, 3)
    with transaction.atomic():
        claims.verify_fence(current)
    with pytest.raises(FenceLost), transaction.atomic():
        claims.verify_fence(mine)


def test_a_worker_that_was_given_up_is_refused(step: PipelineStep) -> None:
    mine = owned(step, "elsewhere:1:1:1", PAST, attempts=3)
    current = PipelineStep.objects.get(pk=step.pk)
    assert not claims.claim(current, 3)
    assert claims.give_up(current, 3)
    assert current.status == "errored"
    assert "3 times" in current.reason
    with pytest.raises(FenceLost):
        claims.verify_fence(mine)


def test_a_step_under_a_living_lease_is_not_given_up(step: PipelineStep) -> None:
    step = owned(step, workers.identity(), FUTURE, attempts=3)
    assert not claims.give_up(step, 3)
