"""Every failure leads to an entry that says what to do, and every entry is reachable and can be shown."""

import importlib
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.urls import reverse
from django.utils.html import escape

from market_data.models import PipelineStep
from tests.runs import make_run
from tradingsite.operations import runbook

FOLDERS = ("brokers", "market_data", "ml", "portfolio", "stocks", "templates", "tradingsite")
# `runbook="key"` at a raise site, `runbook = "key"` of an exception class, `runbook = 'key'` in a statement.
_IN_CODE = re.compile(r"""\brunbook(?:: str)? ?= ?["']([a-z-]+)["']""")
_KEY = re.compile(r'"([a-z]+-[a-z]+)"')
_IN_TEMPLATES = re.compile(r"'operations:runbook-entry' '([a-z-]+)'")


def keys_used() -> set[str]:
    """Keys in the source, but for tests and migrations, and in the templates."""
    keys: set[str] = set()
    for path in (path for folder in FOLDERS for path in Path(settings.BASE_DIR, folder).rglob("*")):
        if path.suffix not in (".py", ".html") or "migrations" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        keys |= set((_IN_TEMPLATES if path.suffix == ".html" else _IN_CODE).findall(text))
        if path.name in ("failures.py", "runbook.py"):
            keys |= set(_KEY.findall(text))
    return keys


def test_every_key_used_has_an_entry_and_every_entry_is_used():
    assert keys_used() == set(runbook.entries())


def test_every_entry_begins_with_something_to_do():
    assert {key for key, entry in runbook.entries().items() if len(entry.first_step) < 20} == set()


@pytest.mark.parametrize(
    ("status", "key", "shown"),
    [
        ("failed", "file-missing", "file-missing"),
        ("errored", "disk-full", "disk-full"),
        ("failed", "", "step-failed"),
        ("errored", "", "step-broke"),
        ("failed", "an-entry-of-another-version", "step-failed"),
    ],
)
def test_a_failed_step_leads_to_its_entry_or_a_general_one(status, key, shown):
    assert runbook.entry_of(PipelineStep(status=status, runbook=key)).key == shown


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("reason", "status", "key"),
    [
        (
            "nse_archive has no bars for 2026-04-30 (its latest session is 2026-04-29); put the day's file …",
            "failed",
            "file-missing",
        ),
        ("a.csv: 40 of 60 rows could not be taken ({'price 0': 40}), more than 5%. …", "failed", "file-refused"),
        ("nsearchives.nseindia.com answered 503 (after 3 attempts)", "failed", "source-silent"),
        ("could not extend file: No space left on device (after 3 attempts)", "failed", "disk-full"),
        (
            "TRAIN was begun 3 times and never ended: its worker died each time. See the log, …",
            "errored",
            "worker-died",
        ),
        ("The fit ended with 1: MemoryError", "failed", "training-failed"),
        ("Market days are known from 2016-01-01 to 2026-12-31, not for 2027-01-02; …", "failed", "calendar-ends"),
        ("OperationalError: server closed the connection unexpectedly", "errored", "database-lost"),
        ("KeyError: 'adj_close'", "errored", "step-broke"),
        ("The moon is full.", "failed", "step-failed"),
    ],
)
def test_a_failure_stored_before_the_column_is_classified_by_its_reason(reason, status, key):
    run = make_run(status="failed", step_status=status)
    run.steps.filter(status=status).update(reason=reason, runbook="")
    migration = importlib.import_module("market_data.migrations.0006_stored_failures_name_a_runbook_entry")
    migration.name_runbook_entries(apps, SimpleNamespace(connection=connection))
    assert runbook.entry_of(run.steps.get(status=status)).key == key
    assert not run.steps.exclude(status=status).exclude(runbook="").exists()


def test_the_text_is_escaped_and_its_lists_are_lists():
    entry = runbook._entry("a", "A", "A <b> word.\n\n1. Press *`x<y`*\n   and wait.\n2. Go.\n\nEnd.")
    assert str(entry.html) == (
        "<p>A &lt;b&gt; word.</p>\n<ol>\n<li>Press <em><code>x&lt;y</code></em>\nand wait.</li>\n<li>Go.</li>\n</ol>\n"
        "<p>End.</p>\n"
    )
    assert entry.first_step == "Press x<y and wait."


@pytest.mark.django_db
def test_entries_are_pages(client, operator):
    client.force_login(operator)
    whole = client.get(reverse("operations:runbook")).content.decode()
    for key, entry in runbook.entries().items():
        assert f'id="{key}"' in whole
        assert escape(entry.title) in client.get(reverse("operations:runbook-entry", args=[key])).content.decode()
    assert client.get(reverse("operations:runbook-entry", args=["moon"])).status_code == 404
