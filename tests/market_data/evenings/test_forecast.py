"""When the picks will be there, and how late the work may begin."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_data.evenings.forecast import PlannedJob, forecast

EVENING = datetime(2026, 4, 30, 21, tzinfo=UTC)
DUE = EVENING + timedelta(hours=12)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def planned_jobs(**changes):
    chain = {
        "pipeline": PlannedJob((), EVENING, usual_seconds=600),
        "training": PlannedJob(("pipeline",), EVENING + timedelta(hours=5), usual_seconds=1200),
        "selection": PlannedJob(("pipeline", "training"), EVENING + minutes(315), usual_seconds=60),
    }
    for name, facts in changes.items():
        chain[name] = replace(chain[name], **facts)
    return chain


def test_before_the_evening_planned_times_decide():
    result = forecast(planned_jobs(), "selection", EVENING - timedelta(hours=3), DUE)
    assert result.ready_at == EVENING + timedelta(hours=5) + minutes(20 + 1)
    assert result.latest_start == DUE - minutes(10 + 20 + 1)


def test_a_completed_job_takes_no_more_time():
    chain = planned_jobs(pipeline={"started_at": EVENING, "ended_at": EVENING + minutes(8)})
    result = forecast(chain, "selection", EVENING + minutes(9), DUE)
    assert result.latest_start == DUE - minutes(21)


def test_a_running_job_has_only_its_remainder_left_and_never_less_than_zero():
    now = EVENING + timedelta(hours=5) + minutes(5)
    chain = planned_jobs(
        pipeline={"started_at": EVENING, "ended_at": EVENING + minutes(8)},
        training={"started_at": EVENING + timedelta(hours=5)},
    )
    assert forecast(chain, "selection", now, DUE).latest_start == DUE - minutes(15 + 1)
    late = now + timedelta(hours=2)
    assert forecast(chain, "selection", late, DUE).ready_at == late + minutes(1)


def test_a_late_evening_is_forecast_late():
    now = DUE - minutes(5)
    result = forecast(planned_jobs(), "selection", now, DUE)
    assert result.ready_at == now + minutes(31)
    assert result.ready_at is not None
    assert result.ready_at > DUE
    assert result.latest_start == DUE - minutes(31)


def test_an_unmeasured_job_is_not_guessed_at():
    result = forecast(planned_jobs(training={"usual_seconds": None}), "selection", EVENING, DUE)
    assert (result.ready_at, result.latest_start, result.unmeasured) == (None, None, ("training",))


def test_a_finished_evening_keeps_the_time_it_ended():
    done = EVENING + timedelta(hours=6)
    result = forecast(
        planned_jobs(selection={"ended_at": done}, training={"usual_seconds": None}), "selection", done, DUE
    )
    assert (result.ready_at, result.unmeasured) == (done, ())


@given(st.floats(0, 10_000), st.floats(0, 10_000), st.floats(-600, 600))
def test_starting_by_the_latest_start_meets_the_deadline(pipeline, training, ahead):
    chain = planned_jobs(pipeline={"usual_seconds": pipeline}, training={"usual_seconds": training})
    chain = {
        name: PlannedJob(**{**one.__dict__, "planned": EVENING - timedelta(days=1)}) for name, one in chain.items()
    }
    latest = forecast(chain, "selection", EVENING, DUE).latest_start
    assert latest is not None
    now = latest - minutes(ahead)
    ready = forecast(chain, "selection", now, DUE).ready_at
    assert ready is not None
    assert (ready <= DUE) == (now <= latest) or abs(ahead) < 1e-6


@pytest.mark.parametrize("due", [None, DUE])
def test_without_a_due_time_there_is_no_latest_start(due):
    assert (forecast(planned_jobs(), "selection", EVENING, due).latest_start is None) == (due is None)
