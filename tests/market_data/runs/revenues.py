"""Jobs whose runs write one figure of one table at each of two labels, as a script says."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pandas as pd
import pytest
from django.db import transaction

from market_data.models import PipelineRun
from market_data.runs import lifecycle
from market_data.runs.saga import Saga, SagaError, Step, StepContext, StepFailed
from stocks.models import FinancialStatement
from stocks.storage import bulk
from tests.runs import chunks, registered

SESSION = date(2026, 4, 30)
TABLE, KEY = "financial_statements", ("symbol", "period_end", "kind")


def statements(revenues: dict[str, float]) -> pd.DataFrame:
    frame = pd.DataFrame({"symbol": list(revenues), "revenue": list(revenues.values())})
    frame = frame.assign(period_end=pd.Timestamp("2026-03-31"), kind="year", source="test")
    return frame.assign(published_on=pd.Timestamp("2026-04-20"), published_assumed=False)


@transaction.atomic
def write(run_id: str, **revenues: float) -> int:
    return bulk.upsert(TABLE, statements(revenues), KEY, run_id).total


@transaction.atomic
def change(run_id: str, **revenues: float) -> int:
    return bulk.update(TABLE, statements(revenues), KEY, run_id)


@transaction.atomic
def restore(run_id: str) -> None:
    bulk.roll_back(TABLE, run_id)


def revenue(symbol: str = "ACME") -> float | None:
    return FinancialStatement.objects.filter(symbol=symbol).values_list("revenue", flat=True).first()


class Script:
    """What the runs of the jobs under test do at each label: write a revenue, or fail; `before` is called first."""

    def __init__(self) -> None:
        self.before: Callable[[StepContext, str], None] | None = None
        self.revenues: dict[str, float] = {}

    def compute(self, context: StepContext, label: str) -> str:
        if self.before:
            self.before(context, label)
        return label

    def record(self, context: StepContext, label: str) -> int:
        value = self.revenues.get(f"{context.run.job} {label}")
        return 0 if value is None else write(context.run.id, ACME=value)


def saga(script: Script, job: str, **facts: Any) -> Saga:
    steps = (Step("WRITE", chunks=lambda _: chunks("ab", script.compute, script.record)),)
    return Saga(job, job, steps, **{"tables": (TABLE,), **facts})


def create(job: str, *waits_for: str, session: date | None = SESSION) -> PipelineRun:
    return lifecycle.create_run(job, session, triggered_by="test", waits_for=waits_for)


def fail(context: StepContext, label: str) -> None:
    raise StepFailed("The file is missing.")


def refusal(work: Callable[[], Any]) -> str:
    with pytest.raises(SagaError) as error:
        work()
    return str(error.value)


def acting_jobs() -> Iterator[Script]:
    """Register the jobs for a test, and store a first figure."""
    script = Script()
    write("", ACME=100.0)
    sagas = [saga(script, job) for job in ("first", "second", "third")]
    sagas += [
        saga(script, "elsewhere", tables=("fundamental_snapshots",)),
        saga(script, "reader", tables=(), reads=(TABLE,)),
        saga(script, "long", tables=("trained_models",), reads=(TABLE,), in_background=True),
        saga(script, "picks", tables=("daily_suggested_stocks",), reads=("trained_models",)),
    ]
    with registered(*sagas):
        yield script
