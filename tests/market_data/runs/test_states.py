"""The transition tables: each event changes exactly the states it may, and no other pair of states ever occurs."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, timedelta
from typing import Any, get_args

import pytest
from django.utils import timezone

from market_data.models import PipelineRun, PipelineStep
from market_data.runs import claims, engine, interventions, lifecycle, rollback
from market_data.runs.saga import NotYet, Saga, SagaError, Step, StepContext, StepFailed
from market_data.runs.states import (
    RUN_TRANSITIONS,
    STEP_TRANSITIONS,
    RunEvent,
    StepEvent,
    run_sources,
    step_sources,
)
from tests.runs import make_run, registered

pytestmark = pytest.mark.django_db

SESSION = date(2026, 4, 30)
STALE = timedelta(minutes=5)


class Unsteady(Exception):
    """Transient."""


class Behaviour:
    """What the only step does when it is executed."""

    error: Exception | None = None

    def compute(self, context: StepContext) -> None:
        if self.error:
            raise self.error


@pytest.fixture
def behaviour(settings: Any) -> Iterator[Behaviour]:
    behaviour = Behaviour()
    step = Step("ONLY", behaviour.compute, lambda context, result: 1, transient=(Unsteady,), max_attempts=2)
    settings.STEP_PAUSE_SECONDS, settings.STEP_LEASE_SECONDS = 60, 1
    with registered(Saga("drill", "Drill", (step,), tables=("findings",))):
        yield behaviour


def run_in(status: str, step_status: str = "pending", **facts: Any) -> PipelineRun:
    run = PipelineRun.objects.create(
        id="drill_20260430_210000",
        sequence=1,
        job="drill",
        session=SESSION,
        provider="simulator",
        provider_kind="simulated",
        triggered_by="test",
        status=status,
        **facts,
    )
    PipelineStep.objects.create(run=run, name="ONLY", order=0, status=step_status)
    return run


def status_of(run: PipelineRun) -> str:
    return PipelineRun.objects.get(pk=run.pk).status


def pairs(transitions: Mapping[Any, Iterable[tuple[str, str]]]) -> set[tuple[str, str]]:
    return {(str(source), str(target)) for changes in transitions.values() for source, target in changes}


# --- runs -----------------------------------------------------------------------------------------------------------
def complete(run: PipelineRun) -> None:
    run.steps.update(status="completed")
    engine.advance(run.id)


def fail(run: PipelineRun) -> None:
    run.steps.update(status="failed")
    engine.advance(run.id)


def retry(run: PipelineRun) -> None:
    run.steps.update(status="failed")
    lifecycle.retry_failed(run.id, "test")


def retry_not_in_turn(run: PipelineRun) -> None:
    make_run("validation_1", job="validation", names=("VALIDATION",), done=0, sequence=2)
    retry(run)


def resume_ready(run: PipelineRun) -> None:
    interventions.resume(run.id, "test")


def resume_unready(run: PipelineRun) -> None:
    PipelineRun.objects.filter(pk=run.pk).update(waits_for=["pipeline"])
    interventions.resume(run.id, "test")


RUN_EVENTS: list[tuple[RunEvent, Callable[[PipelineRun], Any]]] = [
    ("start", lifecycle.start_waiting_run),
    ("skip", lambda run: lifecycle.skip_older_waiting("drill", SESSION + timedelta(days=1))),
    ("complete", complete),
    ("fail", fail),
    ("cancel", lambda run: interventions.cancel(run.id, "test")),
    ("resume", resume_ready),
    ("resume", resume_unready),
    ("retry", retry),
    ("retry", retry_not_in_turn),
    ("roll_back", lambda run: rollback.roll_back(run.id, "test")),
]


@pytest.mark.parametrize("source", PipelineRun.Status.values)
@pytest.mark.parametrize(("event", "act"), RUN_EVENTS)
def test_an_event_changes_a_run_exactly_in_the_states_it_may(
    behaviour: Behaviour, event: RunEvent, act: Callable[[PipelineRun], Any], source: str
) -> None:
    run = run_in(source)
    with suppress(SagaError):
        act(run)
    change = (source, status_of(run))
    if source in run_sources(event):
        assert change in RUN_TRANSITIONS[event]
    else:
        assert change == (source, source)


def test_every_listed_change_of_a_run_happens_and_no_other_one(behaviour: Behaviour) -> None:
    changes = set()
    for source in PipelineRun.Status.values:
        for _, act in RUN_EVENTS:
            run = run_in(source)
            with suppress(SagaError):
                act(run)
            changes.add((source, status_of(run)))
            PipelineRun.objects.all().delete()
    assert {change for change in changes if change[0] != change[1]} == pairs(RUN_TRANSITIONS)
    assert {event for event, _ in RUN_EVENTS} == set(get_args(RunEvent)) == RUN_TRANSITIONS.keys()


# --- steps ----------------------------------------------------------------------------------------------------------
def owned_step(step: PipelineStep) -> PipelineStep:
    """Make this process the step's owner by fence, whatever its state."""
    step.fence = 7
    PipelineStep.objects.filter(pk=step.pk).update(fence=7, fruitless_attempts=1)
    return step


def executing(error: Exception | None) -> Callable[[Behaviour, PipelineStep], None]:
    """Play an execution whose step was brought into the state under test after it had been claimed."""

    def act(behaviour: Behaviour, step: PipelineStep) -> None:
        status = step.status
        behaviour.error = error
        definition = Step("ONLY", behaviour.compute, lambda context, result: 1, transient=(Unsteady,), max_attempts=2)
        owned = owned_step(PipelineStep.objects.get(pk=step.pk))
        owned.fruitless_attempts = 1
        PipelineStep.objects.filter(pk=step.pk).update(status=status)
        engine._execute(StepContext(step.run, owned, None, attempted_at=timezone.now()), definition)

    return act


def poll(behaviour: Behaviour, step: PipelineStep) -> None:
    step.run.intended_at = timezone.now()
    executing(NotYet("Not yet."))(behaviour, step)


def give_up(behaviour: Behaviour, step: PipelineStep) -> None:
    PipelineStep.objects.filter(pk=step.pk).update(fruitless_attempts=2)
    step.fruitless_attempts = 2
    claims.give_up(step, 2)


def claim(behaviour: Behaviour, step: PipelineStep) -> None:
    before = step.fence
    claims.claim(step, 2)
    assert (step.fence > before) == (step.status == "running")


def pass_over(behaviour: Behaviour, step: PipelineStep) -> None:
    PipelineRun.objects.filter(pk=step.run_id).update(is_replay=True)
    engine.advance(step.run_id)


def resume(behaviour: Behaviour, step: PipelineStep) -> None:
    PipelineRun.objects.filter(pk=step.run_id).update(status="cancelled")
    interventions.resume(step.run_id, "test")


def retry_step(behaviour: Behaviour, step: PipelineStep) -> None:
    PipelineRun.objects.filter(pk=step.run_id).update(status="failed")
    lifecycle.retry_failed(step.run_id, "test", "ONLY")


STEP_EVENTS: list[tuple[StepEvent, Callable[[Behaviour, PipelineStep], Any]]] = [
    ("claim", claim),
    ("complete", executing(None)),
    ("postpone", executing(Unsteady("Busy."))),
    ("postpone", poll),
    ("fail", executing(StepFailed("No."))),
    ("break", executing(ZeroDivisionError("By zero."))),
    ("give_up", give_up),
    ("pass_over", pass_over),
    ("cancel", lambda behaviour, step: interventions.cancel(step.run_id, "test")),
    ("resume", resume),
    ("retry", retry_step),
]


def change_of_step(behaviour: Behaviour, act: Callable[[Behaviour, PipelineStep], Any], source: str) -> tuple[str, str]:
    step = run_in("running", source).steps.get()
    PipelineStep.objects.filter(pk=step.pk).update(lease_until=timezone.now() - STALE)
    step.refresh_from_db()
    with suppress(SagaError):
        act(behaviour, step)
    return source, PipelineStep.objects.get(pk=step.pk).status


@pytest.mark.parametrize("source", PipelineStep.Status.values)
@pytest.mark.parametrize(("event", "act"), STEP_EVENTS)
def test_an_event_changes_a_step_exactly_in_the_states_it_may(
    behaviour: Behaviour, event: StepEvent, act: Callable[[Behaviour, PipelineStep], Any], source: str
) -> None:
    change = change_of_step(behaviour, act, source)
    if source in step_sources(event):
        assert change in STEP_TRANSITIONS[event]
    else:
        assert change == (source, source)


def test_every_listed_change_of_a_step_happens_and_no_other_one(behaviour: Behaviour) -> None:
    changes = set()
    for source in PipelineStep.Status.values:
        for _, act in STEP_EVENTS:
            changes.add(change_of_step(behaviour, act, source))
            PipelineRun.objects.all().delete()
    assert {change for change in changes if change[0] != change[1]} == {
        change for change in pairs(STEP_TRANSITIONS) if change[0] != change[1]
    }
    assert {event for event, _ in STEP_EVENTS} == set(get_args(StepEvent)) == STEP_TRANSITIONS.keys()
