"""Every failure leads to an entry that says what to do, and every entry can be shown."""

import pytest
from django.urls import reverse
from django.utils.html import escape

from tradingsite.operations import runbook


def test_every_rule_leads_to_an_entry_with_something_to_do():
    known = runbook.entries()
    assert runbook.slugs_of_rules() <= set(known)
    assert {slug for slug, entry in known.items() if len(entry.first) < 20} == set()


@pytest.mark.parametrize(
    ("reason", "broke", "slug"),
    [
        (
            "nse_archive has no bars for 2026-04-30 (its latest session is 2026-04-29); put the day's file …",
            False,
            "file-missing",
        ),
        ("a.csv: 40 of 60 rows could not be taken ({'price 0': 40}), more than 5%. …", False, "file-refused"),
        ("nsearchives.nseindia.com answered 503 (after 3 attempts)", False, "source-silent"),
        ("could not extend file: No space left on device (after 3 attempts)", False, "disk-full"),
        ("TRAIN was begun 3 times and never ended: its worker died each time. See the log, …", False, "worker-died"),
        ("The fit ended with 1: MemoryError", False, "training-failed"),
        ("Market days are known from 2016-01-01 to 2026-12-31, not for 2027-01-02; …", False, "calendar-ends"),
        ("OperationalError: server closed the connection unexpectedly", True, "database-lost"),
        ("KeyError: 'adj_close'", True, "step-broke"),
        ("The moon is full.", False, "step-failed"),
    ],
)
def test_a_reason_finds_its_entry(reason, broke, slug):
    assert runbook.entry_of(reason, broke=broke).slug == slug


def test_the_text_is_escaped_and_its_lists_are_lists():
    html = str(runbook._html("A <b> word.\n\n1. Press `x<y`\n   and wait.\n2. Go.\n\nEnd."))
    assert html == (
        "<p>A &lt;b&gt; word.</p>\n<ol>\n<li>Press <code>x&lt;y</code> and wait.</li>\n<li>Go.</li>\n</ol>\n<p>End.</p>"
    )


@pytest.mark.django_db
def test_entries_are_pages(client, operator):
    client.force_login(operator)
    whole = client.get(reverse("operations:runbook")).content.decode()
    for slug, entry in runbook.entries().items():
        assert f'id="{slug}"' in whole
        assert escape(entry.title) in client.get(reverse("operations:runbook-entry", args=[slug])).content.decode()
    assert client.get(reverse("operations:runbook-entry", args=["moon"])).status_code == 404
