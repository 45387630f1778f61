"""The page of a run: what went wrong in a sentence, what to do, who did what, and what may be done."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.runs import STARTED, make_run
from tradingsite.operations import actions, run_page
from tradingsite.operations.views import run_url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("weekdays")]
RUN_QUERIES = 25


@pytest.fixture
def page(client, operator):
    client.force_login(operator)
    return lambda run: client.get(run_url(run.id)).content.decode()


def test_a_failure_shows_its_reason_the_remedy_and_its_runbook_entry(page):
    run = make_run(status="failed", step_status="failed", ended_at=STARTED + timedelta(minutes=3))
    run.steps.filter(status="failed").update(runbook="file-refused")
    html = page(run)
    assert "The file of 2026-04-30 is truncated." in html
    assert "What to do:" in html
    assert reverse("operations:runbook-entry", args=["file-refused"]) in html
    assert 'id="do-step-HISTORICAL_DATA"' in html
    assert 'id="do-step-STOCKS"' not in html
    assert "Read 300 of 500 sessions" in html


def test_a_cancelled_run_links_to_its_entry(page):
    run = make_run(status="cancelled", step_status="pending", reason="cancelled by asha")
    assert reverse("operations:runbook-entry", args=["cancelled"]) in page(run)


def test_an_errored_step_shows_its_traceback(page):
    run = make_run(status="failed", step_status="errored")
    run.steps.filter(status="errored").update(reason="KeyError: 'x'", traceback="Traceback: <here>")
    html = page(run)
    assert "Traceback: &lt;here&gt;" in html
    assert reverse("operations:runbook-entry", args=["step-broke"]) in html


def test_actions_are_logged_with_their_user(page, operator):
    run = make_run(status="failed", step_status="failed", triggered_by="schedule", intended_at=STARTED)
    actions.retry_failed(operator, run.id)
    actions.cancel(operator, run.id)
    html = page(run)
    assert re.search(r"<b>operator</b> Cancelled\..*<b>operator</b> Retried HISTORICAL_DATA\.", html, re.DOTALL)
    assert "<b>schedule</b> planned it." in html


@pytest.mark.parametrize(
    ("status", "step", "possible"),
    [
        ("running", "running", {"hold", "cancel"}),
        ("waiting", "pending", {"hold", "cancel"}),
        ("completed", "completed", {"hold", "roll-back"}),
        ("failed", "failed", {"hold", "retry", "roll-back"}),
        ("cancelled", "pending", {"hold", "resume", "roll-back"}),
        ("rolled_back", "completed", {"hold"}),
    ],
)
def test_unavailable_actions_say_why(status, step, possible):
    run = make_run(status=status, step_status=step)
    run.steps.filter(status="running").update(lease_until=timezone.now() + timedelta(minutes=1))
    buttons = run_page.run_actions(run, list(run.steps.all()))
    assert {action.name for action in buttons if not action.refusal} == possible
    run.steps.filter(status="running").update(lease_until=None)
    lost = {action.name for action in run_page.run_actions(run, list(run.steps.all())) if not action.refusal}
    assert ("resume" in lost) == (status in ("running", "cancelled")), "a run whose worker is lost can be resumed"


def test_steps_are_placed_on_the_timeline():
    run = make_run(status="completed", done=6, ended_at=STARTED + timedelta(minutes=10))
    run.steps.filter(order=1).update(started_at=STARTED + timedelta(minutes=5), ended_at=STARTED + timedelta(minutes=7))
    line = run_page.run_context(run, timezone.now())["steps"][1]
    assert (line.left, line.width, line.took) == (50.0, 20.0, "2 min 00 s")


def test_a_waiting_run_names_what_it_waits_for(page):
    run = make_run(
        job="fill_data", status="waiting", step_status="pending", names=("A",), done=0, waits_for=["pipeline"]
    )
    assert "Waits for Data pipeline." in page(run)


def test_the_page_and_its_fragment_need_few_queries(client, operator, django_assert_max_num_queries):
    run = make_run(status="failed", step_status="failed")
    client.force_login(operator)
    client.get(run_url(run.id))
    with django_assert_max_num_queries(RUN_QUERIES):
        client.get(run_url(run.id))
    with django_assert_max_num_queries(RUN_QUERIES):
        piece = client.get(reverse("operations:run-fragment", args=[run.id]))
    assert "<html" not in piece.content.decode()
    assert piece["X-Again-In"] == "15"
