"""The kill switch: by command, by file and in the admin; kept for ever, and on whenever it cannot be read."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from portfolio.models import KillSwitch, User
from portfolio.orders import kill_switch as switch
from portfolio.orders.risk import CHECKS
from tests.portfolio.orders.test_risk import BUY, changed
from tradingsite.models import AuditEntry

pytestmark = pytest.mark.django_db
SWITCH, ROWS = "admin:portfolio_killswitch_switch", "admin:portfolio_killswitch_changelist"


@pytest.fixture(autouse=True)
def file(settings: Settings, tmp_path: Path) -> Path:
    settings.KILL_SWITCH_FILE = path = tmp_path / "kill_switch"
    return path


def run(*arguments: str) -> Any:
    out = io.StringIO()
    call_command("kill_switch", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_it_is_off_until_somebody_switches_it():
    assert run() == {"on": False, "stopped_by": "", "file": "", "operator": "", "reason": "", "at": ""}
    assert not CHECKS["kill_switch"](BUY, changed(stopped_by=switch.kill_switch().stopped_by))


def test_the_command_switches_it_and_each_time_is_kept():
    answer = run("on", "--reason", "odd fills")
    assert (answer["on"], answer["reason"]) == (True, "odd fills")
    assert answer["at"].endswith("+05:30")
    sentence = CHECKS["kill_switch"](BUY, changed(stopped_by=switch.kill_switch().stopped_by))
    assert f"{answer['operator']}: odd fills" in sentence
    assert run("off", "--reason", "they were mine")["on"] is False
    assert [(row.is_on, row.reason) for row in KillSwitch.objects.all()] == [
        (False, "they were mine"),
        (True, "odd fills"),
    ]
    assert AuditEntry.objects.filter(table_name="kill_switch").count() == 2


def test_it_speaks_plainly_too(capsys: pytest.CaptureFixture[str]):
    call_command("kill_switch", "on", "--reason", "odd fills")
    assert "The kill switch is on: " in capsys.readouterr().out


@pytest.mark.parametrize("reason", ["", "  ", "\0", "x" * 301])
def test_without_a_reason_nothing_is_switched(reason: str):
    with pytest.raises(CommandError, match="reason"):
        run("on", "--reason", reason)
    assert not KillSwitch.objects.exists()


def test_a_reason_without_on_or_off_is_a_mistake():
    with pytest.raises(CommandError, match="belongs to on or off"):
        run("--reason", "odd fills")


def test_a_file_alone_switches_it_on_and_the_command_does_not_overrule_it(file: Path):
    file.touch()
    assert run()["on"] is True
    assert str(file) in run()["stopped_by"]
    with pytest.raises(CommandError, match=r"Nothing was changed: the file .*kill_switch is there.*Remove it first"):
        run("off", "--reason", "over")
    assert not KillSwitch.objects.exists()
    file.unlink()
    assert run()["on"] is False


def test_what_cannot_be_read_counts_as_on(file: Path, settings: Settings):
    file.mkdir()
    assert switch.kill_switch().is_on
    file.rmdir()
    file.symlink_to("nowhere")
    assert switch.kill_switch().is_on
    file.unlink()
    file.write_text("x")
    settings.KILL_SWITCH_FILE = file / "below_a_file"
    assert "cannot be looked for (Not a directory)" in switch.kill_switch().stopped_by
    settings.KILL_SWITCH_FILE = Path("/" + "x" * 300)
    assert "cannot be looked for (File name too long)" in switch.kill_switch().stopped_by


def test_without_the_database_the_command_names_the_file(file: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(connection, "cursor", refuse)
    with pytest.raises(CommandError, match=f"make the file {file}"):
        run("on", "--reason", "odd fills")


@pytest.mark.parametrize(
    "statement", ["UPDATE kill_switch SET is_on = false", "DELETE FROM kill_switch", "TRUNCATE kill_switch"]
)
def test_a_row_is_never_changed(statement: str):
    switch.switch(on=True, operator="asha", reason="odd fills")
    refused = pytest.raises(DatabaseError, match="Rows of kill_switch are only ever added to")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL audit.maintenance = ''; {statement}")
    assert switch.kill_switch().is_on


# --- the admin --------------------------------------------------------------------------------------------------------
def operator(client: Client, *rights: str) -> Client:
    user = User.objects.create_user("asha", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    return client


def test_one_click_with_a_reason(client: Client):
    operator(client, "view_killswitch", "change_killswitch")
    page = client.get(reverse(SWITCH)).content.decode()
    assert "Stop all orders" in page
    answer = client.post(reverse(SWITCH), {"to": "on", "reason": "odd fills"}, follow=True).content.decode()
    assert "The kill switch is on." in answer
    assert "It is on: let orders go again" in answer
    assert switch.kill_switch().stopped_by == "asha: odd fills"
    assert "asha: odd fills" in client.get(reverse(SWITCH)).content.decode()


@pytest.mark.parametrize(
    ("form", "sentence"),
    [({"to": "on", "reason": " "}, "is switched with a reason"), ({"to": "", "reason": "x"}, "neither on nor off")],
)
def test_an_empty_form_switches_nothing(client: Client, form: dict[str, str], sentence: str):
    operator(client, "view_killswitch", "change_killswitch")
    assert sentence in client.post(reverse(SWITCH), form, follow=True).content.decode()
    assert not KillSwitch.objects.exists()


def test_who_may_only_look_does_not_switch_it(client: Client):
    operator(client, "view_killswitch")
    assert client.get(reverse(SWITCH)).status_code == 403
    assert client.post(reverse(SWITCH), {"to": "on", "reason": "x"}).status_code == 403
    page = client.get(reverse(ROWS)).content.decode()
    assert "Stop all orders" not in page
    assert not KillSwitch.objects.exists()


def test_reading_does_not_switch_it(client: Client):
    operator(client, "view_killswitch", "change_killswitch")
    client.get(reverse(SWITCH), {"to": "on", "reason": "x"})
    assert not KillSwitch.objects.exists()
