"""Prerequisites: what must have completed, or ended, before a waiting run starts, and whose turn it is on its tables.

Stored in `pipeline_runs.waits_for` and in the arguments of schedules as text. ``|`` joins alternatives, of which one
suffices: a job (for the same session), a single run by its id, a registered condition, or ``ended:<run id>`` for a run
that need only have ended, completed or failed.

Runs that write the same tables take turns. Nothing is stored for it: a running run has the tables of its saga for
itself, those it reads together with other readers. The next is the run created first of those whose prerequisites are
met; all that a run needs is taken at once, under the run-creation lock, so that no two can wait for each other.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Protocol, Self

from market_data.models import PipelineRun
from market_data.runs import holds
from market_data.runs.saga import condition_title, is_condition, is_condition_met, job_title, saga_of, sagas

ENDED, TURN = "ended:", "turn:"
_RUN_STAMP = re.compile(r"_\d{8}_\d{6}(_\d+)?$")


class Kind(Enum):
    """What an alternative names."""

    JOB = "a job of the same session"
    RUN = "a run"
    ENDED_RUN = "a run that need only have ended"
    CONDITION = "a registered condition"
    TURN = "a run whose turn on some tables comes first"


@dataclass(frozen=True)
class Alternative:
    """One way to meet a prerequisite; `name` is that of a job or condition, or a run's id.

    `tables` are those on which it is the run's turn.
    """

    kind: Kind
    name: str
    tables: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what a part of a stored text names; what is neither a run nor a condition counts as a job."""
        if text.startswith(ENDED):
            return cls(Kind.ENDED_RUN, text.removeprefix(ENDED))
        if text.startswith(TURN):
            run_id, _, tables = text.removeprefix(TURN).partition(":")
            return cls(Kind.TURN, run_id, tuple(tables.split(",")))
        if is_condition(text):
            return cls(Kind.CONDITION, text)
        return cls(Kind.RUN if _RUN_STAMP.search(text) else Kind.JOB, text)

    @property
    def job(self) -> str:
        """The job it names, itself or by one of its runs; empty for a condition."""
        return "" if self.kind is Kind.CONDITION else _RUN_STAMP.sub("", self.name)

    def is_met(self, session: date, completed: Collection[str] | None) -> bool:
        if self.kind is Kind.CONDITION:
            return is_condition_met(self.name, session)
        if self.kind is Kind.JOB and completed is not None:
            return self.name in completed
        if self.kind is Kind.TURN:
            return not PipelineRun.objects.filter(pk=self.name, status__in=PipelineRun.ACTIVE).exists()
        statuses = [PipelineRun.Status.COMPLETED]
        if self.kind is Kind.ENDED_RUN:
            statuses.append(PipelineRun.Status.FAILED)
        runs = PipelineRun.objects.filter(status__in=statuses)
        runs = runs.filter(job=self.name, session=session) if self.kind is Kind.JOB else runs.filter(pk=self.name)
        return runs.exists()

    def describe(self) -> str:
        if self.kind is Kind.CONDITION:
            return condition_title(self.name)
        if self.kind is Kind.TURN:
            return f"{job_title(self.job)} ({self.name}) to finish with {', '.join(self.tables)}"
        return ("the end of " if self.kind is Kind.ENDED_RUN else "") + job_title(self.job)

    def __str__(self) -> str:
        if self.kind is Kind.TURN:
            return f"{TURN}{self.name}:{','.join(self.tables)}"
        return (ENDED if self.kind is Kind.ENDED_RUN else "") + self.name


@dataclass(frozen=True)
class Prerequisite:
    """Alternatives of which one must be met; as text it is what is stored."""

    alternatives: tuple[Alternative, ...]

    @classmethod
    def parse(cls, stored: str) -> Self:
        return cls(tuple(map(Alternative.parse, stored.split("|"))))

    @property
    def jobs(self) -> tuple[str, ...]:
        """The jobs it names, themselves or by one of their runs."""
        return tuple(alternative.job for alternative in self.alternatives if alternative.job)

    @property
    def conditions(self) -> tuple[Alternative, ...]:
        return tuple(alternative for alternative in self.alternatives if alternative.kind is Kind.CONDITION)

    def is_met(self, session: date, completed: Collection[str] | None = None) -> bool:
        """Whether a run of that session no longer waits for it.

        `completed` are the jobs that have completed for the session; without it they are queried one by one.
        """
        return any(alternative.is_met(session, completed) for alternative in self.alternatives)

    def describe(self) -> str:
        """Return it in words: "Model training or a recent accepted model"."""
        *others, last = (alternative.describe() for alternative in self.alternatives)
        return f"{', '.join(others)} or {last}" if others else last

    def __str__(self) -> str:
        return "|".join(map(str, self.alternatives))


def parse_all(stored: Iterable[str]) -> list[Prerequisite]:
    return list(map(Prerequisite.parse, stored))


def describe_all(prerequisites: Iterable[Prerequisite]) -> str:
    """Return prerequisites in words, joined by "and"; empty where there are none."""
    return " and ".join(prerequisite.describe() for prerequisite in prerequisites)


def missing_prerequisites(
    stored: Iterable[str], session: date | None, completed: Collection[str] | None = None
) -> list[Prerequisite]:
    """Return those of the stored prerequisites that are not met for a session; none without a session."""
    if session is None:
        return []
    return [wanted for wanted in parse_all(stored) if not wanted.is_met(session, completed)]


class Queued(Protocol):
    """What decides when a run starts: columns of `PipelineRun`."""

    @property
    def id(self) -> str: ...
    @property
    def job(self) -> str: ...
    @property
    def session(self) -> date | None: ...
    @property
    def sequence(self) -> int: ...
    @property
    def waits_for(self) -> list[str]: ...
    @property
    def intended_at(self) -> datetime | None: ...
    @property
    def is_replay(self) -> bool: ...


def outstanding(run: Queued) -> list[Prerequisite]:
    """Return all that a waiting run still waits for: its prerequisites; once they are met, its turn.

    None while its evening is held: it then waits for an operator.
    """
    missing = missing_prerequisites(run.waits_for, run.session)
    if missing or holds.is_held(run.session, run.intended_at):
        return missing
    return runs_with_earlier_turn(run)


def runs_with_earlier_turn(run: Queued) -> list[Prerequisite]:
    """Return the runs at work on tables that a run needs, and those that wait for these tables and were created first.

    Call with the run-creation lock held where the answer is acted on.
    """
    needs = _needs(run)
    if not needs.writes and not needs.reads:
        return []
    active = PipelineRun.objects.filter(status__in=PipelineRun.ACTIVE).exclude(pk=run.id).order_by("sequence")
    turns = []
    for other in active:
        tables = needs.in_the_way(_needs(other))
        if tables and (other.status == PipelineRun.Status.RUNNING or _comes_first(other, run)):
            turns.append(Prerequisite((Alternative(Kind.TURN, other.id, tuple(sorted(tables))),)))
    return turns


@dataclass(frozen=True)
class _Needs:
    """Tables that a run writes and reads; one in the background keeps nobody from what it reads."""

    writes: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    in_background: bool = False

    def in_the_way(self, other: Self) -> frozenset[str]:
        """Return the tables because of which this run may not be at work together with the other."""
        if other.in_background:
            return self.writes & other.writes
        return (self.writes & (other.writes | other.reads)) | (self.reads & other.writes)


def _needs(run: Queued) -> _Needs:
    saga = sagas().get(run.job)
    if saga is None or (run.is_replay and not saga.replays):
        return _Needs()
    writes = frozenset() if run.is_replay else frozenset(saga.tables)
    return _Needs(writes, frozenset(saga.reads), saga.in_background)


def _comes_first(waiting: Queued, run: Queued) -> bool:
    """Whether a waiting run was created before another and waits for nothing but its turn."""
    if waiting.sequence > run.sequence or holds.is_held(waiting.session, waiting.intended_at):
        return False
    return not missing_prerequisites(waiting.waits_for, waiting.session)


def chain_to(job: str) -> tuple[str, ...]:
    """Return a job and all that it waits for, directly or through others, in the order of the work; itself last."""
    before = (name for wanted in parse_all(saga_of(job).waits_for) for name in wanted.jobs)
    return tuple(dict.fromkeys([*(link for name in before for link in chain_to(name)), job]))
