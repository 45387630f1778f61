"""Claims: dead owners are not waited for, hung sessions are terminated, given-up workers are refused."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from market_data.models import PipelineRun, PipelineStep
from market_data.runs import claims, engine, interventions, lifecycle, workers
from market_data.runs.leases import LeaseKeeper
from market_data.runs.reconnecting import DATABASE_LOST
from market_data.runs.saga import FenceLost

pytestmark = pytest.mark.django_db(transaction=True)
PAST, FUTURE = timedelta(minutes=-1), timedelta(minutes=1)


@pytest.fixture
def step(settings: Settings) -> PipelineStep:
    settings.STEP_LEASE_SECONDS = 1  # an expired lease is watched for a part of it
    run = PipelineRun.objects.create(id="drill_1", sequence=1, job="drill", provider_kind="real", status="running")
    return PipelineStep.objects.create(run=run, name="ONLY", order=0)


def owned(step: PipelineStep, worker: str, lease: timedelta, attempts: int = 1) -> PipelineStep:
    PipelineStep.objects.filter(pk=step.pk).update(
        status="running",
        worker=worker,
        lease_until=timezone.now() + lease,
        attempts=attempts,
        fruitless_attempts=attempts,
        fence=attempts,
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
    gone = workers.identity().replace(f":{workers.process_id(workers.identity())}:", ":999999999:")  # never given
    assert workers.has_ended(gone)
    assert not workers.has_ended(change(gone))  # type: ignore[operator]


def test_a_reused_process_id_is_another_worker() -> None:
    host, pid, boot, start, namespace = workers.identity().split(":")
    assert workers.has_ended(f"{host}:{pid}:{boot}:{int(start) - 1}:{namespace}")


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_clock_that_jumps_ends_no_living_worker(
    seconds: int, other_process: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    identities = [workers.identity(), workers.identity_of(other_process.pid)]
    create_time, clock, boot_time = psutil.Process.create_time, time.time, psutil.boot_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: create_time(process) + seconds)
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_time() + seconds)
    monkeypatch.setattr(time, "time", lambda: clock() + seconds)
    assert [workers.identity(), workers.identity_of(other_process.pid)] == identities
    assert not any(map(workers.has_ended, identities))


@pytest.mark.parametrize(
    "worker",
    [
        "{host}:999999999:1764460000:4026531836",  # as the version before named it
        "{host}:999999999::1764460000:0",  # of a system without /proc
        "{host}:999999999:another-boot:12:{namespace}",
        "{host}:999999999:{boot}:12:1",
    ],
)
def test_a_name_that_proves_nothing_leaves_the_lease_to_decide(worker: str) -> None:
    host, _, boot, _, namespace = workers.identity().split(":")
    assert not workers.has_ended(worker.format(host=host, boot=boot, namespace=namespace))
    assert workers.has_ended(f"{host}:999999999:{boot}:12:{namespace}")


def test_a_program_named_with_blanks_and_parentheses_is_recognized(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b c"
    program.symlink_to(shutil.which("sleep") or "/bin/sleep")
    with subprocess.Popen([program, "600"]) as process:
        assert int(workers.identity_of(process.pid).split(":")[3]) > 1
        assert not workers.has_ended(workers.identity_of(process.pid))
        process.kill()


def test_without_proc_a_worker_has_a_name_and_the_lease_alone_decides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, other_process: "subprocess.Popen[bytes]"
) -> None:
    monkeypatch.setattr(workers, "_PROC", tmp_path)
    identity = workers.identity_of(other_process.pid)
    assert workers.process_id(identity) == other_process.pid
    other_process.kill()
    other_process.wait()
    assert not workers.has_ended(identity)


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


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(hours=1)])
def test_a_clock_that_jumps_takes_no_step_from_a_living_worker(step: PipelineStep, jump: timedelta) -> None:
    """The lease is as it stands right after the jump, and before the next renewal."""
    step = owned(step, "elsewhere:1:boot:1:1", -jump)
    with LeaseKeeper(step.pk, step.fence, 1, []):
        assert not claims.claim(step, 3)
    step.refresh_from_db()
    assert (step.worker, step.fence, step.attempts) == ("elsewhere:1:boot:1:1", 1, 1)


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(hours=1)])
def test_the_step_of_a_silent_worker_is_taken_over_however_the_clock_jumped(
    step: PipelineStep, jump: timedelta
) -> None:
    assert claims.claim(owned(step, "elsewhere:1:boot:1:1", -jump), 3)


def test_a_pythons_clock_takes_no_part_in_leases(step: PipelineStep, monkeypatch: pytest.MonkeyPatch) -> None:
    assert claims.claim(step, 3)
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(hours=1))
    assert engine.is_leased(step.run)
    with LeaseKeeper(step.pk, step.fence, 60, []) as keeper:
        while PipelineStep.objects.get(pk=step.pk).lease_until == step.lease_until:
            time.sleep(0.02)
    assert not keeper.lost
    lease_until = PipelineStep.objects.get(pk=step.pk).lease_until
    assert lease_until is not None
    assert lease_until < now + timedelta(minutes=10)


@pytest.mark.parametrize("status", ["cancelled", "failed", "rolled_back"])
def test_a_step_of_a_run_that_is_not_at_work_is_not_claimed(step: PipelineStep, status: str) -> None:
    PipelineRun.objects.update(status=status)
    assert not claims.claim(step, 3)


def test_a_claim_decided_on_before_a_cancel_and_a_resume_does_not_hold(step: PipelineStep) -> None:
    read_before = PipelineStep.objects.get(pk=step.pk)
    interventions.cancel(step.run_id, "asha")
    interventions.resume(step.run_id, "asha")
    assert not claims.claim(read_before, 3)
    assert claims.claim(PipelineStep.objects.get(pk=step.pk), 3)


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
