"""What there is to break, and how often the drill breaks it.

A fault is drawn from the round's own random numbers. What strikes from within a worker is an `Injection`; what strikes
from outside happens at a random moment of the evening.
"""

import os
import random
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tradingsite.drill.injection import Injection, Place

WORKERS_OF_A_CLUSTER = 2
_DRAWS = 1000


@dataclass(frozen=True)
class Undisturbed:
    """Measures of an undisturbed evening, or one of its jobs: seconds, statements and COPYs of its only worker."""

    seconds: float
    statements: int
    copies: int


@dataclass(frozen=True)
class Fault:
    """What strikes one round.

    Attributes
    ----------
    kind
        Its name in the report.
    injection
        What strikes the first worker from within.
    at
        Seconds after the start at which it strikes from outside; None: from within only.
    strike
        What then happens to the workers, by `Round`'s method of that name.
    workers
        How many work side by side.
    copies
        How often each task is delivered.
    triggers
        How many people press the button at once, beside the schedule.
    file_limit
        Bytes that a file of the first worker may have: beyond it its disk is full; 0 is no limit.
    room_after
        Seconds after the strike at which the database's disk has room again; 0 leaves it on the usual disk.
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


def _killed_at_a_statement(rng: random.Random, usual: Undisturbed) -> Fault:
    number = rng.randint(1, usual.statements)
    place: Place = "before" if rng.random() < 0.5 else "after"
    return Fault(f"worker killed {place} a statement", Injection(number, place))


def _killed_in_copy(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("worker killed inside COPY", Injection(rng.randint(1, max(1, usual.copies)), "copy"))


def _moment(rng: random.Random, usual: Undisturbed) -> float:
    return rng.uniform(0.0, usual.seconds)


def _killed_at_a_moment(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("worker killed at a moment", at=_moment(rng, usual), strike="kill_one")


def _cluster_killed(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("cluster killed", at=_moment(rng, usual), strike="kill_all", workers=WORKERS_OF_A_CLUSTER)


def _stopped(rng: random.Random, usual: Undisturbed) -> Fault:
    """Stopped beyond its lease and woken when others are done."""
    if rng.random() < 0.3:
        injection = Injection(rng.randint(1, max(1, usual.copies)), "copy", sends=signal.SIGSTOP)
    else:
        injection = Injection(rng.randint(1, usual.statements), "after", sends=signal.SIGSTOP)
    return Fault("worker stopped beyond its lease", injection)


def _sessions_ended(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("database sessions ended", at=_moment(rng, usual), strike="end_sessions", workers=rng.randint(1, 2))


def _postgres_crashed(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("PostgreSQL crashed and restarted", at=_moment(rng, usual), strike="crash_postgres")


def _delivered_eight_times(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("each task delivered eight times", copies=8, workers=3)


def _triggers(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("two triggers at once", triggers=2, workers=2)


def _disk_full(rng: random.Random, usual: Undisturbed) -> Fault:
    return Fault("disk full under the exports", file_limit=rng.randint(1, 60_000))


def _database_disk_full(rng: random.Random, usual: Undisturbed) -> Fault:
    room_after = rng.uniform(0.2, 2.0)
    return Fault("disk full under PostgreSQL", at=_moment(rng, usual), strike="fill_disk", room_after=room_after)


KINDS: dict[Draw, float] = {
    _killed_at_a_statement: 25,
    _killed_in_copy: 10,
    _killed_at_a_moment: 20,
    _cluster_killed: 10,
    _stopped: 8,
    _sessions_ended: 9,
    _postgres_crashed: 4,
    _delivered_eight_times: 5,
    _triggers: 4,
    _disk_full: 5,
    _database_disk_full: 5,
}
"""Draw → weight."""


_COPYING = ("SYMBOL_MASTER", "HISTORICAL_DATA", "TECHNICAL_INDICATORS", "COMPREHENSIVE_METRICS", "PUBLISH")
_WORTH_STOPPING = ("HISTORICAL_DATA", "CSV_EXPORT", "PUBLISH")


def systematic(steps: Sequence[str]) -> list[Fault]:
    """Return the faults that strike every step in turn: before and after its commit, in its COPY, at lease expiry."""
    faults = []
    for step in steps:
        faults.append(Fault(f"worker killed before the commit of {step}", Injection(1, "before commit", step)))
        cluster = Fault(f"cluster killed after the commit of {step}", Injection(1, "after commit", step))
        faults.append(replace(cluster, strike="kill_all", workers=WORKERS_OF_A_CLUSTER))
        if step in _COPYING:
            faults.append(Fault(f"worker killed inside COPY of {step}", Injection(1, "copy", step)))
        if step in _WORTH_STOPPING:
            kind = f"worker stopped before the commit of {step} until others were done"
            faults.append(Fault(kind, Injection(1, "before commit", step, signal.SIGSTOP)))
    return faults


def drawn(rng: random.Random, usual: Undisturbed, words: str = "") -> Fault:
    """Draw a round's fault; with words one whose kind has them.

    Raises
    ------
    ValueError
        When no kind has these words.
    """
    for _ in range(_DRAWS):
        draw = rng.choices(list(KINDS), list(KINDS.values()))[0]
        fault = draw(rng, usual)
        if words in fault.kind:
            return fault
    raise ValueError(f"No kind of fault is called {words!r}; a report of the drill lists them.")


def kill(pid: int) -> None:
    """End a process at once."""
    os.kill(pid, signal.SIGKILL)
