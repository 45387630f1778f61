"""Prerequisites: the stored text read and written, when they are met, and how they are described."""

from datetime import date

import pytest

from market_data.models import PipelineRun
from market_data.runs.prerequisites import (
    Alternative,
    Kind,
    Prerequisite,
    describe_all,
    missing_prerequisites,
    parse_all,
)
from market_data.runs.saga import register_condition
from tests.runs import make_run

pytestmark = pytest.mark.django_db

SESSION, OTHER_SESSION = date(2026, 4, 30), date(2026, 4, 29)
RUN = "training_20260501_020000_2"


@pytest.fixture(autouse=True)
def condition() -> None:
    register_condition("on_that_day", "a certain day", lambda session: session == SESSION)


def is_met(stored: str, session: date = SESSION) -> bool:
    return Prerequisite.parse(stored).is_met(session)


@pytest.mark.parametrize(
    ("stored", "kinds", "jobs"),
    [
        ("pipeline", [Kind.JOB], ("pipeline",)),
        (RUN, [Kind.RUN], ("training",)),
        (f"ended:{RUN}", [Kind.ENDED_RUN], ("training",)),
        ("training|on_that_day|moon", [Kind.JOB, Kind.CONDITION, Kind.JOB], ("training", "moon")),
    ],
)
def test_the_stored_text_is_read_and_written(stored, kinds, jobs):
    wanted = Prerequisite.parse(stored)
    assert [alternative.kind for alternative in wanted.alternatives] == kinds
    assert wanted.jobs == jobs
    assert str(wanted) == stored
    assert Prerequisite(tuple(Alternative.parse(part) for part in stored.split("|"))) == wanted


@pytest.mark.parametrize("status", PipelineRun.Status.values)
def test_a_job_must_have_completed_for_the_same_session_and_a_named_run_at_all(status):
    make_run(RUN, job="training", status=status, session=SESSION, done=0)
    completed = status == "completed"
    assert is_met("training") is completed
    assert is_met("training", OTHER_SESSION) is False
    assert is_met(RUN) is is_met(RUN, OTHER_SESSION) is completed
    assert is_met(f"ended:{RUN}") is (status in ("completed", "failed"))


def test_one_alternative_suffices_wherever_it_stands():
    assert is_met("on_that_day|training")
    assert is_met("training|on_that_day")
    assert not is_met("training|on_that_day", OTHER_SESSION)
    make_run(RUN, job="training", status="completed", session=OTHER_SESSION)
    assert is_met(f"{RUN}|pipeline")
    assert not is_met("moon|pipeline")


def test_jobs_that_a_caller_knows_as_completed_cost_no_query(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert Prerequisite.parse("training|pipeline").is_met(SESSION, {"pipeline"})
        assert not Prerequisite.parse("training").is_met(SESSION, {"pipeline"})


def test_what_is_missing_is_described_by_titles():
    make_run(job="pipeline", status="completed", done=6)
    missing = missing_prerequisites(["pipeline", "fill_data", f"training|{RUN}|on_that_day", "csv_export"], SESSION)
    assert list(map(str, missing)) == ["fill_data", "csv_export"]
    assert describe_all(missing) == "Fill missing data and CSV export"
    assert missing_prerequisites(["fill_data"], None) == []
    assert describe_all(parse_all([f"training|ended:{RUN}|on_that_day"])) == (
        "Model training, the end of Model training or a certain day"
    )
    assert describe_all([]) == ""
