"""Keeps the processes of `./run.sh dev` alive, and stops them all.

Why not an existing supervisor: they signal whole process groups, which cuts off a queue cluster's running task and
leaves the cluster hanging, and none notices a cluster that lives but makes no progress. Here each child leads a session
of its own and is stopped by a SIGTERM to its main process alone; its whole group is killed only after a grace period.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from tradingsite.alerts.conditions import stuck_cluster
from tradingsite.alerts.troubles import record_symptoms
from tradingsite.clusters.liveness import STUCK_AFTER, SilenceWatch
from tradingsite.clusters.progress import process_group, process_group_liveness, release_prefetched
from tradingsite.dev.single_start import await_end
from tradingsite.embedded.files import EmbeddedServerError
from tradingsite.embedded.servers import EmbeddedServers

_CHECK_PROGRESS_SECONDS = min(15.0, settings.CLUSTER_STUCK_SECONDS / 4)
_GRACE_SECONDS = 20.0
_LONGEST_BACK_OFF_SECONDS = 60.0
_REVIVE_AGAIN_SECONDS = 10.0


@dataclass(frozen=True)
class Service:
    """A program to keep running."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)  # variables besides the inherited ones
    reload_signal: signal.Signals | None = None  # makes the main process load changed sources; None leaves it alone
    stop_signal: signal.Signals = signal.SIGTERM  # makes the main process end in good order
    cluster: str | None = None  # the queue cluster it is, if any; watched for progress
    log: Path | None = None  # where its output goes; None is the terminal
    runs_once: bool = False  # it ends by itself and is not restarted
    completed: str = ""  # said when that ended well
    failed: str = ""  # said when it did not


class Child:
    """One running (or waiting to run) instance of a service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.process: subprocess.Popen[bytes] | None = None
        self.start_at = 0.0  # on the monotonic clock
        self._started = 0.0
        self._quick_ends = 0
        self._reloading = False
        self.silence = SilenceWatch()

    def start(self) -> None:
        """Start the program in a session of its own.

        Error when the database is out of reach, where a cluster's prefetched tasks must be released first.
        """
        if self.service.cluster is not None:
            release_prefetched(self.service.cluster)
        output = self.service.log.open("ab") if self.service.log else None
        # Process titles must not overwrite the environment in /proc, from which leftovers are recognized.
        environment = os.environ | self.service.environment | {"SPT_NOENV": "1"}
        try:
            self.process = subprocess.Popen(
                self.service.command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output and subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            if output:
                output.close()
        self._started = time.monotonic()

    def postpone(self) -> None:
        """Schedule the next attempt to start, after a growing pause."""
        self._quick_ends += 1
        self._schedule_start()

    def reap(self) -> int | None:
        """Return the exit code if the program has ended, and schedule the next start."""
        if self.process is None or self.process.poll() is None:
            return None
        code = self.process.returncode
        self.kill_group()
        long_lived = self.age_seconds > _LONGEST_BACK_OFF_SECONDS
        self._quick_ends = 0 if self._reloading or long_lived else self._quick_ends + 1
        self._schedule_start()
        if self._reloading:
            self.start_at = time.monotonic()
        self._reloading = False
        self.process = None
        return code

    def _schedule_start(self) -> None:
        doublings = min(self._quick_ends, 10)  # a day of failures must not overflow a float
        self.start_at = time.monotonic() + min(_LONGEST_BACK_OFF_SECONDS, 2.0**doublings)

    @property
    def age_seconds(self) -> float:
        return time.monotonic() - self._started

    def send(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def reload(self) -> None:
        """Load changed sources by signal or by restart; a child that waits after an error starts at once."""
        self.start_at = 0.0
        if self.service.reload_signal is not None:
            self._reloading = self.service.reload_signal == signal.SIGTERM
            self.send(self.service.reload_signal)

    def kill_group(self) -> None:
        """Kill the program and everything it started; return once they have released what they held."""
        if self.process is not None:
            members = [process for process in psutil.process_iter() if process_group(process.pid) == self.process.pid]
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            # A process that is still dying holds its lock on the embedded PostgreSQL, which then would not be stopped.
            await_end(members)


class Supervisor:
    """Runs services until a signal stops it: restarts them and the servers that end, reloads them if sources change."""

    def __init__(
        self, services: Sequence[Service], servers: EmbeddedServers, say: Callable[[str], None], sources: Sequence[Path]
    ) -> None:
        self._children = [Child(service) for service in services]
        self._servers = servers
        self._say = say
        self._sources = sources
        self._stop = threading.Event()
        self._changed = threading.Event()
        self._revive_at = 0.0  # on the monotonic clock

    def run(self) -> None:
        """Start everything; return after a signal, once everything has ended."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self._stop.set())
        watcher = threading.Thread(target=self._watch_sources, name="sources", daemon=True)
        watcher.start()
        check_progress_at = time.monotonic()
        try:
            while not self._stop.wait(0.2):
                self._tend_children()
                if time.monotonic() >= check_progress_at:
                    check_progress_at = time.monotonic() + _CHECK_PROGRESS_SECONDS
                    self._tend_clusters()
        finally:
            self._stop.set()
            self._stop_all()
            watcher.join()

    def _tend_children(self) -> None:
        self._tend_servers()
        if self._changed.is_set():
            self._changed.clear()
            self._say("sources changed: reloading")
            for child in self._children:
                child.reload()
        for child in list(self._children):
            code = child.reap()
            if code is not None:
                self._report_end(child, code)
            elif child.process is None and time.monotonic() >= child.start_at:
                self._start(child)

    def _tend_servers(self) -> None:
        if time.monotonic() < self._revive_at:
            return
        try:
            for name in self._servers.revive():
                self._say(f"{name} had ended and was restarted")
        except EmbeddedServerError as error:
            # For example on a full disk: the rest goes on, and there may be space again soon.
            self._revive_at = time.monotonic() + _REVIVE_AGAIN_SECONDS
            self._say(f"{error}\nTrying again in {_REVIVE_AGAIN_SECONDS:.0f} s")

    def _start(self, child: Child) -> None:
        try:
            child.start()
        except (Error, OSError) as error:
            child.postpone()
            self._say(f"{child.service.name} cannot be started now; trying again: {str(error).strip()}")

    def _report_end(self, child: Child, code: int) -> None:
        service = child.service
        output = f"; its output is in {service.log}" if service.log else ""
        if service.runs_once:
            self._children.remove(child)
            outcome = f"is complete{service.completed}" if code == 0 else f"failed with code {code}{service.failed}"
            self._say(f"{service.name} {outcome}{output if code else ''}")
        elif child.start_at > time.monotonic():  # a reload starts it at once, and is no news
            self._say(f"{service.name} ended with code {code} and is being restarted{output}")

    def _tend_clusters(self) -> None:
        for child in self._children:
            cluster = child.service.cluster
            if cluster is None or child.process is None:
                continue
            try:
                liveness = process_group_liveness(cluster, child.process.pid)
                is_silent = child.silence.is_silent(liveness, time.monotonic())
                is_stuck = liveness.is_stuck and is_silent and child.age_seconds >= STUCK_AFTER.total_seconds()
                if is_stuck:  # the clusters deliver it, this one too once it is back
                    record_symptoms([stuck_cluster(liveness)], timezone.now())
            except Error:
                continue  # the database is being restarted; the next check finds it
            finally:
                connection.close()  # a restart of the database would break an open one
            if is_stuck:
                self._say(f"{child.service.name} has made no progress {liveness.silence_words}: restarting it")
                child.kill_group()

    def _watch_sources(self) -> None:
        from watchfiles import PythonFilter, watch

        source_filter = PythonFilter(extra_extensions=(".html", ".yaml", ".toml"))
        for _changes in watch(*self._sources, watch_filter=source_filter, stop_event=self._stop, raise_interrupt=False):
            self._changed.set()

    def _stop_all(self) -> None:
        self._say("stopping (press Ctrl-C again to skip waiting for running tasks)")
        hurry = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: hurry.set())
        running = [child for child in self._children if child.process is not None]
        for child in running:
            child.send(child.service.stop_signal)
        deadline = time.monotonic() + _GRACE_SECONDS
        while any(child.process and child.process.poll() is None for child in running):
            if hurry.wait(0.1) or time.monotonic() > deadline:
                break
        for child in running:
            child.kill_group()
