"""Real clusters under a real supervisor: a frozen one is freed, and a run outlives the kill of everything."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.tradingsite.dev.test_supervisor import Dev
from tradingsite.embedded.files import remove_directory
from tradingsite.embedded.servers import DATABASE_NAMES, EmbeddedPostgres

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1500)]
STUCK_SECONDS = 45
PATIENCE_SECONDS = 600


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.2)


@pytest.fixture
def dev() -> Iterator[Dev]:
    with tempfile.TemporaryDirectory(prefix="nse-servers-", ignore_cleanup_errors=True) as directory:
        place = Path(directory) / "servers"
        place.mkdir()
        running = Dev(place)
        running.environment |= {
            "CLUSTER_STUCK_SECONDS": str(STUCK_SECONDS),
            "SIMULATOR_SYMBOLS": "30",
            "SIMULATOR_SESSIONS": "60",
        }
        yield running
        for process in running.started:
            process.kill()
            process.wait()
        for leftover in running.processes():
            leftover.kill()
        remove_directory(place / "var")


def database(dev: Dev) -> "psycopg.Connection[tuple[object, ...]]":
    url = EmbeddedPostgres(dev.place / "var").url(DATABASE_NAMES["simulated"])
    return psycopg.connect(url, autocommit=True)


def idle_workers(dev: Dev, cluster: str) -> list[psutil.Process]:
    """Workers of a cluster that wait for a task."""
    processes = []
    for process in dev.processes():
        try:
            title = " ".join(process.cmdline()).rstrip()
            if title.endswith(" idle") and process.environ().get("Q_CLUSTER_NAME") == cluster:
                processes.append(process)
        except psutil.Error:
            continue
    return processes


def test_a_cluster_frozen_by_the_kill_of_its_idle_worker_is_freed(dev: Dev) -> None:
    dev.start()
    eventually(lambda: idle_workers(dev, "ml"), "an idle worker")
    time.sleep(1)  # it waits for the queue's lock, which dies with it
    killed_at = time.time()
    for worker in idle_workers(dev, "ml"):
        worker.kill()
    restarting = "cluster ml has made no progress"
    eventually(lambda: restarting in dev.log.read_text(), "the watchdog")
    noticed_after = time.time() - killed_at
    with database(dev) as tables:
        beat = "SELECT 1 FROM heartbeats WHERE cluster = 'ml' AND finished_at > to_timestamp(%s)"
        eventually(
            lambda: tables.execute(beat, [killed_at + noticed_after]).fetchone(), "the freed cluster's heartbeat"
        )
        assert tables.execute("SELECT count(*) FROM troubles WHERE key = 'clusters:ml'").fetchone() == (1,)
    # A heartbeat is planned each minute and looked for each half: so much later it is overdue by the threshold.
    assert noticed_after > STUCK_SECONDS


def test_a_run_outlives_the_kill_of_its_supervisor_in_the_middle_of_a_step(dev: Dev) -> None:
    killed = dev.start()
    with database(dev) as tables, database(dev) as watching:
        trigger = "from market_data import tasks; tasks.trigger('pipeline', triggered_by='test')"
        subprocess.run(
            [sys.executable, "manage.py", "shell", "-c", trigger],
            cwd=Path(__file__).parent.parent.parent,
            env=os.environ | dev.environment,
            check=True,
            capture_output=True,
        )
        tables.autocommit = False
        tables.execute("LOCK TABLE pipeline_runs IN SHARE MODE")  # no step can commit now
        blocked = (
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE \"pipeline_runs\"%'"
        )
        eventually(lambda: watching.execute(blocked).fetchone(), "a step that is about to commit")
        killed.kill()
        killed.wait()
        dev.started.clear()
        dev.log.write_text("")
        tables.rollback()
    second = dev.start()
    with database(dev) as tables:
        ended = "SELECT status FROM pipeline_runs WHERE job = 'pipeline' AND ended_at IS NOT NULL"
        eventually(lambda: tables.execute(ended).fetchone(), "the end of the run")
        assert tables.execute(ended).fetchone() == ("completed",)
        assert tables.execute("SELECT count(*) FROM pipeline_runs").fetchone() == (1,)
    assert second.poll() is None
