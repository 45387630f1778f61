"""Sagas: steps, the context a step works in, the errors it may raise, and the registry that each `sagas.py` fills."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from django.utils.module_loading import autodiscover_modules

from brokers.redaction import without_secrets
from market_data.models import PipelineRun, PipelineStep
from market_data.runs.leases import LeaseKeeper

SAME_DAY, EVENING_BEFORE, NO_SESSION = "same day", "evening before", "none"
"""Which session a planned time stands for."""

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


class SagaError(Exception):
    """A request is refused; the sentence says what to do instead, `runbook` may name an entry of docs/RUNBOOK.md."""

    runbook = ""


class AlreadyRunning(SagaError):
    """A run of the job is active; `run_id` names it."""

    def __init__(self, job: str, run_id: str) -> None:
        super().__init__(f"{job} is already running as {run_id}; wait for it, or look at its steps.")
        self.run_id = run_id


class OtherMarket(SagaError):
    """The database holds another kind of market (simulated or real) than the provider in use."""

    runbook = "other-market"


class NotRetryable(SagaError):
    """A run or step cannot be retried, or a run not resumed."""


class NoSuchRun(SagaError):
    """No run has that id or alias."""


class StepFailed(Exception):
    """A step refuses to do its work; the sentence names the value and what to do.

    `runbook` is the key of the entry in docs/RUNBOOK.md that helps with it, or empty.
    """

    def __init__(self, sentence: str, *, runbook: str = "") -> None:
        super().__init__(sentence)
        self.runbook = runbook


class NotYet(StepFailed):
    """What a step needs is not available yet: a planned run polls for it until a deadline, a triggered one fails."""


class FenceLost(Exception):
    """The step has another owner by now, or its run has ended; nothing may be written."""


class Listener(Protocol):
    """Shows a run's progress, such as the terminal it was started from."""

    def __call__(self, step: str, fraction: float, line: str | None) -> None:
        """Receive a step's progress 0-1, with a log line if there is a new one."""


def _no_result(context: "StepContext") -> None:
    return None


def _no_records(context: "StepContext", result: object) -> int:
    return 0


Compute = Callable[["StepContext"], Any]
"""Returns what is to be written; runs outside any transaction."""

Record = Callable[["StepContext", Any], int]
"""Writes that and returns the number of records; runs in the transaction that verifies the fence."""


class Chunk(NamedTuple):
    """A part of a step that commits on its own.

    `label` is unique in its step and stored as the watermark of an unfinished one, so its spelling outlives a release.
    """

    label: str
    compute: Compute
    record: Record


@dataclass(frozen=True)
class Step:
    """One step of a saga: either `compute` and `record`, or `chunks`.

    `chunks` returns the parts of a long load, in order and the same ones on every attempt; none means that there is
    nothing to do. Errors in `transient` are worth another attempt after a pause; `refusals` fail the step with their
    sentence, and with their `runbook` if they have that attribute; any other error breaks it.
    """

    name: str
    compute: Compute = _no_result
    record: Record = _no_records
    chunks: Callable[["StepContext"], Sequence[Chunk]] | None = None
    transient: tuple[type[Exception], ...] = ()
    refusals: tuple[type[Exception], ...] = ()
    max_attempts: int = 3

    def chunks_of(self, context: "StepContext") -> Sequence[Chunk]:
        """Return the step's parts, at least one."""
        chunks = self.chunks(context) if self.chunks else ()
        return chunks or [Chunk("", self.compute, self.record)]


class Undo(NamedTuple):
    """What a rollback does after restoring `tables`; both callables get the run's id and return the number of rows.

    `count` tells how many rows of the table it would change, `restore` changes them.
    """

    table: str
    count: Callable[[str], int]
    restore: Callable[[str], int]


@dataclass(frozen=True)
class Saga:
    """A job: its steps in order, and everything else there is to say about it.

    Attributes
    ----------
    tables
        What it writes, in the order in which a rollback empties them. Of runs that write the same table only one is
        at work at a time.
    cluster
        Queue that plans it and whose workers execute it.
    command
        Management command that runs it; empty where it needs something that only a page can give it.
    cron
        When it may start: minute, hour, day, month, weekday; India Standard Time. Empty: only by hand.
    waits_for
        Its prerequisites when it is planned (see `prerequisites`).
    stands_for
        Which session a planned time stands for; with `NO_SESSION` no run of it has one.
    description
        What the API calls it; default: its title.
    public_title
        What the readers of the picks call its work; empty where it is none of theirs.
    reads
        What it builds on: a run that wrote one of these before cannot be rolled back under it, and no run writes them
        while it is at work.
    in_background
        Whether it keeps nobody waiting with what it reads and who reads what it writes: it takes long, and commits
        once, at its end. It starts only while nobody writes what it reads.
    replays
        Whether a run for a session older than the latest one computes as of it and keeps the result in its summary;
        otherwise it only says that there is nothing to do.
    """

    job: str
    title: str
    steps: tuple[Step, ...]
    tables: tuple[str, ...] = ()
    cluster: str = "data"
    command: str = ""
    cron: str = ""
    waits_for: tuple[str, ...] = ()
    stands_for: str = SAME_DAY
    description: str = ""
    public_title: str = ""
    reads: tuple[str, ...] = ()
    in_background: bool = False
    undo: tuple[Undo, ...] = ()
    replays: bool = False

    @property
    def needs_session(self) -> bool:
        return self.stands_for != NO_SESSION

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(step.name for step in self.steps)

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)


@dataclass
class StepContext:
    """What a step works with: its run, progress, log lines, and `memo`, shared by the run's steps in this process.

    `base` and `share` are where the current chunk begins in the step's progress, and its part of it; 0-1.
    """

    run: PipelineRun
    step: PipelineStep
    listener: Listener | None
    keeper: LeaseKeeper = field(init=False)
    base: float = 0.0
    share: float = 1.0
    memo: dict[str, Any] = field(default_factory=dict)
    attempted_at: datetime | None = None

    @property
    def now(self) -> datetime:
        """The moment this attempt began, for steps whose work depends on the clock."""
        return self.attempted_at or self.run.created_at

    @property
    def session(self) -> date:
        if self.run.session is None:
            raise StepFailed(f"{self.run.job} needs a session; pass --date.")
        return self.run.session

    def report(self, done: int, total: int) -> None:
        """Report the progress of the current chunk.

        Raises FenceLost when another worker owns the step by now, or the run was cancelled: further work is discarded.
        """
        if self.keeper.lost:
            raise FenceLost
        fraction = self.base + self.share * (done / total if total else 1.0)
        self.keeper.progress = min(fraction, 1.0)
        if self.listener:
            self.listener(self.step.name, self.keeper.progress, None)

    def log(self, message: str, **fields: object) -> None:
        """Write a line to the log and to the step's row."""
        logger.info(message, extra={"run": self.run.id, "step": self.step.name, **fields})
        line = without_secrets(message + "".join(f" {name}={value}" for name, value in fields.items()))
        self.keeper.lines.append(line)
        if self.listener:
            self.listener(self.step.name, self.keeper.progress, line)

    def once(self, name: str, build: Callable[[], Result]) -> Result:
        """Return the result of `build`, called once per run and process; another process builds its own."""
        if name not in self.memo:
            self.memo[name] = build()
        return cast("Result", self.memo[name])

    def summarise(self, **figures: Any) -> None:
        """Add figures to the run's summary; they are committed with the chunk."""
        self.run.summary |= figures


class Condition(NamedTuple):
    """What a run may wait for instead of a job."""

    title: str
    is_met: Callable[[date], bool]


_sagas: dict[str, Saga] = {}
_conditions: dict[str, Condition] = {}
_purges: dict[str, Callable[[date], int]] = {}


def register_sagas(*sagas: Saga) -> None:
    """Add sagas to the registry; called by each app's `sagas.py`."""
    _sagas.update({saga.job: saga for saga in sagas})


def unregister_saga(job: str) -> None:
    """Remove a saga from the registry: for tests, which register their own."""
    del _sagas[job]


def sagas() -> dict[str, Saga]:
    """Return all sagas by job, discovering each app's `sagas.py` first."""
    _discover()
    return _sagas


@cache
def _discover() -> None:
    # Once a process: looking through all apps takes milliseconds, and pages ask for each job.
    autodiscover_modules("sagas")


def saga_of(job: str) -> Saga:
    """Return a job's saga; raises SagaError naming the jobs there are."""
    known = sagas()
    if job not in known:
        raise SagaError(f"There is no job {job!r}; the jobs are {', '.join(sorted(known))}.")
    return known[job]


def job_title(job: str) -> str:
    """Return a job's title; of a job that no longer exists, its name as words."""
    saga = sagas().get(job)
    return saga.title if saga else words_of(job)


def words_of(name: str) -> str:
    return name.replace("_", " ").capitalize().replace("Csv", "CSV")


def register_condition(name: str, title: str, is_met: Callable[[date], bool]) -> None:
    """Add a condition that a run may wait for instead of a job (an alternative after `|`)."""
    _conditions[name] = Condition(title, is_met)


def is_condition(name: str) -> bool:
    """Whether a condition of that name is registered, once each app's `sagas.py` was discovered."""
    _discover()
    return name in _conditions


def is_condition_met(name: str, session: date) -> bool:
    """Whether a condition is met for a session; one of an unknown name never is."""
    return is_condition(name) and _conditions[name].is_met(session)


def condition_title(name: str) -> str:
    return _conditions[name].title


def register_purge(name: str, remove: Callable[[date], int]) -> None:
    """Add what the cleanup purges in an app above: `remove` gets today and returns the number of rows deleted."""
    _purges[name] = remove


def purges() -> dict[str, Callable[[date], int]]:
    """Return the purges of all apps by name, discovering each app's `sagas.py` first."""
    _discover()
    return _purges
