"""An earlier champion is put back by command and by the admin's button, with its reason, operator and warning."""

import importlib
import io
import json
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from market_data.models import MarketDay
from ml.champions import queries, writer
from ml.learning.estimators import ESTIMATORS
from ml.models import ChampionChange
from portfolio.models import User
from portfolio.pages.evening_status import Sentence, evening_sentences, evening_state
from stocks.models import Stock
from tests.champions import RECIPE, crown, fitted
from tests.published import SESSION
from tradingsite.models import AuditEntry
from tradingsite.monitoring.status import system_status

pytestmark = pytest.mark.django_db
LINEAR = ESTIMATORS["linear"]
DAYS = [SESSION - timedelta(days=number) for number in range(20, -1, -1)]
NEXT = [SESSION + timedelta(days=number) for number in range(1, 6)]


@pytest.fixture(autouse=True)
def market() -> None:
    MarketDay.objects.bulk_create(
        MarketDay(date=day, kind="normal", is_session=True, source="t") for day in (*DAYS, *NEXT)
    )
    with connection.cursor() as cursor:  # the latest session loaded
        Stock.objects.create(symbol="AAA", kind="share")
        cursor.execute(
            "INSERT INTO historical_data (symbol, date, series, open, high, low, close, volume, source, status)"
            " VALUES ('AAA', %s, 'EQ', 1, 1, 1, 1, 1, 't', 'final')",
            [SESSION],
        )


def promoted(model_of_linear: date | None = SESSION) -> None:
    """A history in which the wanted recipe replaced the linear one."""
    crown(DAYS[0], LINEAR.recipe, estimator="linear", parameters=LINEAR.as_json())
    crown(DAYS[9], kind="promoted", champion_recipe=LINEAR.recipe, challenger_recipe=RECIPE, compared_sessions=250)
    fitted(SESSION)
    if model_of_linear:
        fitted(model_of_linear, recipe=LINEAR.recipe, estimator="linear", parameters=LINEAR.as_json())


def champion(*arguments: str) -> tuple[str, str]:
    output, errors = io.StringIO(), io.StringIO()
    call_command("champion", *arguments, stdout=output, stderr=errors)
    return output.getvalue(), errors.getvalue()


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as refused:
        champion(*arguments)
    return str(refused.value)


def test_the_command_prints_champion_challenger_and_decisions(settings: Any) -> None:
    assert champion()[0].startswith("There is no champion yet")
    promoted()
    text, _ = champion()
    assert f"champion    ensemble {RECIPE}, since {DAYS[9]}" in text
    assert "challenger  none" in text
    settings.ESTIMATOR = "linear"
    text, _ = champion()
    assert f"challenger  linear {LINEAR.recipe}. Its next judgement may come on the session that ends" in text
    state = json.loads(champion("--json")[0])
    assert [row["kind"] for row in state["decisions"]] == ["promoted", "first"]
    assert (state["champion"]["recipe"], state["challenger"]["recipe"]) == (RECIPE, LINEAR.recipe)


def test_a_revert_by_command_and_back_again() -> None:
    promoted()
    _, errors = champion("--revert", "--reason=It buys nothing")
    row = queries.champion()
    assert row is not None
    assert (row.kind, row.recipe, row.challenger_recipe, row.session) == ("reverted", LINEAR.recipe, RECIPE, SESSION)
    assert row.reason == f"linear {LINEAR.recipe} was put back in place of ensemble {RECIPE}: It buys nothing."
    assert row.operator
    assert row.reason in errors
    champion("--put", RECIPE, "--reason=After all")
    assert (row := queries.champion()) is not None
    assert row.recipe == RECIPE
    assert ChampionChange.objects.count() == 4
    assert queries.sessions_to_wait(LINEAR.recipe, SESSION) == 60


def test_what_cannot_be_put_back_is_refused_in_a_sentence() -> None:
    assert "There is no champion yet" in refusal("--revert")
    crown(DAYS[0])
    assert f"ensemble {RECIPE} is the only champion there has been." in refusal("--revert")
    assert "is the champion already" in refusal("--put", RECIPE, "--reason=x")
    assert "There is no accepted model of recipe 'abc'" in refusal("--put=abc", "--reason=x")
    assert "--put needs --reason" in refusal("--put=abc", "--reason= ")
    assert "--reason belongs to" in refusal("--reason=x")
    fitted(SESSION, recipe="old", parameters={})
    assert "This version cannot build ensemble old" in refusal("--put=old", "--reason=x")
    fitted(SESSION, "rejected", LINEAR.recipe, estimator="linear", parameters=LINEAR.as_json())
    assert "no accepted model of recipe" in refusal("--put", LINEAR.recipe, "--reason=x")
    assert ChampionChange.objects.count() == 1


def test_a_model_that_is_too_old_is_said_before() -> None:
    promoted(SESSION - timedelta(days=8))
    plan = writer.put_back_plan()
    assert f"Its newest accepted model is of {DAYS[-9]}, more than 7 sessions ago: no picks are" in plan.warning
    assert plan.warning in champion("--revert")[1]
    assert queries.model_in_force(SESSION) is None


# --- the admin --------------------------------------------------------------------------------------------------------
PAGE = "admin:ml_championchange_put_back"
LIST = "admin:ml_championchange_changelist"


def clerk(*permissions: str, **options: Any) -> Client:
    user = User.objects.create_user("meera", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client(**options)
    client.force_login(user)
    return client


def test_the_button_puts_the_earlier_champion_back_once_confirmed() -> None:
    promoted()
    client = clerk("change_championchange")
    assert "Put the earlier champion back" in client.get(reverse(LIST)).content.decode()
    page = client.get(reverse(PAGE)).content.decode()
    assert f"<strong>linear {LINEAR.recipe}</strong> picks again" in page
    assert f"ensemble {RECIPE}, champion since {DAYS[9]}, gives way" in page
    assert ChampionChange.objects.count() == 2
    answer = client.post(reverse(PAGE), {"recipe": LINEAR.recipe, "reason": "It buys nothing"}, follow=True)
    row = queries.champion()
    assert row is not None
    assert (row.recipe, row.operator) == (LINEAR.recipe, "meera")
    assert row.reason in answer.content.decode()
    assert LogEntry.objects.get(object_id=str(row.pk)).change_message
    [entry] = AuditEntry.objects.filter(table_name="champion_changes", actor="meera")
    assert entry.channel == "admin"
    # The page of before, sent once more, turns nothing around.
    answer = client.post(reverse(PAGE), {"recipe": LINEAR.recipe}, follow=True)
    assert "is the champion already" in answer.content.decode()
    assert ChampionChange.objects.count() == 3


def test_an_empty_form_and_a_stale_model_are_said() -> None:
    promoted(SESSION - timedelta(days=8))
    client = clerk("change_championchange")
    assert "more than 7 sessions ago: no picks are published" in client.get(reverse(PAGE)).content.decode()
    assert "The form names no recipe" in client.post(reverse(PAGE), follow=True).content.decode()
    assert ChampionChange.objects.count() == 2
    ChampionChange.objects.all().delete()
    assert "There is no champion yet" in client.get(reverse(PAGE)).content.decode()


def test_only_the_right_to_change_champions_puts_one_back() -> None:
    promoted()
    client = clerk("view_championchange", "change_trainedmodel", "change_pipelinerun")
    assert "Put the earlier champion back" not in client.get(reverse(LIST)).content.decode()
    assert client.get(reverse(PAGE)).status_code == 403
    assert client.post(reverse(PAGE), {"recipe": LINEAR.recipe}).status_code == 403
    assert ChampionChange.objects.count() == 2


def test_a_form_without_its_token_is_refused() -> None:
    promoted()
    client = clerk("change_championchange", enforce_csrf_checks=True)
    assert client.post(reverse(PAGE), {"recipe": LINEAR.recipe}).status_code == 403
    assert ChampionChange.objects.count() == 2


# --- a database from before -------------------------------------------------------------------------------------------
MIGRATION = "ml.migrations.0006_first_champion_of_a_filled_database"


def test_the_model_in_use_becomes_the_first_champion_of_a_filled_database() -> None:
    record = importlib.import_module(MIGRATION).record_first_champion
    editor = SimpleNamespace(connection=connection)
    record(apps, editor)
    assert queries.champion() is None
    fitted(DAYS[3], recipe="old")
    newest = fitted(DAYS[5])
    fitted(DAYS[6], "rejected", recipe="new")
    fitted(DAYS[7], recipe="")
    record(apps, editor)
    assert (row := queries.champion()) is not None
    assert (row.recipe, row.session, row.kind) == (RECIPE, DAYS[5], "first")
    assert queries.model_in_force(DAYS[8]) == newest


# --- where it is shown ------------------------------------------------------------------------------------------------
def test_console_status_and_page_say_who_picks_since_when_and_why_no_other(settings: Any) -> None:
    settings.ESTIMATOR = "linear"
    now = datetime(2026, 5, 1, 8, 0, tzinfo=ZoneInfo("Asia/Kolkata"))
    assert "another recipe" not in " ".join(sentence.text for sentence in sentences(now)).lower()
    crown(DAYS[0])
    fitted(SESSION)
    why = f"ensemble {RECIPE} stays: linear {LINEAR.recipe} earned less than ensemble {RECIPE}."
    crown(
        DAYS[12],
        kind="kept",
        champion_recipe=RECIPE,
        challenger_recipe=LINEAR.recipe,
        reason=why,
        compared_sessions=250,
    )
    standing = f"{why} Its next judgement may come after 52 more sessions."
    state = system_status(now)["champion"]
    assert (state["recipe"], state["since"], state["challenger"]["standing"]) == (RECIPE, DAYS[0], standing)
    text = io.StringIO()
    call_command("system_status", stdout=text)
    assert "52 more sessions" in " ".join(text.getvalue().split())
    console = clerk("view_pipelinerun").get("/admin/").content.decode()
    card = " ".join(console.split('data-part="champion"')[1].split("</section>")[0].split())
    assert f"<b>ensemble {RECIPE}</b> has picked since 10 Apr 2026" in card
    assert standing in card
    public = [sentence.text for sentence in sentences(now)]
    assert public[-2].endswith("its recipe has picked since Friday 10 April 2026.")
    assert "on Wednesday 22 April 2026; it is not used, because one of them earned more" in public[-1]
    assert LINEAR.recipe not in " ".join(public)


def sentences(now: datetime) -> list[Sentence]:
    return evening_sentences(now, evening_state(now, {}))
