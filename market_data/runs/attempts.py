"""The attempts at steps: each claim opens a row, the end of the attempt closes it, in the transactions that do so.

A worker that dies closes nothing: the next claim does, and the attempt then ended with its last sign of life.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Greatest, Now

from market_data.models import PipelineRun, PipelineStep, StepAttempt

Outcome = StepAttempt.Outcome


def record_start(step: PipelineStep, fate: str) -> None:
    """Open the attempt of a step just claimed; `fate` is what became of the worker of an attempt left open."""
    record_loss(step, fate)
    StepAttempt.objects.create(step=step, number=step.attempts, fence=step.fence, worker=step.worker)


def record_sign_of_life(step_id: int, fence: int, lines: list[str]) -> None:
    """Note that an attempt's worker lives, with the lines it has logged so far."""
    _open(step_id).filter(fence=fence).update(renewed_at=Now(), log_lines=lines)


def record_end(
    step: PipelineStep, outcome: StepAttempt.Outcome, lines: list[str], reason: str = "", trace: str = ""
) -> None:
    """Close the attempt that owns the step; call in the transaction that changes the step."""
    own = _open(step.pk).filter(fence=step.fence)
    own.update(outcome=outcome, ended_at=Now(), renewed_at=Now(), reason=reason, traceback=trace, log_lines=lines)


def record_loss(step: PipelineStep, fate: str) -> None:
    """Close an attempt whose worker never did; it ended, as far as anybody knows, with its last sign of life."""
    _open(step.pk).update(outcome=Outcome.LOST, ended_at=F("renewed_at"), reason=fate)


def record_cancel(run: PipelineRun, reason: str) -> None:
    """Close the attempts at work on a run's steps; call once the steps are taken from their workers."""
    at_work = StepAttempt.objects.filter(step__run=run, ended_at=None)
    at_work.update(outcome=Outcome.CANCELLED, ended_at=Now(), reason=reason)


def purge_attempts(before: date) -> int:
    """Delete the attempts that ended before a day; return how many."""
    return StepAttempt.objects.filter(ended_at__date__lt=before).delete()[0]


def time_at_work(of: str = "step__run") -> Coalesce:
    """Return the expression for a run's (or with "step" a step's) time at work: its attempts without what lay between.

    An attempt at work counts until now. Where no attempts are stored (any more) it is the time from start to end, NULL
    until there is an end.
    """
    # Set back, the clock may make an attempt end before it began.
    end = Greatest(Coalesce(F("ended_at"), Now()), F("started_at"), output_field=DateTimeField())
    worked = StepAttempt.objects.filter(**{of: OuterRef("pk")}).order_by().values(of)
    worked = worked.annotate(total=Sum(end - F("started_at"), output_field=DurationField()))
    span = ExpressionWrapper(F("ended_at") - F("started_at"), output_field=DurationField())
    return Coalesce(Subquery(worked.values("total")), span, output_field=DurationField())


def seconds_at_work(row: PipelineRun | PipelineStep) -> float | None:
    """Return the time at work of a run or step; None where it is unknown (see `time_at_work`)."""
    worked: timedelta | None
    if isinstance(row, PipelineRun):
        worked = PipelineRun.objects.filter(pk=row.pk).values_list(time_at_work(), flat=True).get()
    else:
        worked = PipelineStep.objects.filter(pk=row.pk).values_list(time_at_work("step"), flat=True).get()
    return None if worked is None else worked.total_seconds()


def attempts_of(steps: Iterable[PipelineStep]) -> dict[int, list[StepAttempt]]:
    """Return the stored attempts by step, each step's in order."""
    by_step: dict[int, list[StepAttempt]] = {}
    for attempt in StepAttempt.objects.filter(step__in=list(steps)).order_by("step", "number"):
        by_step.setdefault(attempt.step_id, []).append(attempt)
    return by_step


def _open(step_id: int) -> "QuerySet[StepAttempt]":
    return StepAttempt.objects.filter(step=step_id, ended_at=None)
