"""Runs made by hand, and sagas registered, for a test."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from market_data.models import PipelineRun, PipelineStep
from market_data.runs.saga import Chunk, Record, Saga, register_sagas, sagas, unregister_saga

STARTED = datetime(2026, 4, 30, 15, 30, tzinfo=UTC)
PIPELINE = (
    "SYMBOL_MASTER",
    "STOCKS",
    "HISTORICAL_DATA",
    "TECHNICAL_INDICATORS",
    "COMPREHENSIVE_METRICS",
    "PIPELINE_VALIDATION",
)


@contextmanager
def registered(*test_sagas: Saga) -> Iterator[None]:
    """Register sagas for the block; those of the same jobs are registered again after it."""
    replaced = [sagas()[saga.job] for saga in test_sagas if saga.job in sagas()]
    register_sagas(*test_sagas)
    try:
        yield
    finally:
        for saga in test_sagas:
            unregister_saga(saga.job)
        register_sagas(*replaced)


def make_run(
    run_id: str = "pipeline_20260430_210000",
    *,
    job: str = "pipeline",
    status: str = "running",
    done: int = 2,
    step_status: str = "running",
    progress: float = 0.5,
    names: tuple[str, ...] = PIPELINE,
    **facts: Any,
) -> PipelineRun:
    """Store a run whose first `done` steps are complete and whose next one has the given status and progress.

    Its commits have the number of its creation.
    """
    sequence = PipelineRun.objects.count() + 1
    defaults = {
        "sequence": sequence,
        "session": date(2026, 4, 30),
        "provider": "simulator",
        "provider_kind": "simulated",
        "triggered_by": "schedule",
        "started_at": STARTED,
    }
    if done:
        defaults |= {"first_commit": sequence, "last_commit": sequence}
    run = PipelineRun.objects.create(id=run_id, job=job, status=status, **{**defaults, **facts})
    for order, name in enumerate(names):
        state: dict[str, Any] = {"status": "pending"}
        if order < done:
            state = {"status": "completed", "records_processed": 2259, "progress": 1.0, "attempts": 1}
        elif order == done:
            state = {
                "status": step_status,
                "progress": progress,
                "attempts": 1,
                "log_lines": ["Read 300 of 500 sessions"],
            }
            if step_status in ("failed", "errored"):
                state["reason"] = "The file of 2026-04-30 is truncated. Fetch it again and retry the run."
        PipelineStep.objects.create(run=run, name=name, order=order, started_at=STARTED, **state)
    return run


def chunks(labels: Iterable[str], compute: Callable[..., Any], record: Record) -> list[Chunk]:
    """Return chunks whose computation also gets the label."""
    return [Chunk(label, partial(compute, label=label), record) for label in labels]
