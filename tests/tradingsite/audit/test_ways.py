"""Whatever way a change takes, it leaves exactly one entry, in its own transaction."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule

from market_data.models import DailyBar, PipelineRun
from market_data.runs import claims, rollback
from portfolio.models import Strategy
from stocks.models import Stock
from tests.published import SESSION
from tests.runs import make_run
from tests.tokens import token_key
from tradingsite.audit.origin import machine_account

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "198.51.100.7"
RUNS = "admin:market_data_pipelinerun_changelist"


@pytest.fixture
def strategy(db: None) -> Strategy:
    return Strategy.objects.create(name="Mine", kind="growth", capital=100)


@pytest.fixture
def browser(client: Client, asha: Any) -> Client:
    client.force_login(asha)
    client.defaults["REMOTE_ADDR"] = ADDRESS
    return client


def test_a_page(client, entries, asha, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    get_user_model().objects.update(password=PBKDF2PasswordHasher().encode("the-password-of-asha", "salt", 10))
    before = len(entries())
    sent = {"username": "asha", "password": "the-password-of-asha"}
    assert client.post("/login/", sent, REMOTE_ADDR=ADDRESS).status_code == 302
    [entry] = entries()[before:]  # a weak hash is replaced at the log-in
    assert (entry.channel, entry.address, entry.path) == ("page", ADDRESS, "POST /login/")
    assert (entry.table_name, entry.row_id, entry.actor) == ("users", str(asha.pk), "")
    assert (entry.before, entry.after) == ({"password": "(secret)"}, {"password": "(another secret)"})


def test_a_form_of_the_admin(browser, entries, strategy, asha):
    address = reverse("admin:portfolio_strategy_change", args=[strategy.pk])
    form = browser.get(address).context["adminform"].form
    sent = {name: value for name, value in form.initial.items() if value is not None} | {"parameters": "{}"}
    assert browser.post(address, sent | {"capital": "250"}).status_code == 302
    [entry] = [entry for entry in entries() if entry.table_name == "strategies" and entry.act == "update"]
    assert (entry.channel, entry.actor, entry.actor_id, entry.address) == ("admin", "asha", asha.pk, ADDRESS)
    assert (entry.before, entry.after) == ({"capital": 100.0}, {"capital": 250.0})
    assert entry.path == f"POST {address}"
    assert (entry.account, entry.token, entry.run_id) == ("", "", "")


def test_an_action_of_the_admin(browser, entries):
    run = make_run(status="failed", step_status="failed", done=1)
    browser.post(reverse(RUNS), {"action": "retry", "_selected_action": [run.pk]})
    [entry] = entries(table_name="pipeline_runs")
    assert (entry.channel, entry.actor, entry.run_id) == ("admin", "asha", run.pk)
    assert (entry.act, entry.before["status"], entry.after["status"]) == ("update", "failed", "running")


def test_the_api_by_session_and_by_token(browser, entries, asha):
    run = make_run(status="failed", step_status="failed", done=1)
    assert browser.post(f"/admin/task/{run.pk}/retry-failed").status_code == 200
    [by_session] = entries(table_name="pipeline_runs")
    key = token_key(asha)
    PipelineRun.objects.update(status="failed")
    run.steps.filter(order=1).update(status="failed")
    bearer = Client(HTTP_AUTHORIZATION=f"Token {key}", REMOTE_ADDR=ADDRESS)
    assert bearer.post(f"/admin/task/{run.pk}/retry-failed").status_code == 200
    by_token = entries(table_name="pipeline_runs", act="update")[-1]
    assert len(entries(table_name="pipeline_runs")) == 2
    for entry, token in ((by_session, ""), (by_token, f"{key[:8]}…")):
        assert (entry.channel, entry.actor, entry.address) == ("api", "asha", ADDRESS)
        assert (entry.token, entry.run_id) == (token, run.pk)


def test_a_run_that_is_created_cancelled_and_rolled_back(browser, entries):
    """Its own progress is no act of anybody."""
    run = make_run(status="running", done=1)
    assert entries(table_name="pipeline_runs") == []  # by the system
    browser.post(reverse(RUNS), {"action": "cancel", "_selected_action": [run.pk]})
    browser.post(reverse("operations:roll-back", args=[run.pk]))
    PipelineRun.objects.filter(pk=run.pk).update(summary={"bars": 1})
    changes = [(entry.before["status"], entry.after["status"]) for entry in entries(table_name="pipeline_runs")]
    assert changes == [("running", "cancelled"), ("cancelled", "rolled_back")]
    assert {entry.table_name for entry in entries(channel="admin")} == {"pipeline_runs"}


def test_a_bulk_update_leaves_an_entry_for_each_row(entries, strategy):
    before = len(entries())
    Strategy.objects.filter(owner=None).update(is_active=False)
    added = entries()[before:]
    assert len(added) == Strategy.objects.count() > 1
    assert {(entry.table_name, entry.act, entry.channel) for entry in added} == {("strategies", "update", "system")}


def test_sql_of_another_program(entries, strategy):
    parameters = connection.get_connection_params()
    address = {name: parameters[name] for name in ("host", "port", "user", "dbname") if name in parameters}
    before = len(entries())
    with psycopg.connect(**address, application_name="a tool") as other:
        other.execute("UPDATE strategies SET kind = 'value' WHERE id = %s", [strategy.pk])
    [entry] = entries()[before:]
    assert (entry.channel, entry.path, entry.account) == ("shell", "a tool", f"{parameters['user']}@local")
    assert (entry.row_id, entry.before, entry.after) == (str(strategy.pk), {"kind": "growth"}, {"kind": "value"})


def test_bars_are_audited_by_the_statement_and_only_when_no_run_writes_them(entries):
    stocks = [Stock(symbol=f"S{number}") for number in range(30)]
    Stock.objects.bulk_create(stocks)
    assert entries() == []  # the system's
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SELECT set_config('audit.channel', 'shell', true)")
        Stock.objects.update(sector="Realty")
        claims.attribute_writes("pipeline_1")
        DailyBar.objects.create(symbol=stocks[0], date=SESSION, series="EQ", close=1, source="test")
    [entry] = entries()
    assert (entry.act, entry.table_name, entry.row_id, entry.channel) == ("update", "stocks", "", "shell")


def test_a_transaction_that_is_rolled_back_leaves_none(entries, strategy):
    before = len(entries())
    with transaction.atomic():
        Strategy.objects.filter(pk=strategy.pk).delete()
        transaction.set_rollback(True)
    assert Strategy.objects.filter(pk=strategy.pk).exists()
    assert entries()[before:] == []


def test_what_log_ins_and_the_queue_note_for_themselves_is_no_act(entries, asha):
    schedule = Schedule.objects.create(name="pipeline", func="market_data.tasks.start_scheduled")
    before = len(entries())
    get_user_model().objects.update(last_login=timezone.now())
    Schedule.objects.update(next_run=timezone.now(), task="0" * 32)
    assert entries()[before:] == []
    schedule.delete()
    assert len(entries()) == before + 1


def test_a_refused_roll_back_leaves_none(entries):
    run = make_run(status="running")
    with pytest.raises(Exception, match="only a run that has ended"):
        rollback.roll_back(run.pk, "asha")
    assert entries() == []


def test_what_was_emptied_by_hand(entries):
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SELECT set_config('audit.maintenance', '', true)")
        cursor.execute("TRUNCATE positions")
    [entry] = entries()
    assert (entry.act, entry.table_name) == ("truncate", "positions")


# --- commands -------------------------------------------------------------------------------------------------------
def manage(*arguments: str, **environment: str) -> str:
    """Run a command on the tests' database, as its own process."""
    url = os.environ["DATABASE_URL"].replace("/trading_system", f"/{connection.settings_dict['NAME']}")
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, env=os.environ | {"DATABASE_URL": url} | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_command(entries):
    manage("createsuperuser", "--noinput", "--username", "kiran", "--email", "", DJANGO_SUPERUSER_PASSWORD="Tr1cky-one")
    [entry] = entries()
    assert (entry.channel, entry.path) == ("command", "manage.py createsuperuser")
    assert (entry.account, entry.actor, entry.address) == (machine_account(), "", "")
    assert (entry.act, entry.after["username"], entry.after["password"]) == ("insert", "kiran", "(secret)")


def test_a_prompt_on_the_database(entries, strategy):
    before = len(entries())
    manage("psql", "--", "-c", "UPDATE strategies SET capital = 7 WHERE name = 'Mine'")
    [entry] = entries()[before:]
    assert (entry.channel, entry.path, entry.account) == ("shell", "manage.py psql", machine_account())


@pytest.mark.long
def test_every_command_that_changes_something(entries, asha, tmp_path: Path):
    failed = make_run("validation_20260430_210000", job="validation", status="failed", done=0, step_status="failed")
    PipelineRun.objects.filter(pk=failed.pk).update(status="completed")
    days = tmp_path / "days.csv"
    days.write_text("date,kind,is_session\n2026-12-25,holiday,no\n")
    backups = {"BACKUP_DIR": str(tmp_path / "backups")}
    manage("import_market_days", str(days))
    for arguments, table in (
        (("import_market_days", str(days.rename(tmp_path / "again.csv"))), "market_days"),
        (("rollback_run", failed.pk), "pipeline_runs"),
        (("cleanup",), "pipeline_runs"),
        (("api_token", "make", "asha", "--name", "a script"), "api_tokens"),
        (("sync_schedules",), "django_q_schedule"),
        (("backup",), "pipeline_runs"),
    ):
        before = len(entries())
        manage(*arguments, **backups)
        added = entries()[before:]
        assert {entry.table_name for entry in added} - {""} == {table}
        assert {(entry.channel, entry.path) for entry in added} == {("command", f"manage.py {arguments[0]}")}
        assert {entry.account for entry in added} == {machine_account()}
    [back_up] = entries(act="back-up")
    [run] = entries(table_name="pipeline_runs", run_id=back_up.run_id)
    assert run.after["job"] == "backup"
