"""`system_status` prints one screen, or the same facts as JSON."""

import io
import json

import pytest
from django.core.management import call_command

from tests.tables import fill_every_table

pytestmark = pytest.mark.django_db


def printed(*arguments: str) -> str:
    stream = io.StringIO()
    call_command("system_status", *arguments, stdout=stream)
    return stream.getvalue()


def test_one_screen_starts_with_what_is_wrong():
    fill_every_table()
    text = printed()
    lines = text.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 120
    assert lines[0] == "NOT READY"
    assert "No sign of life from data, ml" in text
    assert "Published" in text or "bstain" in text  # the verdict on the picks, as on the admin's home
    assert "historical data" in text
    assert "pipeline: " in text or "Failed" in text or "failed" in text
    assert "balanced 1" in text
    assert "1 warning" in text
    assert "\x1b" not in text  # no colours outside a terminal


def test_an_empty_database_says_what_to_do():
    text = printed()
    assert "run_all" in text
    assert "not scheduled (sync_schedules)" in text


def test_json_holds_the_same_facts():
    fill_every_table()
    status = json.loads(printed("--json"))
    assert status["tables"]["historical_data"]["records"] == 1
    assert {job["job"]: job["status"] for job in status["jobs"]}["pipeline"] == "failed"
    assert status["parts"]["database"]["ok"] is True
