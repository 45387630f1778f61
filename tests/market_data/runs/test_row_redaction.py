"""A step's row, which the console shows, holds no secret."""

from typing import Any

import pytest
from pytest_django import Settings

from brokers.redaction import register_secrets
from market_data.models import PipelineRun, PipelineStep, StepAttempt
from market_data.runs import engine, lifecycle
from market_data.runs.saga import Saga, Step, StepContext, StepFailed
from tests.runs import registered

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "Un1que-s3cret-value"


class Flaky(Exception):
    """Declared as transient."""


@pytest.mark.parametrize("error", [StepFailed, RuntimeError, Flaky])
def test_no_secret_reaches_the_row_of_a_step(settings: Settings, error: type[Exception]) -> None:
    settings.STEP_PAUSE_SECONDS = 0
    register_secrets(SECRET)

    def compute(context: StepContext) -> Any:
        context.log("the broker was called", address=f"https://broker.example/{SECRET}", api_secret="sh0rt")
        raise error(f"The broker refused {SECRET}, Authorization: token k3y:acc3ss, postgresql://u:p4ss@h/d")

    steps = (Step("FIRST", compute, lambda context, result: 0, transient=(Flaky,)),)
    with registered(Saga("drill", "Drill", steps)):
        engine.advance(lifecycle.create_run("drill", None, triggered_by="test").id)
    rows = [*PipelineRun.objects.values(), *PipelineStep.objects.values(), *StepAttempt.objects.values()]
    text = str(rows)
    assert "The broker refused ***" in text
    assert "the broker was called" in text
    assert [word for word in (SECRET, "sh0rt", "acc3ss", "p4ss") if word in text] == []
