"""Prerequisites: what must have completed, or ended, before a waiting run starts.

Stored in `pipeline_runs.waits_for` and in the arguments of schedules as text. ``|`` joins alternatives, of which one
suffices: a job (for the same session), a single run by its id, a registered condition, or ``ended:<run id>`` for a run
that need only have ended, completed or failed.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Self

from market_data.models import PipelineRun
from market_data.runs.saga import condition_title, is_condition, is_condition_met, job_title

ENDED = "ended:"
_RUN_STAMP = re.compile(r"_\d{8}_\d{6}(_\d+)?$")


class Kind(Enum):
    """What an alternative names."""

    JOB = "a job of the same session"
    RUN = "a run"
    ENDED_RUN = "a run that need only have ended"
    CONDITION = "a registered condition"


@dataclass(frozen=True)
class Alternative:
    """One way to meet a prerequisite; `name` is that of a job or condition, or a run's id."""

    kind: Kind
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what a part of a stored text names; what is neither a run nor a condition counts as a job."""
        if text.startswith(ENDED):
            return cls(Kind.ENDED_RUN, text.removeprefix(ENDED))
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
        statuses = [PipelineRun.Status.COMPLETED]
        if self.kind is Kind.ENDED_RUN:
            statuses.append(PipelineRun.Status.FAILED)
        runs = PipelineRun.objects.filter(status__in=statuses)
        runs = runs.filter(job=self.name, session=session) if self.kind is Kind.JOB else runs.filter(pk=self.name)
        return runs.exists()

    def describe(self) -> str:
        if self.kind is Kind.CONDITION:
            return condition_title(self.name)
        return ("the end of " if self.kind is Kind.ENDED_RUN else "") + job_title(self.job)

    def __str__(self) -> str:
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
