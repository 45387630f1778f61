"""The catalogue of faults and how often each is drawn.

Each round draws its fault from its own random numbers. A fault that strikes inside a worker is an `Injection`; one that
strikes from outside does so at a random moment of the evening.
"""

import os
import random
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tests.faults.drill.injection import Injection, Place

WORKERS_PER_CLUSTER = 2
_MAX_DRAWS = 1000


@dataclass(frozen=True)
class Undisturbed:
    """Size of an undisturbed evening or of one of its jobs: seconds, statements and COPY blocks of its only worker."""

    seconds: float
    statements: int
    copies: int


@dataclass(frozen=True)
class Fault:
    """What happens to one round.

    Attributes
    ----------
    kind
        Its name in the report.
    injection
        What breaks the first worker from within.
    at
        Seconds after the start at which the fault strikes from outside; None: from within only.
    strike
        Name of the `Round` method that strikes from outside.
    workers
        Number of concurrent workers.
    copies
        Deliveries of each task.
    triggers
        Number of people who trigger the job at the same moment, in addition to the schedule.
    file_limit
        Largest file in bytes that the first worker may write, as on a full disk; 0 is no limit.
    room_after
        Seconds after the strike at which the database's disk has room again; 0 keeps the database on the usual disk.
    """

    kind: str
    injection: Injection = field(default_factory=Injection)
    at: float | None = None
    strike: str = ""
    workers: int = 1
    copies: int = 1
    triggers: int = 0
    file_limit: int = 0
    room_after: float = 0.0


Draw = Callable[[random.Random, Undisturbed], Fault]


def _kill_at_statement(rng: random.Random, usual: Undisturbed) -> Fault:
    number = rng.randint(1, usual.statements)
    place: Place = "before" if rng.random() < 0.5 else "after"
    return Fault(f"worker killed {place} a statement", Injection(number, place))


def _kill_in_copy(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("worker killed inside COPY", Injection(rng.randint(1, max(1, usual.copies)), "copy"))


def _moment(rng: random.Random, usual: Undisturbed) -> float:
    return rng.uniform(0.0, usual.seconds)


def _kill_at_moment(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("worker killed at a moment", at=_moment(rng, usual), strike="kill_one")


def _kill_cluster(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("cluster killed", at=_moment(rng, usual), strike="kill_all", workers=WORKERS_PER_CLUSTER)


def _stop_worker(rng: random.Random, usual: Undisturbed) -> Fault:
    """Stop a worker beyond its lease; it is woken when the others are done."""
    if rng.random() < 0.3:
        injection = Injection(rng.randint(1, max(1, usual.copies)), "copy", sends=signal.SIGSTOP)
    else:
        injection = Injection(rng.randint(1, usual.statements), "after", sends=signal.SIGSTOP)
    return Fault("worker stopped beyond its lease", injection)


def _end_sessions(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("database sessions ended", at=_moment(rng, usual), strike="end_sessions", workers=rng.randint(1, 2))


def _crash_postgres(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("PostgreSQL crashed and restarted", at=_moment(rng, usual), strike="crash_postgres")


def _deliver_eight_times(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("each task delivered eight times", copies=8, workers=3)


def _trigger_twice(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("two triggers at once", triggers=2, workers=2)


def _fill_export_disk(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("disk full under the exports", file_limit=rng.randint(1, 60_000))


def _fill_database_disk(rng: random.Random, usual: Undisturbed) -> Fault:
    room_after = rng.uniform(0.2, 2.0)
    return Fault("disk full under PostgreSQL", at=_moment(rng, usual), strike="fill_disk", room_after=room_after)


KINDS: dict[Draw, float] = {
    _kill_at_statement: 25,
    _kill_in_copy: 10,
    _kill_at_moment: 20,
    _kill_cluster: 10,
    _stop_worker: 8,
    _end_sessions: 9,
    _crash_postgres: 4,
    _deliver_eight_times: 5,
    _trigger_twice: 4,
    _fill_export_disk: 5,
    _fill_database_disk: 5,
}
"""Constructor of a fault → weight."""


_COPYING_STEPS = ("SYMBOL_MASTER", "HISTORICAL_DATA", "TECHNICAL_INDICATORS", "COMPREHENSIVE_METRICS", "PUBLISH")
_STOPPED_STEPS = ("HISTORICAL_DATA", "CSV_EXPORT", "PUBLISH")


def faults_of_each_step(steps: Sequence[str]) -> list[Fault]:
    """Faults that strike every step in turn: before and after its commit, inside its COPY, at lease expiry."""
    faults = []
    for step in steps:
        faults.append(Fault(f"worker killed before the commit of {step}", Injection(1, "before commit", step)))
        cluster = Fault(f"cluster killed after the commit of {step}", Injection(1, "after commit", step))
        faults.append(replace(cluster, strike="kill_all", workers=WORKERS_PER_CLUSTER))
        if step in _COPYING_STEPS:
            faults.append(Fault(f"worker killed inside COPY of {step}", Injection(1, "copy", step)))
        if step in _STOPPED_STEPS:
            kind = f"worker stopped before the commit of {step} until others were done"
            faults.append(Fault(kind, Injection(1, "before commit", step, signal.SIGSTOP)))
    return faults


def draw_fault(rng: random.Random, usual: Undisturbed, words: str = "") -> Fault:
    """Draw a round's fault, optionally one whose kind contains the given words.

    Raises
    ------
    ValueError
        When no kind contains these words.
    """
    for _ in range(_MAX_DRAWS):
        draw = rng.choices(list(KINDS), list(KINDS.values()))[0]
        fault = draw(rng, usual)
        if words in fault.kind:
            return fault
    raise ValueError(f"No kind of fault contains {words!r}; the report of a drill lists the kinds.")


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
