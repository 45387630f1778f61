"""Runs and the system's status in the contract's JSON form; keys without a value are omitted."""

from datetime import date, datetime
from typing import Any, Final

from django.db.models import Count, Max, Sum
from django.utils import timezone

from market_data.models import PipelineRun, PipelineStep, TableTotal
from market_data.runs import lifecycle
from market_data.runs.prerequisites import describe_all, outstanding
from market_data.runs.queries import unresolved_runs
from market_data.runs.saga import NotRetryable, sagas
from market_data.storage.queries import latest_loaded_session
from ml.evening_facts import exclusions_by_check
from stocks.models import Publication
from tradingsite.clusters import states
from tradingsite.monitoring.status import stock_counts

# The status of an evening is the first of these that one of its runs has.
_PRECEDENCE: Final = ("failed", "running", "waiting", "cancelled", "rolled_back", "skipped", "completed")


def contract_status(now: datetime) -> dict[str, Any]:
    """The system's status under the contract's keys, without counting a big table."""
    totals = {total.table_name: total for total in TableTotal.objects.all()}
    active = PipelineRun.objects.filter(status__in=PipelineRun.ACTIVE).order_by("sequence")
    return _without_blanks(
        stocks=_without_blanks(**(counts := stock_counts()) | {"last_updated": _local(counts["last_updated"])}),
        historical_data=_table(totals.get("historical_data")),
        technical_indicators=_table(totals.get("technical_indicators")),
        daily_snapshots=_snapshots(),
        latest_session=(latest := latest_loaded_session()),
        kept_out=_kept_out(latest),
        clusters=[
            _without_blanks(
                cluster=cluster.name,
                heartbeat_age_seconds=cluster.age_seconds,
                queued=cluster.queued,
                alive=cluster.state in ("alive", "busy"),
            )
            for cluster in states.cluster_states(now)
        ],
        active_tasks=list(active.values_list("id", flat=True)),
        failed_tasks=[_without_blanks(task_id=run.id, job=run.job, **_run(run)) for run in unresolved_runs()],
    )


def _kept_out(session: date | None) -> dict[str, Any]:
    """How many shares findings keep out of the picks of the latest session, in all and by check."""
    by_check = exclusions_by_check(session) if session else {}
    return {"shares": sum(by_check.values()), "by_check": by_check}


def _table(total: TableTotal | None) -> dict[str, Any]:
    if total is None:
        return {"symbols": 0, "records": 0}
    return _without_blanks(symbols=total.symbols, records=total.rows, latest_date=total.latest_date)


def _snapshots() -> dict[str, Any]:
    totals = Publication.objects.filter(superseded_at=None).aggregate(
        total=Sum("count"), unique_dates=Count("date", distinct=True), latest_date=Max("date")
    )
    return _without_blanks(**totals | {"total": totals["total"] or 0})


def task_status(task_id: str) -> dict[str, Any]:
    """A run by its id or alias; an alias of several runs is an evening, whose steps are their jobs.

    Raises
    ------
    NoSuchRun
        When no run has that id or alias.
    """
    runs = _chain(task_id)
    if len(runs) > 1:
        return _evening(task_id, runs)
    run = lifecycle.find_run(task_id)
    steps = [_step(step) for step in run.steps.order_by("order")]
    return _without_blanks(task_id=task_id, **_run(run), description=_description(run), steps=steps)


def failed_run(task_id: str) -> PipelineRun:
    """The run that a retry of the id means: the run itself, or the failed one of an evening.

    Raises
    ------
    NoSuchRun
        When no run has that id or alias.
    NotRetryable
        When no run of the evening has failed.
    """
    runs = _chain(task_id)
    if len(runs) < 2:
        return lifecycle.find_run(task_id)
    for run in runs:
        if run.status == PipelineRun.Status.FAILED:
            return run
    raise NotRetryable(f"No job of {task_id} has failed: there is nothing to retry.")


def _chain(task_id: str) -> list[PipelineRun]:
    return list(PipelineRun.objects.filter(aliases__contains=[task_id]).order_by("sequence"))


def _evening(task_id: str, runs: list[PipelineRun]) -> dict[str, Any]:
    started = [run.started_at for run in runs if run.started_at]
    statuses = {run.status for run in runs}
    status = next(candidate for candidate in _PRECEDENCE if candidate in statuses)
    if status in ("waiting", "failed") and PipelineRun.Status.RUNNING in statuses:
        status = "running"
    ended = [run.ended_at for run in runs if run.ended_at]
    return _without_blanks(
        task_id=task_id,
        status=status,
        description="The whole evening, job after job",
        start_time=_local(min(started, default=None)),
        end_time=_local(max(ended)) if len(ended) == len(runs) else None,
        session=next((run.session for run in runs if run.session), None),
        steps=[_without_blanks(name=run.job, **_run(run)) for run in runs],
    )


def _run(run: PipelineRun) -> dict[str, Any]:
    awaited = outstanding(run) if run.status == PipelineRun.Status.WAITING else []
    return _without_blanks(
        status=run.status,
        start_time=_local(run.started_at),
        end_time=_local(run.ended_at),
        session=run.session,
        waits_for=list(map(str, awaited)) or None,
        reason=run.reason or (f"Waits for {describe_all(awaited)}." if awaited else ""),
    )


def _description(run: PipelineRun) -> str:
    saga = sagas().get(run.job)
    return saga.description or saga.title if saga else run.job


def _step(step: PipelineStep) -> dict[str, Any]:
    running = step.status == PipelineStep.Status.RUNNING
    return _without_blanks(
        name=step.name,
        status=step.status,
        start_time=_local(step.started_at),
        end_time=_local(step.ended_at),
        progress=round(step.progress, 4) if running else None,
        records=step.records_processed or None,
        attempts=step.attempts or None,
        reason=step.reason,
    )


def _local(moment: datetime | None) -> str | None:
    return timezone.localtime(moment).isoformat() if moment else None


def _without_blanks(**facts: Any) -> dict[str, Any]:
    """Drop None and empty strings; zero, False and empty lists are values."""
    return {name: value for name, value in facts.items() if value is not None and value != ""}
