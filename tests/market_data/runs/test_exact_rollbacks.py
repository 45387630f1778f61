"""Random histories of runs that want the same tables: after rolling all back the tables are as before, bit for bit."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from random import Random
from typing import Any

import pandas as pd
import pytest
from django.db import transaction

from market_data import tasks
from market_data.models import PipelineRun, RunUndo
from market_data.runs import engine, interventions, lifecycle, rollback
from market_data.runs.saga import Saga, SagaError, Step, StepContext, StepFailed
from stocks.models import FinancialStatement, FundamentalSnapshot
from stocks.storage import bulk
from tests.runs import chunks, registered

pytestmark = pytest.mark.django_db(transaction=True)

SESSION = date(2026, 4, 30)
STATEMENTS, SNAPSHOTS = "financial_statements", "fundamental_snapshots"
KEYS = {STATEMENTS: ("symbol", "period_end", "kind"), SNAPSHOTS: ("snapshot", "symbol")}
TABLES_OF_JOBS = {"narrow": (STATEMENTS,), "wide": (STATEMENTS, SNAPSHOTS), "other": (SNAPSHOTS,)}
SYMBOLS = "ABCDE"
HISTORIES, ACTS = 20, 30
MAX_DEPTH = 2


def write(table: str, run_id: str, figures: dict[str, float]) -> None:
    day = pd.Timestamp("2026-03-31")
    frame = pd.DataFrame({"symbol": list(figures), "source": "test"})
    if table == STATEMENTS:
        facts: dict[str, Any] = {"period_end": day, "kind": "year", "published_on": day, "published_assumed": False}
        frame = frame.assign(**facts, revenue=list(figures.values()))
    else:
        frame = frame.assign(snapshot=day, market_cap=list(figures.values()))
    bulk.upsert(table, frame, KEYS[table], run_id)


def stored() -> list[Any]:
    """Return every row of both tables with all its columns, identities too."""
    models = (FinancialStatement, FundamentalSnapshot)
    return [list(model.objects.order_by("pk").values()) for model in models]


class History:
    """Operators and workers who act at random; while one run computes, others act."""

    def __init__(self, random: Random) -> None:
        self.random, self.depth = random, 0

    def saga(self, job: str) -> Saga:
        step = Step("WRITE", chunks=lambda _: chunks("abc", self.compute, self.record))
        return Saga(job, job, (step,), tables=TABLES_OF_JOBS[job])

    # --- steps
    def compute(self, context: StepContext, label: str) -> None:
        if self.depth < MAX_DEPTH:
            self.depth += 1
            for _ in range(self.random.randint(0, 3)):
                self.act()
            self.depth -= 1
        if self.random.random() < 0.25:
            raise StepFailed("Drawn at random.")

    def record(self, context: StepContext, result: None) -> int:
        for table in TABLES_OF_JOBS[context.run.job]:
            if self.random.random() < 0.2:
                bulk.delete(table, "t.symbol = %s", [self.random.choice(SYMBOLS)], context.run.id)
            if self.random.random() < 0.7:
                symbols = self.random.sample(SYMBOLS, self.random.randint(1, 3))
                write(table, context.run.id, {symbol: self.random.randint(1, 9) for symbol in symbols})
        return 1

    # --- acts
    def act(self) -> None:
        acts: tuple[Callable[[], Any], ...] = (self.create, self.advance, self.go_on, self.cancel, self.roll_back)
        with suppress(SagaError):
            self.random.choices(acts, (4, 6, 4, 1, 1))[0]()
        tasks.release_waiting()

    def create(self) -> None:
        lifecycle.create_run(self.random.choice(list(TABLES_OF_JOBS)), SESSION, triggered_by="test")

    def advance(self) -> None:
        if run := self.run_of("running"):
            engine.advance(run.id)

    def go_on(self) -> None:
        if run := self.run_of("failed", "cancelled"):
            (lifecycle.retry_failed if run.status == "failed" else interventions.resume)(run.id, "test")

    def cancel(self) -> None:
        if run := self.run_of("running", "waiting"):
            interventions.cancel(run.id, "test")

    def roll_back(self) -> None:
        if run := self.run_of("completed", "failed", "cancelled"):
            rollback.roll_back(run.id, "test")

    def run_of(self, *statuses: str) -> PipelineRun | None:
        runs = list(PipelineRun.objects.filter(status__in=statuses).order_by("sequence"))
        return self.random.choice(runs) if runs else None


def roll_all_back() -> None:
    """Roll all runs back in the order that is allowed: whatever happened, there is one."""
    for run in PipelineRun.objects.filter(status__in=PipelineRun.ACTIVE):
        interventions.cancel(run.id, "test")
    while left := list(PipelineRun.objects.exclude(status="rolled_back").order_by("sequence")):
        refusals = []
        for run in left:
            try:
                rollback.roll_back(run.id, "test")
            except SagaError as refusal:
                refusals.append(str(refusal))
        assert len(refusals) < len(left), f"no run can be rolled back: {refusals}"


@pytest.fixture
def _start() -> None:
    with transaction.atomic():
        for table in KEYS:
            write(table, "", {"A": 100.0, "B": 200.0, "C": 300.0})


@pytest.mark.usefixtures("_start")
@pytest.mark.parametrize("seeds", [range(6), pytest.param(range(6, HISTORIES), marks=pytest.mark.long)])
def test_after_rolling_everything_back_the_tables_are_as_before(seeds: range) -> None:
    before = stored()
    for seed in seeds:
        history = History(Random(seed))
        with registered(*map(history.saga, TABLES_OF_JOBS)):
            for _ in range(ACTS):
                history.act()
            roll_all_back()
        assert stored() == before, f"history {seed}"
        assert not RunUndo.objects.exists(), f"history {seed}"
        PipelineRun.objects.all().delete()
