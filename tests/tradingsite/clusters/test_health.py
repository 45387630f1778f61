"""The health check of a cluster's container: what counts as alive, and what happens to a stuck cluster."""

import json
import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from django_q.models import OrmQ

from market_data.models import Heartbeat, PipelineStep
from tests.runs import make_run
from tradingsite import settings
from tradingsite.clusters import health

HOST = socket.gethostname()


def beat(age: timedelta) -> None:
    """Store the cluster's last heartbeat, and a task that has waited for it for an hour."""
    now = datetime.now(UTC)
    Heartbeat.objects.create(cluster="data", finished_at=now - age, worker=f"{HOST}:1")
    OrmQ.objects.create(key="data", payload="x", lock=now - timedelta(hours=1))


def hold_step(worker: str, remaining: timedelta) -> None:
    make_run()
    step = PipelineStep.objects.filter(status="running")
    assert step.update(worker=worker, lease_until=datetime.now(UTC) + remaining) == 1


@pytest.fixture
def cluster(tmp_path: Path):
    """A process with a child, and the file with its process id, written ten minutes ago."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'], stdin=sys.stdin)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        file = tmp_path / "cluster.pid"
        file.write_text(f"{process.pid}\n")
        os.utime(file, (time.time() - 600,) * 2)
        family = psutil.Process(process.pid)
        while not family.children():
            time.sleep(0.01)
        yield file, [family, *family.children()]
        process.kill()


@pytest.mark.django_db(transaction=True)
def test_a_recent_heartbeat_is_healthy(capsys: pytest.CaptureFixture[str]):
    beat(timedelta(seconds=30))
    assert health.main(["data"]) == 0
    assert "last heartbeat 3" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_a_step_under_a_living_lease_is_healthy():
    beat(timedelta(hours=1))
    hold_step(f"{HOST}:77", timedelta(seconds=50))
    liveness = health.host_liveness("data", HOST)
    assert (liveness.is_alive, health.description(liveness)) == (True, "cluster data: at work on a step")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("worker", "seconds"), [(f"{HOST}:77", -1), ("elsewhere:77", 50)])
def test_an_expired_lease_or_one_of_another_host_does_not_count(worker: str, seconds: int):
    beat(timedelta(hours=1))
    hold_step(worker, timedelta(seconds=seconds))
    liveness = health.host_liveness("data", HOST)
    assert not liveness.is_alive
    assert health.description(liveness) == "cluster data: last heartbeat 3600 s ago, and it holds no step"


@pytest.mark.django_db(transaction=True)
def test_a_stuck_cluster_is_killed_with_its_children(cluster, capsys: pytest.CaptureFixture[str]):
    file, family = cluster
    beat(timedelta(minutes=10))
    assert health.main(["data", "--end", str(file)]) == 1
    assert "Killed process" not in capsys.readouterr().out, "the clock may have jumped"
    notes = file.with_suffix(".signs")
    noted = json.loads(notes.read_text())
    notes.write_text(json.dumps(noted | {"since": noted["since"] - settings.CLUSTER_STUCK_SECONDS}))
    assert health.main(["data", "--end", str(file)]) == 1
    assert "Killed process" in capsys.readouterr().out
    assert psutil.wait_procs(family, timeout=10)[1] == []


@pytest.mark.django_db(transaction=True)
def test_a_cluster_that_beats_again_after_the_clock_jumped_is_not_killed(cluster):
    file, family = cluster
    beat(timedelta(minutes=60))
    for age in (60, 59):
        Heartbeat.objects.update(finished_at=datetime.now(UTC) - timedelta(minutes=age))
        assert health.main(["data", "--end", str(file)]) == 1
        notes = file.with_suffix(".signs")
        noted = json.loads(notes.read_text())
        notes.write_text(json.dumps(noted | {"since": noted["since"] - settings.CLUSTER_STUCK_SECONDS}))
    Heartbeat.objects.update(finished_at=datetime.now(UTC))
    assert health.main(["data", "--end", str(file)]) == 0
    assert all(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family)


@pytest.mark.django_db(transaction=True)
def test_a_cluster_that_is_alive_or_has_just_started_is_not_killed(cluster, capsys: pytest.CaptureFixture[str]):
    file, family = cluster
    beat(timedelta(seconds=10))
    assert health.main(["data", "--end", str(file)]) == 0
    Heartbeat.objects.all().delete()
    os.utime(file)
    assert health.main(["data", "--end", str(file)]) == 1
    assert "no heartbeat yet" in capsys.readouterr().out
    assert all(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family)


def test_without_a_database_nothing_is_killed(
    cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    file, family = cluster
    secret = "long-and-secret"
    gone = {"NAME": "trading_system", "HOST": "127.0.0.1", "PORT": 1, "PASSWORD": secret}
    monkeypatch.setitem(settings.DATABASES, "default", gone)
    assert health.main(["data", "--end", str(file)]) == 1
    output = capsys.readouterr().out
    assert "cannot be queried" in output
    assert secret not in output
    assert all(process.is_running() for process in family)


def test_a_missing_file_ends_nothing(tmp_path: Path):
    assert "names no process" in health.end(tmp_path / "missing")
