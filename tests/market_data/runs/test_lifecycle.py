"""Ids of runs: unique, however many are made in a second."""

from collections.abc import Iterator

import pytest
from django.utils import timezone

from market_data.models import PipelineRun, PipelineStep
from market_data.runs import lifecycle
from market_data.runs.saga import Saga, Step
from tests.runs import registered

pytestmark = pytest.mark.django_db


@pytest.fixture
def drill() -> Iterator[None]:
    with registered(Saga("drill", "Drill", (Step("FIRST"),))):
        yield


def test_ids_of_runs_and_retries_are_unique_however_many_there_are_in_a_second(
    drill: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    runs = []
    for _ in range(12):
        run = lifecycle.create_run("drill", None, triggered_by="test")
        for _ in range(3):
            PipelineStep.objects.filter(run=run).update(status="failed")
            PipelineRun.objects.filter(pk=run.pk).update(status="failed")
            run, _ = lifecycle.retry_failed(run.id, "asha")
        PipelineRun.objects.filter(pk=run.pk).update(status="completed")
        runs.append(run)
    names = [name for run in runs for name in (run.id, *run.aliases)]
    assert len(set(names)) == len(names) == 48
    assert [lifecycle.find_run(run.aliases[-1]).id for run in runs] == [run.id for run in runs]
