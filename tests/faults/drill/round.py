"""One round: a fresh evening, a fault, the end of every run, and the comparison with an undisturbed evening."""

import faulthandler
import json
import logging
import math
import os
import random
import resource
import select
import signal
import time
from collections import Counter as Tally
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django_q.models import OrmQ

from market_data import tasks
from market_data.models import PipelineRun
from market_data.runs import lifecycle
from market_data.runs.prerequisites import describe_all, missing_prerequisites
from market_data.runs.saga import AlreadyRunning
from tests.faults.drill import market, worker
from tests.faults.drill.faults import Fault, kill
from tests.faults.drill.injection import Counter, Injection
from tests.faults.drill.small_disk import TABLESPACE, SmallDisk
from tradingsite.embedded.servers import EmbeddedPostgres

TIMEOUT_SECONDS = 300.0
_RETRY_SECONDS = 0.25


@dataclass(frozen=True)
class Outcome:
    """Result of a round: its fault, whether it struck, seconds until work continued, and the differences it left."""

    number: int
    kind: str
    struck: bool
    recovery_seconds: float | None
    seconds: float
    differences: tuple[str, ...]


@dataclass
class Arena:
    """What all rounds share: server, folders, a disk to fill, and a connection to the server's own database."""

    postgres: EmbeddedPostgres
    folder: Path
    address: str
    disk: SmallDisk | None = None
    server: psycopg.Connection[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.reconnect()

    def reconnect(self) -> None:
        self.server = psycopg.connect(self.address, autocommit=True)

    def crash_postgres(self) -> None:
        """Stop the server at once, as in a crash, and start it again."""
        pid = int((self.postgres.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        while self.postgres.is_running():
            time.sleep(0.01)
        self.postgres.acquire()
        self.reconnect()


class Round:
    """Plays one evening in the connected database under a fault; `pace` is that of its workers.

    Parameters
    ----------
    arena : Arena
        The server and the folders.
    fault : Fault
        What strikes.
    jobs : int
        Number of planned jobs of the evening.
    """

    pace = 1.0

    def __init__(self, arena: Arena, fault: Fault, jobs: int) -> None:
        self._arena, self._fault, self._jobs = arena, fault, jobs
        self._workers: set[int] = set()
        self._stopped: set[int] = set()
        self._events: list[dict[str, Any]] = []
        self._read, self._write = os.pipe()
        self._started_at = 0.0
        self._free_space_at = self._retry_at = math.inf
        self.struck_at: float | None = None
        self.ended_at = 0.0

    def play(self) -> None:
        """Start the workers, let the fault strike, replace workers that die, and return when all runs have ended."""
        settings.EXPORT_DIR = market.empty_folder(self._arena.folder / "exports")
        self._prepare()
        market.close_connection()
        self._started_at = time.monotonic()
        for number in range(self._fault.workers):
            # The first worker of a cluster that reaches the place takes the others with it.
            is_struck = number == 0 or self._fault.strike == "kill_all"
            self._start_worker(self._fault.injection if is_struck else Injection(), limit=self._fault.file_limit)
        self._start_others()
        try:
            self._watch_workers()
        finally:
            for pid in (*self._workers, *self._stopped):
                kill(pid)
                os.waitpid(pid, 0)
            self._read_events()
            os.close(self._read)
            os.close(self._write)

    # --- what another kind of round replaces
    def _prepare(self) -> None:
        """Change the database before the workers start."""
        queued = list(OrmQ.objects.all())
        for _ in range(self._fault.copies - 1):
            OrmQ.objects.bulk_create(OrmQ(key=task.key, payload=task.payload, lock=task.lock) for task in queued)

    def _start_others(self) -> None:
        """Start who acts beside the workers."""
        for _ in range(self._fault.triggers):
            self._workers.add(worker.fork(_trigger_pipeline))

    def _is_over(self) -> bool:
        """Whether a worker may end; asked in its process."""
        return worker.have_ended(self._jobs)

    # --- watching
    def _watch_workers(self) -> None:
        strike_at = None if self._fault.at is None else self._started_at + self._fault.at
        while self._workers or self._stopped:
            if time.monotonic() > self._started_at + TIMEOUT_SECONDS:
                self._dump_stacks()
                raise TimeoutError(f"the evening did not end within {TIMEOUT_SECONDS:.0f} s: {_run_statuses()}")
            self._read_events(0.01)
            if strike_at is not None and time.monotonic() >= strike_at:
                strike_at = None
                self.struck_at = time.monotonic()
                getattr(self, self._fault.strike)()
            if time.monotonic() >= self._free_space_at:
                self._free_space()
            if time.monotonic() >= self._retry_at:
                self._retry_failed_runs()
            self._reap_workers()
            if not self._workers:
                self.ended_at = self.ended_at or time.monotonic()
                self._continue_stopped()
                if not self._stopped and (self._fault.file_limit or self._fault.room_after):
                    self._free_space()
                    self._retry_failed_runs()

    def _dump_stacks(self) -> None:
        """Make the remaining workers write their stacks to standard error."""
        for pid in (*self._workers, *self._stopped):
            os.kill(pid, signal.SIGUSR1)
        time.sleep(1)

    def _reap_workers(self) -> None:
        """Remove workers that ended, and replace those that were killed or stopped."""
        for pid in [*self._workers, *self._stopped]:
            ended, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
            if not ended:
                continue
            if os.WIFSTOPPED(status):
                self.struck_at = time.monotonic()
                self._workers.discard(pid)
                self._stopped.add(pid)
                self._start_worker()
                continue
            was_stopped = pid in self._stopped
            self._workers.discard(pid)
            self._stopped.discard(pid)
            if os.WIFSIGNALED(status) and not was_stopped:
                if self.struck_at is None:
                    self.struck_at = time.monotonic()
                    if self._fault.strike == "kill_all":  # the whole cluster goes with its worker
                        self.kill_all()
                self._start_worker()
            elif os.WIFEXITED(status) and os.WEXITSTATUS(status):
                raise RuntimeError(f"worker {pid} ended with {os.WEXITSTATUS(status)}; see the drill's log")

    def _continue_stopped(self) -> None:
        for pid in self._stopped:
            os.kill(pid, signal.SIGCONT)

    def _retry_failed_runs(self) -> None:
        """Retry runs that failed on a full disk, as an operator would."""
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        for run in list(PipelineRun.objects.filter(status=PipelineRun.Status.FAILED)):
            tasks.deliver(lifecycle.retry_failed(run.id, "drill")[0])
        # A retry may have been delivered while the last worker was exiting.
        is_unfinished = PipelineRun.objects.filter(status__in=PipelineRun.ACTIVE).exists()
        market.close_connection()
        if is_unfinished and not self._workers:
            self.struck_at, self.ended_at = self.struck_at or time.monotonic(), 0.0
            self._start_worker()

    def _free_space(self) -> None:
        self._free_space_at = math.inf
        if self._arena.disk is not None:
            self._arena.disk.free_space()
        self._retry_at = time.monotonic()

    # --- strikes from outside, by the name in `Fault.strike`
    def kill_one(self) -> None:
        for pid in sorted(self._workers)[:1]:
            kill(pid)

    def kill_all(self) -> None:
        for pid in self._workers:
            kill(pid)

    def end_sessions(self) -> None:
        """Terminate every session of the round's database."""
        self._arena.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [market.DATABASE]
        )

    def crash_postgres(self) -> None:
        self._arena.crash_postgres()

    def fill_disk(self) -> None:
        """Fill the database's disk, for a while."""
        if self._arena.disk is None:
            self.struck_at = None
            return
        self._arena.disk.fill()
        self._free_space_at = time.monotonic() + self._fault.room_after

    # --- workers
    def _start_worker(self, injection: Injection | None = None, *, limit: int = 0) -> None:
        self._workers.add(worker.fork(lambda: self._work(injection or Injection(), limit)))

    def _work(self, injection: Injection, limit: int) -> None:
        faulthandler.register(signal.SIGUSR1)
        logging.raiseExceptions = False  # the log cannot be written to a full disk either
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        counter = Counter(injection, self._write)
        counter.install()
        worker.work_until(self._is_over, pace=self.pace)
        counter.report(statements=counter.statements, copies=counter.copies)

    def _read_events(self, seconds: float = 0.0) -> None:
        while select.select([self._read], [], [], seconds)[0]:
            lines = os.read(self._read, 65536).decode().splitlines()
            self._events += [json.loads(line) for line in lines]
            seconds = 0.0

    # --- results
    @property
    def seconds(self) -> float:
        """Seconds until the last worker had ended."""
        return self.ended_at - self._started_at

    def total(self, counter: str) -> int:
        """Statements or COPY blocks of the workers that ended by themselves."""
        return sum(int(event.get(counter, 0)) for event in self._events)

    def recovery_seconds(self) -> float | None:
        """Seconds from the fault until the step it hit was claimed again, or until the end if it had committed."""
        if self.struck_at is None:
            return None
        claims = [event for event in self._events if "claimed" in event]
        hit_step = [event["claimed"] for event in claims if event["at"] <= self.struck_at][-1:]
        later = [event for event in claims if event["at"] > self.struck_at]
        reclaimed = [event["at"] for event in later if event["claimed"] in hit_step] or [event["at"] for event in later]
        return float(min(reclaimed, default=max(self.ended_at, self.struck_at)) - self.struck_at)


def _run_statuses() -> str:
    """Status of every run, to explain why an evening does not end."""
    return "; ".join(
        f"{run.id} {run.status} {run.reason} {describe_all(missing_prerequisites(run.waits_for, run.session))}"
        for run in PipelineRun.objects.all()
    )


def _trigger_pipeline() -> None:
    _, evening = market.eve_and_evening()
    with suppress(AlreadyRunning):
        tasks.trigger("pipeline", triggered_by="drill", session=evening)


def play_round(arena: Arena, number: int, fault: Fault, template: str, jobs: int, expected: market.State) -> Outcome:
    """Play a round in a recreated database and compare what it left with the expected state."""
    started_at = time.monotonic()
    is_small = fault.room_after and arena.disk is not None
    market.recreate_database(arena.server, template, tablespace=TABLESPACE if is_small else "pg_default")
    round_ = Round(arena, fault, jobs)
    try:
        round_.play()
        differences = market.state(settings.EXPORT_DIR).differences(expected)
    except (TimeoutError, RuntimeError) as error:
        differences = [str(error)]
    finally:
        market.close_connection()
    struck = round_.struck_at is not None or fault.copies > 1 or fault.triggers > 0
    if fault.injection.step and not struck:
        differences = [*differences, "the fault never struck"]
    return Outcome(
        number, fault.kind, struck, round_.recovery_seconds(), time.monotonic() - started_at, tuple(differences)
    )


def tally(outcomes: Sequence[Outcome]) -> dict[str, tuple[int, int]]:
    """Rounds in which each kind of fault was drawn, and rounds in which it struck."""
    drawn = Tally(outcome.kind for outcome in outcomes)
    struck = Tally(outcome.kind for outcome in outcomes if outcome.struck)
    return {kind: (drawn[kind], struck[kind]) for kind in sorted(drawn)}


def rng_of_round(seed: int, number: int) -> random.Random:
    """A round's own random numbers, so that it can be repeated alone."""
    return random.Random(f"{seed}/{number}")
