"""A failed or cancelled re-run stands beside the good result that it could not replace, on pages and in the API."""

import io
import re
from datetime import date, timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from market_data.evenings.current_evening import current_evening
from market_data.models import PipelineRun
from market_data.runs import engine, interventions, lifecycle
from market_data.runs.queries import unresolved_runs
from tests.published import SESSION
from tests.runs import make_run
from tradingsite.alerts.job_conditions import troubled_jobs
from tradingsite.alerts.symptoms import CheckContext
from tradingsite.operations import home
from tradingsite.operations.views import run_url

pytestmark = pytest.mark.django_db


def exported(session: date) -> PipelineRun:
    """Run the export of a session, as its button and a worker would."""
    return engine.advance(lifecycle.create_run("csv_export", session, triggered_by="operator").id, wait=True)


@pytest.fixture
def session(weekdays) -> date:
    evening = current_evening(timezone.now())
    assert evening is not None
    return evening.session


@pytest.fixture
def rerun(session, settings, tmp_path) -> PipelineRun:
    """A good export, and a later one that found a file where its folder was."""
    settings.EXPORT_DIR = tmp_path / "exports"
    assert exported(session).status == "completed"
    settings.EXPORT_DIR = tmp_path / "file"
    settings.EXPORT_DIR.write_text("")
    failed = exported(session)
    assert failed.status == "failed"
    return failed


def line(slug: str):
    state = home.home_context(timezone.now())
    return next(line for line in state["tonight"].lines if line.slug == slug)


def test_the_console_shows_the_failed_rerun_beside_the_good_result(rerun, client, operator):
    client.force_login(operator)
    page = client.get("/admin/").content.decode()
    assert line("csv-export").status == "completed"
    assert line("csv-export").rerun_id == rerun.id
    assert re.search(r're-run \w{3} \d\d:\d\d failed: .* <a href="' + run_url(rerun.id), page)
    assert "1 run failed" in page
    assert rerun.reason[:60] in page


def test_a_cancelled_rerun_counts_too(session, settings, tmp_path, client, operator):
    settings.EXPORT_DIR = tmp_path
    good = exported(session)
    again = lifecycle.create_run("csv_export", session, triggered_by="operator")
    interventions.cancel(again.id, "operator")
    client.force_login(operator)
    page = client.get("/admin/").content.decode()
    assert line("csv-export").run_id == good.id
    assert line("csv-export").rerun.endswith("cancelled: cancelled by operator")
    assert "1 run cancelled" in page


def test_the_menu_counts_the_runs_that_its_list_shows(rerun, client, operator):
    make_run("cleanup_1", job="cleanup", status="cancelled", names=("CLEANUP",), session=None)
    make_run("pipeline_1", status="failed", session=SESSION)
    make_run("pipeline_2", status="completed", session=SESSION)
    client.force_login(operator)
    page = client.get("/admin/").content.decode()
    assert re.search(r"Failed runs\s*</span>\s*<span[^>]*>\s*2\s*</span>", page)
    listed = client.get("/admin/market_data/pipelinerun/?unresolved=yes").context["cl"]
    assert {run.id for run in listed.result_list} == {rerun.id, "cleanup_1"}


def test_the_status_api_and_the_terminal_know_it_too(rerun, client, operator):
    client.force_login(operator)
    status = client.get("/admin/system/status").json()["status"]
    assert [(task["task_id"], task["status"]) for task in status["failed_tasks"]] == [(rerun.id, "failed")]
    stream = io.StringIO()
    call_command("system_status", stdout=stream)
    assert "csv_export, re-run failed" in stream.getvalue()
    assert rerun.id in stream.getvalue().replace("\n", "")


def test_an_alert_names_the_failed_rerun_and_the_result_that_stands(rerun):
    good = PipelineRun.objects.get(status="completed")
    result = troubled_jobs(CheckContext(timezone.now(), timezone.now(), "data", "host", {}))
    [symptom] = [symptom for symptom in result.symptoms if symptom.key == "jobs:csv_export"]
    assert f"failed ({rerun.id})" in symptom.title
    assert symptom.title.endswith(f"The result of {good.id} stands.")


@pytest.mark.parametrize(
    ("later", "is_open"),
    [
        ({"status": "completed"}, False),
        ({"status": "completed", "session": SESSION + timedelta(days=1)}, False),
        ({"status": "completed", "session": SESSION - timedelta(days=1)}, True),
        ({"status": "completed", "job": "fill_data"}, True),
        ({"status": "completed", "is_replay": True}, True),
        ({"status": "running"}, True),
        ({"status": "skipped"}, True),
    ],
)
@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_only_a_good_later_run_of_the_job_settles_a_failure(later, is_open, status):
    make_run("pipeline_1", status=status)
    make_run("later_1", **later)
    assert ("pipeline_1" in {run.id for run in unresolved_runs()}) == is_open
