"""The page of a run: what went wrong in a sentence, what to do, who did what, and what may be done."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone

from market_data.models import PipelineRun, StepAttempt
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
    noon = datetime(2026, 4, 30, 12, tzinfo=ZoneInfo("Asia/Kolkata"))  # before the run's evening
    run = make_run(status=status, step_status=step)
    run.steps.filter(status="running").update(lease_until=timezone.now() + timedelta(minutes=1))
    buttons = run_page.run_actions(run, list(run.steps.all()), noon)
    assert {action.name for action in buttons if not action.refusal} == possible
    run.steps.filter(status="running").update(lease_until=None)
    lost = {action.name for action in run_page.run_actions(run, list(run.steps.all()), noon) if not action.refusal}
    assert ("resume" in lost) == (status in ("running", "cancelled")), "a run whose worker is lost can be resumed"


def test_steps_are_placed_on_the_timeline():
    run = make_run(status="completed", done=6, ended_at=STARTED + timedelta(minutes=10))
    run.steps.filter(order=1).update(started_at=STARTED + timedelta(minutes=5), ended_at=STARTED + timedelta(minutes=7))
    line = run_page.run_context(run, timezone.now())["steps"][1]
    assert (line.spans, line.took) == ([(50.0, 20.0, "completed")], "2 min 00 s")
    failed = STARTED + timedelta(minutes=6)
    attempt(line_of(run, 1), 1, STARTED + timedelta(minutes=5), failed, "failed", "Busy.")
    attempt(line_of(run, 1), 2, failed + timedelta(minutes=2), failed + timedelta(minutes=4), "completed")
    line = run_page.run_context(run, timezone.now())["steps"][1]
    assert line.spans == [(50.0, 10.0, "failed"), (80.0, 20.0, "completed")]
    assert line.took == "3 min 00 s", "the pause between them is nobody's work"


def line_of(run, order):
    return run.steps.get(order=order)


def attempt(step, number, started_at, ended_at, outcome, reason="", **facts):
    return StepAttempt.objects.create(
        step=step,
        number=number,
        fence=number,
        started_at=started_at,
        ended_at=ended_at,
        outcome=outcome,
        reason=reason,
        worker="host-1:77:boot:1:1",
        **facts,
    )


def test_every_attempt_is_shown_with_its_log_and_the_time_at_work_is_theirs(page):
    run = make_run(status="completed", done=6, ended_at=STARTED + timedelta(hours=8))
    step, later = run.steps.get(name="STOCKS"), STARTED + timedelta(hours=7)
    attempt(step, 1, STARTED, STARTED + timedelta(seconds=8), "failed", "The list is empty.", log_lines=["read rows=0"])
    attempt(
        step, 2, later, later + timedelta(seconds=4), "lost", "Its worker's process ended.", traceback="Traceback 2"
    )
    attempt(step, 3, later, later + timedelta(seconds=5), "completed", log_lines=["read rows=2259"])
    step.attempts = 3
    step.save()
    html = page(run)
    assert "<dt>Time at work</dt><dd>17 s</dd>" in html
    assert "attempt 3" in html
    for shown in (
        "Failed: The list is empty.",
        "Worker lost: Its worker",
        "read rows=0",
        "read rows=2259",
        "Traceback 2",
    ):
        assert shown in html
    assert "host-1:77 " not in html
    assert "host-1:77<" in html
    assert html.count("boot:1:1") == 0


def test_a_page_that_says_nothing_wrong(page):
    """A failed run has no result to wait for, what did nothing has a figure, and a pending step is no failure."""
    run = make_run(
        status="failed",
        step_status="failed",
        ended_at=STARTED + timedelta(minutes=3),
        summary={"price_jumps": 0, "inferred_events": [], "statements": {}},
    )
    run.steps.filter(name="STOCKS").update(records_processed=0)
    run.steps.filter(name="TECHNICAL_INDICATORS").update(reason="cancelled by admin")
    html = page(run)
    assert "0 records" in html
    for name in ("Price jumps", "Inferred events", "Statements"):
        figure = re.search(rf"<b>{name}</b> (\S*)</li>", html)
        assert figure is not None
        assert figure[1] == "0"
    assert '<p class="faint">cancelled by admin</p>' in html
    PipelineRun.objects.update(summary={})
    assert "Nothing: the run ended before it had a result." in page(PipelineRun.objects.get())


def test_a_failed_run_whose_next_step_is_pending_can_be_retried():
    run = make_run(status="failed", step_status="pending")
    buttons = run_page.run_actions(run, list(run.steps.all()), timezone.now())
    retry = next(action for action in buttons if action.name == "retry")
    assert retry.refusal == ""


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
