"""The jobs that can be started: their addresses, the order of an evening, and what keeps one from starting."""

from datetime import date

import pytest

from market_data.runs.saga import sagas
from market_data.tasks import Link
from tradingsite.operations import jobs
from tradingsite.operations.jobs import Situation
from tradingsite.schedule import scheduled_jobs

SESSION = date(2026, 4, 30)
BARE = Situation(SESSION, "", {}, frozenset())


def test_every_scheduled_job_has_a_slug_and_the_contracts_slugs_hold():
    known = jobs.startable_jobs()
    names = {job.name for job in known.values()}
    assert names >= {saga.job for saga in scheduled_jobs()}
    assert names <= set(sagas())
    assert known["ml-training"].name == "training"
    assert {"pipeline", "fill-data", "business-logic", "csv-export", "validation", "selection"} <= set(known)
    assert (known["pipeline"].title, known["csv-export"].title) == ("Data pipeline", "CSV export")


def test_an_unknown_job_lists_the_known_ones():
    with pytest.raises(jobs.UnknownJob, match=r"no job 'moon'; the jobs are .*ml-training.*, all\."):
        jobs.startable_job("moon")


def test_an_evening_is_a_chain_in_which_only_the_training_may_fail(settings, tmp_path):
    settings.FUNDAMENTALS_DIR = None
    links = jobs.whole_evening()
    assert links[0] == Link("pipeline")
    assert [link.completed for link in links[1:5]] == [
        ("pipeline",),
        ("fill_data",),
        ("business_logic",),
        ("validation",),
    ]
    assert Link("selection", ended=("training",)) in links
    settings.FUNDAMENTALS_DIR = tmp_path
    assert jobs.whole_evening()[:2] == (Link("import_fundamentals"), Link("pipeline", ("import_fundamentals",)))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("job", "situation", "words"),
    [
        ("pipeline", BARE, ""),
        ("fill_data", BARE, "It waits for Data pipeline of 2026-04-30"),
        ("fill_data", Situation(SESSION, "", {}, frozenset({"pipeline"})), ""),
        ("cleanup", Situation(None, "The calendar ends.", {}, frozenset()), ""),
        ("pipeline", Situation(None, "The calendar ends.", {}, frozenset()), "The calendar ends."),
        ("cleanup", Situation(SESSION, "", {"cleanup": "cleanup_1"}, frozenset()), "It is active as cleanup_1."),
        ("selection", Situation(SESSION, "", {}, frozenset({"validation", "training"})), ""),
    ],
)
def test_why_a_job_may_not_start(weekdays, job, situation, words):
    refusal = jobs.refusal(job, situation)
    assert refusal.startswith(words) if words else refusal == ""


def test_a_whole_evening_is_refused_while_one_of_its_jobs_is_active():
    assert jobs.refusal_of_all(BARE) == ""
    assert "validation_1 is active" in jobs.refusal_of_all(
        Situation(SESSION, "", {"validation": "validation_1"}, frozenset())
    )
