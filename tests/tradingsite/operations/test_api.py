"""The contract's JSON for operators: status, triggers, tasks, retries – and who may not, and what is refused."""

from datetime import datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from market_data import trading_calendar
from market_data.models import PipelineRun, TableTotal
from stocks.models import Stock
from tests.published import SESSION, pick, publish
from tests.runs import make_run
from tests.tokens import token_key

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("weekdays")]
TRIGGERS = ("pipeline", "fill-data", "business-logic", "ml-training", "csv-export", "all")


@pytest.fixture
def token(operator):
    return {"HTTP_AUTHORIZATION": f"Token {token_key(operator)}"}


@pytest.fixture
def ask(client, token):
    return lambda method, address: getattr(client, method)(f"/admin/{address}", **token)


def latest():
    return trading_calendar.latest_completed_session(timezone.now())


def complete(job):
    return make_run(f"{job}_1", job=job, status="completed", done=1, names=("ONLY",), session=latest())


# --- status ---------------------------------------------------------------------------------------------------------
def test_the_status_has_the_contracts_keys_and_omits_unknown_values(ask):
    Stock.objects.create(symbol="AAA", current_price=10)
    TableTotal.objects.create(table_name="historical_data", rows=820_574, symbols=2259, latest_date=SESSION)
    publish("growth", [pick("AAA"), pick("BBB")])
    body = ask("get", "system/status").json()
    assert body["success"] is True
    status = body["status"]
    assert status["stocks"] == {"total": 1, "with_price": 1, "with_market_cap": 0}
    assert status["historical_data"] == {"symbols": 2259, "records": 820_574, "latest_date": str(SESSION)}
    assert status["technical_indicators"] == {"symbols": 0, "records": 0}
    assert status["daily_snapshots"] == {"total": 2, "unique_dates": 1, "latest_date": str(SESSION)}
    assert "latest_session" not in status
    assert [cluster["alive"] for cluster in status["clusters"]] == [False, False, False]


def test_the_status_counts_no_big_table(ask, django_assert_max_num_queries):
    with django_assert_max_num_queries(15) as queries:
        ask("get", "system/status")
    assert [query for query in queries.captured_queries if 'FROM "historical_data"' in query["sql"]] == []


# --- triggers -------------------------------------------------------------------------------------------------------
def test_a_trigger_that_must_wait_for_its_turn_says_for_which_run(ask):
    at_work = "business_logic_20260430_214500"
    make_run("pipeline_1", status="completed", session=latest(), done=6)
    make_run(at_work, job="business_logic", session=latest(), names=("ONLY",), done=0)
    answer = ask("post", "trigger/fill-data")
    run = PipelineRun.objects.get(job="fill_data")
    reason = f"for Business logic ({at_work}) to finish with stock_metrics, stocks, technical_indicators"
    assert (answer.status_code, answer.json()) == (
        200,
        {"success": True, "task_id": run.id, "message": f"Fill missing data waits {reason}", "status": "waiting"},
    )
    assert OrmQ.objects.count() == 0
    task = ask("get", f"task/{run.id}/status").json()["task"]
    waits_for = [f"turn:{at_work}:stock_metrics,stocks,technical_indicators"]
    assert (task["status"], task["waits_for"], task["reason"]) == ("waiting", waits_for, f"Waits {reason}.")


def test_a_second_trigger_names_the_active_run(ask):
    answer = ask("post", "trigger/pipeline")
    run = PipelineRun.objects.get()
    assert (answer.status_code, answer.json()) == (
        200,
        {"success": True, "task_id": run.id, "message": "Data pipeline started"},
    )
    assert (run.status, run.triggered_by, run.session) == ("running", "operator", latest())
    assert OrmQ.objects.count() == 1
    again = ask("post", "trigger/pipeline")
    assert again.status_code == 409
    assert again.json()["task_id"] == run.id
    assert again.json()["success"] is False
    assert again.json()["error"]["code"] == "already_running"
    assert run.id in again.json()["error"]["message"]
    assert PipelineRun.objects.count() == 1
    assert LogEntry.objects.get().change_message == "Started."


def test_an_unknown_job_answers_with_the_known_ones(ask):
    answer = ask("post", "trigger/moon")
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "unknown_job"
    for slug in (*TRIGGERS, "validation", "selection", "symbol-master", "backup", "cleanup", "quotes"):
        assert slug in error["message"]


def test_a_job_does_not_start_on_an_incomplete_day(ask):
    answer = ask("post", "trigger/fill-data")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "may_not_start")
    assert "Data pipeline of" in answer.json()["error"]["message"]
    assert not PipelineRun.objects.exists()
    complete("pipeline")
    assert ask("post", "trigger/fill-data").status_code == 200


def test_every_trigger_of_the_contract_exists(ask):
    for job in ("pipeline", "fill_data", "business_logic", "validation"):
        complete(job)
    for slug in TRIGGERS[1:5]:
        answer = ask("post", f"trigger/{slug}")
        assert answer.status_code == 200, (slug, answer.json())


def test_all_is_one_chain_that_can_be_followed_by_one_id(ask):
    body = ask("post", "trigger/all").json()
    assert body["task_id"].startswith("all_")
    runs = list(PipelineRun.objects.order_by("sequence"))
    assert runs[0].job == "pipeline"
    assert [run.status for run in runs] == ["running"] + ["waiting"] * (len(runs) - 1)
    task = ask("get", f"task/{body['task_id']}/status").json()["task"]
    assert task["status"] == "running"
    assert [step["name"] for step in task["steps"]] == [run.job for run in runs]
    assert task["steps"][1]["waits_for"] == [runs[0].id]
    assert "end_time" not in task
    refused = ask("post", "trigger/all")
    assert (refused.status_code, refused.json()["task_id"]) == (409, runs[0].id)
    assert PipelineRun.objects.count() == len(runs)


# --- tasks ----------------------------------------------------------------------------------------------------------
def test_a_task_is_returned_with_its_steps(ask):
    run = make_run()
    body = ask("get", f"task/{run.id}/status").json()
    task = body["task"]
    assert (body["success"], task["task_id"], task["status"]) == (True, run.id, "running")
    assert task["description"] == "Data Pipeline (6-step saga)"
    first, _, at_work, pending = task["steps"][:4]
    assert first["name"] == "SYMBOL_MASTER"
    assert first["status"] == "completed"
    assert datetime.fromisoformat(first["start_time"]).utcoffset() == timedelta(hours=5, minutes=30)
    assert (at_work["progress"], "end_time" in at_work) == (0.5, False)
    assert pending["status"] == "pending"
    assert None not in task.values()
    assert "reason" not in task


def test_an_unknown_task_is_not_found(ask):
    for method, address in (("get", "task/moon_1/status"), ("post", "task/moon_1/retry-failed")):
        answer = ask(method, address)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_failed_run_is_retried_under_an_additional_id(ask):
    run = make_run(status="failed", step_status="failed", done=2)
    body = ask("post", f"task/{run.id}/retry-failed").json()
    assert body["task_id"].startswith("retry_")
    assert body["message"] == "Retrying 1 failed step"
    assert body["failed_steps"] == ["HISTORICAL_DATA"]
    task = ask("get", f"task/{body['task_id']}/status").json()["task"]
    assert (task["task_id"], task["status"]) == (body["task_id"], "running")
    assert [step["status"] for step in task["steps"]][:3] == ["completed", "completed", "pending"]


@pytest.mark.parametrize(
    ("status", "step"), [("running", "running"), ("completed", "completed"), ("waiting", "pending")]
)
def test_only_a_failed_run_is_retried(ask, status, step):
    run = make_run(status=status, step_status=step)
    answer = ask("post", f"task/{run.id}/retry-failed")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_retryable")
    assert f"{run.id} is {status}" in answer.json()["error"]["message"]


def test_retrying_an_evening_retries_its_failed_job(ask):
    alias = ask("post", "trigger/all").json()["task_id"]
    assert ask("post", f"task/{alias}/retry-failed").status_code == 409
    run = PipelineRun.objects.get(job="pipeline")
    run.steps.filter(order=0).update(status="failed", reason="The file is truncated.")
    PipelineRun.objects.filter(pk=run.pk).update(status="failed")
    assert ask("get", f"task/{alias}/status").json()["task"]["status"] == "failed"
    assert ask("post", f"task/{alias}/retry-failed").json()["failed_steps"] == ["SYMBOL_MASTER"]


# --- who may --------------------------------------------------------------------------------------------------------
ADDRESSES = (
    ("get", "/admin/system/status"),
    ("post", "/admin/trigger/cleanup"),
    ("get", "/admin/task/pipeline_20260430_210000/status"),
    ("post", "/admin/task/pipeline_20260430_210000/retry-failed"),
)


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_visitors_traders_and_onlookers(client, method, address):
    make_run(status="failed", step_status="failed")
    answer = getattr(client, method)(address)
    assert (answer.status_code, answer.json()["success"]) == (401, False)
    client.force_login(get_user_model().objects.create_user("trader"))
    assert getattr(client, method)(address).status_code == 403
    onlooker = get_user_model().objects.create_user("onlooker", is_staff=True)
    client.force_login(onlooker)
    assert getattr(client, method)(address).status_code == 403
    onlooker.user_permissions.add(Permission.objects.get(codename="view_pipelinerun"))
    assert getattr(client, method)(address).status_code == (200 if method == "get" else 403)
    assert not PipelineRun.objects.filter(job="cleanup").exists()
    onlooker.user_permissions.set(Permission.objects.filter(codename="change_pipelinerun"))
    assert getattr(client, method)(address).status_code == 200


def test_a_session_needs_its_csrf_token_and_a_token_does_not(operator, token):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(operator)
    assert strict.post("/admin/trigger/cleanup").status_code == 403
    assert not PipelineRun.objects.exists()
    strict.get("/admin/")
    key = strict.cookies["csrftoken"].value
    assert strict.post("/admin/trigger/cleanup", headers={"x-csrftoken": key}).status_code == 200
    bare = Client(enforce_csrf_checks=True)
    assert bare.post("/admin/trigger/backup", **token).status_code == 200


def test_a_get_changes_nothing(ask):
    for address in ("trigger/pipeline", "task/x/retry-failed"):
        assert ask("get", address).status_code == 405
    assert not PipelineRun.objects.exists()


def test_the_endpoints_are_in_the_schema(client):
    paths = client.get("/api/schema/?format=json").json()["paths"]
    assert "post" in paths["/admin/trigger/{job}"]
    assert set(paths) >= {"/admin/system/status", "/admin/task/{task_id}/status", "/admin/task/{task_id}/retry-failed"}
