"""One round: a fresh evening, a fault, the end of every run, and the comparison with an evening left in peace."""

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
from market_data.runs.saga import AlreadyRunning
from tradingsite.drill import consumer, market
from tradingsite.drill.faults import Fault, kill
from tradingsite.drill.injection import Counter, Injection
from tradingsite.drill.small_disk import TABLESPACE, SmallDisk
from tradingsite.embedded.servers import EmbeddedPostgres

PATIENCE_SECONDS = 300.0
_LOOK_AGAIN_SECONDS = 0.25


@dataclass(frozen=True)
class Outcome:
    """What became of a round: its fault, whether it struck, seconds until work went on, and what was different."""

    number: int
    kind: str
    struck: bool
    recovery_seconds: float | None
    seconds: float
    differences: tuple[str, ...]


@dataclass
class Ground:
    """What all rounds stand on: server, folders, a disk to fill, and a connection to the server's own database."""

    postgres: EmbeddedPostgres
    folder: Path
    address: str
    disk: SmallDisk | None = None
    server: psycopg.Connection[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.reconnect()

    def reconnect(self) -> None:
        """Connect to the server anew."""
        self.server = psycopg.connect(self.address, autocommit=True)

    def crash_postgres(self) -> None:
        """Let the server end at once, as in a crash, and start it again."""
        pid = int((self.postgres.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        while self.postgres.is_running():
            time.sleep(0.01)
        self.postgres.hold()
        self.reconnect()


class Round:
    """Plays one evening in the connected database under a fault.

    Parameters
    ----------
    ground : Ground
        The server and the folders.
    fault : Fault
        What strikes.
    jobs : int
        How many planned jobs the evening has.
    """

    def __init__(self, ground: Ground, fault: Fault, jobs: int) -> None:
        self._ground, self._fault, self._jobs = ground, fault, jobs
        self._workers: set[int] = set()
        self._stopped: set[int] = set()
        self._events: list[dict[str, Any]] = []
        self._read, self._write = os.pipe()
        self._begun = 0.0
        self._room_at = self._look_again_at = math.inf
        self.struck_at: float | None = None
        self.ended_at = 0.0

    def play(self) -> None:
        """Start the workers, let the fault strike, replace who dies, and return when all have ended in peace."""
        settings.EXPORT_DIR = market.fresh_folder(self._ground.folder / "exports")
        self._multiply_tasks()
        market.forget_connection()
        self._begun = time.monotonic()
        for number in range(self._fault.workers):
            # Whoever of a cluster comes to the place takes the others with it.
            is_struck = number == 0 or self._fault.strike == "kill_all"
            self._start(self._fault.injection if is_struck else Injection(), limit=self._fault.file_limit)
        for _ in range(self._fault.triggers):
            self._workers.add(consumer.forked(_press_the_button))
        try:
            self._attend()
        finally:
            for pid in (*self._workers, *self._stopped):
                kill(pid)
                os.waitpid(pid, 0)
            self._read_events()
            os.close(self._read)
            os.close(self._write)

    def _attend(self) -> None:
        strike_at = None if self._fault.at is None else self._begun + self._fault.at
        while self._workers or self._stopped:
            if time.monotonic() > self._begun + PATIENCE_SECONDS:
                self._tell_where_they_are()
                raise TimeoutError(f"the evening did not end within {PATIENCE_SECONDS:.0f} s: {_standing()}")
            self._read_events(0.01)
            if strike_at is not None and time.monotonic() >= strike_at:
                strike_at = None
                self.struck_at = time.monotonic()
                getattr(self, self._fault.strike)()
            if time.monotonic() >= self._room_at:
                self._make_room()
            if time.monotonic() >= self._look_again_at:
                self._ask_again()
            self._collect()
            if not self._workers:
                self.ended_at = self.ended_at or time.monotonic()
                self._wake()
                if not self._stopped and (self._fault.file_limit or self._fault.room_after):
                    self._make_room()
                    self._ask_again()

    def _tell_where_they_are(self) -> None:
        """Have who still works write its stack to the standard error."""
        for pid in (*self._workers, *self._stopped):
            os.kill(pid, signal.SIGUSR1)
        time.sleep(1)

    def _collect(self) -> None:
        """Note who ended, and replace who was killed or stopped."""
        for pid in [*self._workers, *self._stopped]:
            ended, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
            if not ended:
                continue
            if os.WIFSTOPPED(status):
                self.struck_at = time.monotonic()
                self._workers.discard(pid)
                self._stopped.add(pid)
                self._start()
                continue
            was_stopped = pid in self._stopped
            self._workers.discard(pid)
            self._stopped.discard(pid)
            if os.WIFSIGNALED(status) and not was_stopped:
                if self.struck_at is None:
                    self.struck_at = time.monotonic()
                    if self._fault.strike == "kill_all":  # the whole cluster falls with its worker
                        self.kill_all()
                self._start()
            elif os.WIFEXITED(status) and os.WEXITSTATUS(status):
                raise RuntimeError(f"worker {pid} ended with {os.WEXITSTATUS(status)}; see the drill's log")

    def _wake(self) -> None:
        for pid in self._stopped:
            os.kill(pid, signal.SIGCONT)

    def _ask_again(self) -> None:
        """What failed for want of room is asked for again once there is some, as a person does."""
        self._look_again_at = time.monotonic() + _LOOK_AGAIN_SECONDS
        for run in list(PipelineRun.objects.filter(status=PipelineRun.Status.FAILED)):
            tasks.deliver(lifecycle.retry_failed(run.id, "drill")[0])
        # Also of what was asked for while the last worker was about to leave.
        is_unfinished = PipelineRun.objects.filter(status__in=PipelineRun.ACTIVE).exists()
        market.forget_connection()
        if is_unfinished and not self._workers:
            self.struck_at, self.ended_at = self.struck_at or time.monotonic(), 0.0
            self._start()

    def _make_room(self) -> None:
        self._room_at = math.inf
        if self._ground.disk is not None:
            self._ground.disk.make_room()
        self._look_again_at = time.monotonic()

    # --- what strikes from outside
    def kill_one(self) -> None:
        """Kill the first worker."""
        for pid in sorted(self._workers)[:1]:
            kill(pid)

    def kill_all(self) -> None:
        """Kill every worker."""
        for pid in self._workers:
            kill(pid)

    def end_sessions(self) -> None:
        """Have the server end every session of the round's database."""
        self._ground.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [market.DATABASE]
        )

    def crash_postgres(self) -> None:
        """Crash the database server and start it again."""
        self._ground.crash_postgres()

    def fill_disk(self) -> None:
        """Leave the database no room, for a while."""
        if self._ground.disk is None:
            self.struck_at = None
            return
        self._ground.disk.fill()
        self._room_at = time.monotonic() + self._fault.room_after

    # --- workers
    def _start(self, injection: Injection | None = None, *, limit: int = 0) -> None:
        self._workers.add(consumer.forked(lambda: self._work(injection or Injection(), limit)))

    def _work(self, injection: Injection, limit: int) -> None:
        faulthandler.register(signal.SIGUSR1)
        logging.raiseExceptions = False  # a full disk takes no log either
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        counter = Counter(injection, self._write)
        counter.install()
        consumer.work_through(self._jobs)
        counter.say(statements=counter.statements, copies=counter.copies)

    def _multiply_tasks(self) -> None:
        queued = list(OrmQ.objects.all())
        for _ in range(self._fault.copies - 1):
            OrmQ.objects.bulk_create(OrmQ(key=one.key, payload=one.payload, lock=one.lock) for one in queued)

    def _read_events(self, seconds: float = 0.0) -> None:
        while select.select([self._read], [], [], seconds)[0]:
            lines = os.read(self._read, 65536).decode().splitlines()
            self._events += [json.loads(line) for line in lines]
            seconds = 0.0

    # --- what came of it
    @property
    def seconds(self) -> float:
        """Seconds until the last worker was done."""
        return self.ended_at - self._begun

    def counted(self, what: str) -> int:
        """Return how many statements or COPYs the workers that ended in peace counted."""
        return sum(int(event.get(what, 0)) for event in self._events)

    def recovery_seconds(self) -> float | None:
        """Return the time from the fault until the step it hit was claimed again; until the end when that was done."""
        if self.struck_at is None:
            return None
        claims = [event for event in self._events if "claimed" in event]
        hit = [event["claimed"] for event in claims if event["at"] <= self.struck_at][-1:]
        after = [event for event in claims if event["at"] > self.struck_at]
        again = [event["at"] for event in after if event["claimed"] in hit] or [event["at"] for event in after]
        return float(min(again, default=max(self.ended_at, self.struck_at)) - self.struck_at)


def _standing() -> str:
    """Return how the runs stand, for who wonders why an evening does not end."""
    found = [
        f"{run.id} {run.status} {run.reason} {lifecycle.missing_prerequisites(run)}"
        for run in PipelineRun.objects.all()
    ]
    return "; ".join(found)


def _press_the_button() -> None:
    _, evening = market.sessions_of_market()
    with suppress(AlreadyRunning):
        tasks.trigger("pipeline", triggered_by="drill", session=evening)


def played(ground: Ground, number: int, fault: Fault, template: str, jobs: int, wanted: market.State) -> Outcome:
    """Play a round in a database made anew and compare what it left."""
    begun = time.monotonic()
    is_small = fault.room_after and ground.disk is not None
    market.remake(ground.server, template, tablespace=TABLESPACE if is_small else "pg_default")
    one = Round(ground, fault, jobs)
    try:
        one.play()
        differences = market.state(settings.EXPORT_DIR).differences(wanted)
    except (TimeoutError, RuntimeError) as error:
        differences = [str(error)]
    finally:
        market.forget_connection()
    struck = one.struck_at is not None or fault.copies > 1 or fault.triggers > 0
    if fault.injection.step and not struck:
        differences = [*differences, "the fault never struck"]
    return Outcome(number, fault.kind, struck, one.recovery_seconds(), time.monotonic() - begun, tuple(differences))


def tallied(outcomes: Sequence[Outcome]) -> dict[str, tuple[int, int]]:
    """Return, for each kind of fault, in how many rounds it was drawn and in how many it struck."""
    drawn, struck = Tally(one.kind for one in outcomes), Tally(one.kind for one in outcomes if one.struck)
    return {kind: (drawn[kind], struck[kind]) for kind in sorted(drawn)}


def rng_of(seed: int, number: int) -> random.Random:
    """Return a round's own random numbers: a round can be played again by itself."""
    return random.Random(f"{seed}/{number}")
