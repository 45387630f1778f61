"""The state of runs as pages and terminal show it."""

import pytest

from market_data.evenings.recent_runs import RunHistory
from market_data.models import PipelineRun
from market_data.runs import queries as run_queries
from tests.published import SESSION
from tests.runs import make_run

pytestmark = pytest.mark.django_db


def test_a_running_run_shows_its_step_and_progress():
    make_run(done=2, progress=0.5)
    [run] = run_queries.active_runs()
    assert (run.title, run.status, run.is_active, run.simulated) == ("Data pipeline", "running", True, True)
    assert run.progress == pytest.approx(2.5 / 6)
    assert run.current is not None
    assert run.current.name == "HISTORICAL_DATA"
    assert run.current.last_line == "Read 300 of 500 sessions"


def test_running_runs_come_before_waiting_ones():
    make_run("fill_data_1", job="fill_data", status="waiting", done=0, step_status="pending", waits_for=["pipeline"])
    make_run("pipeline_1")
    assert [run.id for run in run_queries.active_runs()] == ["pipeline_1", "fill_data_1"]
    assert run_queries.active_runs()[1].waits_for == ("Data pipeline",)


def test_a_failure_is_unresolved_until_a_later_run_completes():
    make_run("pipeline_1", status="failed", step_status="failed", done=1)
    make_run("selection_1", job="selection", status="completed", done=6)
    assert [run.id for run in run_queries.unresolved_runs()] == ["pipeline_1"]
    make_run("pipeline_2", status="completed", done=6)
    assert list(run_queries.unresolved_runs()) == []


@pytest.mark.parametrize(
    ("statuses", "rerun"),
    [
        ("completed failed", 1),
        ("completed failed cancelled", 2),
        ("completed failed rolled_back", 1),
        ("failed completed", None),
        ("completed failed completed", None),
        ("completed failed running", None),
        ("failed cancelled", None),
    ],
)
def test_a_failed_run_after_a_good_one_stands_beside_it(statuses, rerun):
    for number, status in enumerate(statuses.split()):
        make_run(f"pipeline_{number}", status=status, done=1)
    wanted = None if rerun is None else f"pipeline_{rerun}"
    assert (latest := run_queries.latest_standing("pipeline")) is not None
    assert (latest.rerun.id if latest.rerun else None) == wanted
    of_session = run_queries.standings(SESSION, ["pipeline"])["pipeline"]
    assert (of_session.rerun.id if of_session.rerun else None) == wanted


def test_a_job_without_a_session_has_nothing_to_repeat():
    for number, status in enumerate(("completed", "failed")):
        make_run(f"cleanup_{number}", job="cleanup", status=status, session=None, names=())
    standing = run_queries.latest_standing("cleanup")
    assert standing is not None
    assert (standing.run.id, standing.rerun) == ("cleanup_1", None)


def test_a_completed_run_has_full_progress():
    make_run("pipeline_1", status="completed", done=1)
    assert run_queries.standings(SESSION, ["pipeline"])["pipeline"].run.progress == 1.0


def test_an_empty_database_has_no_runs():
    assert run_queries.active_runs() == []
    assert list(run_queries.unresolved_runs()) == []


def test_a_run_without_steps_has_no_current_step():
    make_run(names=())
    [run] = run_queries.active_runs()
    assert (run.progress, run.current) == (0.0, None)


def test_job_and_step_have_titles():
    make_run("csv_export_1", job="csv_export", names=("CSV_EXPORT",), done=0)
    [run] = run_queries.active_runs()
    assert (run.title, run.steps[0].title) == ("CSV export", "CSV export")


def test_many_runs_take_few_queries(django_assert_max_num_queries):
    for number in range(10):
        make_run(f"pipeline_{number}", status="completed", done=6)
    with django_assert_max_num_queries(2):
        run_queries.standings(SESSION, ["pipeline"])


def test_prerequisites_are_described_by_titles_of_jobs_and_conditions():
    waits_for = ["fill_data", "ended:pipeline_20260430_210000_2", "training_20260501_020000|recent_model"]
    PipelineRun.objects.create(
        id="x", sequence=1, job="selection", provider_kind="real", status="waiting", waits_for=waits_for
    )
    [waiting] = run_queries.active_runs()
    assert waiting.waits_for == (
        "Fill missing data",
        "the end of Data pipeline",
        "Model training or a recent accepted model",
    )


@pytest.mark.parametrize(
    ("statuses", "decisive"),
    [
        ("failed", 0),
        ("failed completed", 1),
        ("completed failed", 0),
        ("completed running", 1),
        ("waiting failed", 0),
        ("cancelled failed", 1),
    ],
)
def test_an_active_run_decides_then_a_completed_one_then_the_newest(statuses, decisive):
    for number, status in enumerate(statuses.split()):
        make_run(f"pipeline_{number}", status=status, done=1)
    make_run("pipeline_replay", status="completed", done=6, is_replay=True)
    assert run_queries.standings(SESSION, ["pipeline", "training"])["pipeline"].run.id == f"pipeline_{decisive}"
    runs = RunHistory()
    assert (run := runs.of_session("pipeline", SESSION)) is not None
    assert run.id == f"pipeline_{decisive}"
