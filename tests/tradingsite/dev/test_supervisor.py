"""The supervisor with real processes."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tradingsite.dev.supervisor import Child, Service
from tradingsite.embedded.files import remove_directory

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 300


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.2)


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Dev:
    """`./run.sh dev` with its files in a separate folder."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.port = free_port()
        overrides = {"VAR_DIR": str(place / "var"), "LOG_FILE": str(place / "logs" / "app.log"), "PORT": str(self.port)}
        inherited = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
        self.environment = inherited | overrides | {"IGNORE_DOTENV": "1"}
        self.log = place / "dev.log"
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(self.command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        self.started.append(process)
        eventually(lambda: self.serves() or process.poll() is not None, "the page")
        assert process.poll() is None, self.log.read_text()
        return process

    @property
    def command(self) -> list[str]:
        return [sys.executable, "manage.py", "dev", "--no-first-run"]

    def serves(self) -> bool:
        """Whether the last start serves, and not an orphan of an earlier one."""
        return self.log.read_text().count("serving http") == len(self.started) and self.answers()

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/admin/login/", timeout=20) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def processes(self) -> list[psutil.Process]:
        """Return every live process that works in this folder."""
        matches = []
        for process in psutil.process_iter():
            try:
                described = " ".join([*process.cmdline(), process.environ().get("VAR_DIR", "")])
                if str(self.place) in described and process.status() != psutil.STATUS_ZOMBIE:
                    matches.append(process)
            except psutil.Error:
                continue
        return matches

    def child(self, text: str) -> psutil.Process | None:
        for process in self.processes():
            try:
                if text in " ".join(process.cmdline()):
                    return process
            except psutil.Error:
                continue
        return None


@pytest.fixture
def dev(place: Path) -> Iterator[Dev]:
    place.mkdir()
    running = Dev(place)
    yield running
    for process in running.started:
        process.kill()
        process.wait()
    for leftover in running.processes():
        leftover.kill()
    remove_directory(place / "var")


@pytest.mark.long
def test_a_used_port_is_refused_in_a_sentence(dev: Dev):
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", dev.port))
        occupant.listen()
        refused = subprocess.run(
            dev.command, cwd=ROOT, env=dev.environment, capture_output=True, text=True, check=False
        )
    assert refused.returncode == 1
    assert f"Port {dev.port} cannot be used" in refused.stderr
    assert f"PORT={dev.port + 1} ./run.sh dev" in refused.stderr
    assert dev.processes() == []


def kill_and_await_again(dev: Dev, victim: str) -> None:
    eventually(lambda: dev.child(victim), victim)
    killed = dev.child(victim)
    assert killed is not None
    killed.kill()
    eventually(lambda: (again := dev.child(victim)) is not None and again.pid != killed.pid, f"{victim} again")
    eventually(dev.answers, "the page again")


@pytest.mark.crash
def test_it_serves_refuses_a_second_start_restarts_what_was_killed_and_leaves_nothing_behind(dev: Dev):
    supervisor = dev.start()
    eventually(lambda: all(map(dev.child, ("valkey-server", "postgres -D", "qcluster"))), "all services")

    second = subprocess.run(dev.command, cwd=ROOT, env=dev.environment, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"Already running in this checkout (process {supervisor.pid}): http://localhost:{dev.port}" in second.stderr

    for victim in ("gunicorn: master", "valkey-server", "postgres -D"):
        kill_and_await_again(dev, victim)
    # There are two clusters: the killed one may still be dying when everything is stopped.
    kill_and_await_again(dev, "qcluster MainProcess")

    supervisor.send_signal(signal.SIGINT)
    assert supervisor.wait(PATIENCE_SECONDS) == 0
    eventually(lambda: dev.processes() == [], "nothing to be left; the server's last processes end in their own time")
    log = dev.log.read_text()
    assert log.count("created the user admin with the password") == 1
    assert "stopped" in log


@pytest.mark.crash
def test_the_next_start_kills_the_leftovers_of_a_killed_supervisor(dev: Dev):
    killed = dev.start()
    eventually(lambda: dev.child("qcluster"), "clusters")
    killed.kill()
    killed.wait()
    leftovers = [process for process in dev.processes() if "postgres" not in process.name()]
    assert leftovers
    second = dev.start()
    assert not any(map(is_alive, leftovers))
    second.send_signal(signal.SIGTERM)
    second.wait(PATIENCE_SECONDS)
    assert dev.processes() == []


def test_a_child_that_keeps_ending_is_restarted_after_growing_pauses():
    child = Child(Service("failing", (sys.executable, "-c", "raise SystemExit(3)")))
    delays = []
    for _ in range(4):
        child.start()
        code = None
        while code is None:
            code = child.reap()
        assert code == 3
        delays.append(child.start_at - time.monotonic())
    assert delays == sorted(delays)
    assert delays[-1] > 4 * delays[0]


def test_the_whole_group_of_a_child_is_killed():
    grandchild = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    child = Child(Service("parent", (sys.executable, "-c", grandchild + "p.wait()")))
    child.start()
    assert child.process is not None
    parent = psutil.Process(child.process.pid)
    eventually(parent.children, "the grandchild")
    grandchildren = parent.children()
    child.kill_group()
    eventually(lambda: not any(map(is_alive, grandchildren)), "its end")
