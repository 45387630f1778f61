"""The history of runs: the newest run of a job, and how long its runs usually take."""

from datetime import timedelta

import pytest

from market_data.evenings.recent_runs import RunHistory
from tests.published import SESSION
from tests.runs import STARTED, make_run

pytestmark = pytest.mark.django_db


def completed(number: int, minutes: int, **facts) -> None:
    ended = STARTED + timedelta(minutes=minutes)
    make_run(f"pipeline_{number}", status="completed", done=6, started_at=STARTED, ended_at=ended, **facts)


def test_the_usual_duration_is_the_median_of_completed_runs():
    assert RunHistory().usual_seconds("pipeline") is None
    for number, minutes in enumerate((1, 3, 60)):
        completed(number, minutes)
    completed(8, 500, is_replay=True)
    make_run("pipeline_9", status="failed", started_at=STARTED, ended_at=STARTED + timedelta(minutes=900))
    assert RunHistory().usual_seconds("pipeline") == 180


def test_the_latest_run_is_no_replay_and_quotes_are_left_out():
    completed(1, 1, session=SESSION - timedelta(days=1))
    completed(2, 1, is_replay=True)
    make_run("quotes_1", job="quotes", names=("QUOTES",), done=0)
    history = RunHistory()
    assert (run := history.latest("pipeline")) is not None
    assert (run.id, run.seconds) == ("pipeline_1", 60)
    assert history.latest("quotes") is None
    assert history.of_session("pipeline", SESSION) is None


def test_a_run_that_has_not_ended_has_no_duration():
    make_run()
    [run] = RunHistory().runs
    assert run.seconds is None
