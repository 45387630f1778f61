"""Buttons: what they do, that two who press at once make one run, and what is refused."""

import threading
from datetime import date

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from market_data.evenings.current_evening import current_evening
from market_data.models import EveningHold, PipelineRun
from market_data.runs import lifecycle
from stocks.models import Stock
from tests.published import SESSION
from tests.runs import STARTED, make_run
from tradingsite.operations import evening_holds
from tradingsite.operations.views import run_url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("weekdays")]


@pytest.fixture
def press(client, operator):
    client.force_login(operator)

    def press_button(name, *args, **data):
        answer = client.post(reverse(f"operations:{name}", args=args), data, follow=True)
        assert answer.status_code == 200
        return [str(message) for message in answer.context["messages"]]

    return press_button


@pytest.mark.django_db(transaction=True)
def test_two_simultaneous_presses_start_one_run_and_both_operators_see_it():
    people = [get_user_model().objects.create_superuser(name) for name in ("asha", "ravi")]
    barrier, pages = threading.Barrier(2), {}

    def push(person):
        client = Client()
        client.force_login(person)
        barrier.wait()
        try:
            answer = client.post(reverse("operations:start", args=["cleanup"]), follow=True)
            # Not `answer.context`: the test client hears the templates of both threads.
            pages[person.username] = answer.content.decode()
        finally:
            connection.close()

    threads = [threading.Thread(target=push, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run = PipelineRun.objects.get()
    assert run.triggered_by in ("asha", "ravi")
    assert len(pages) == 2
    started = f"cleanup started as {run.id}."
    refused = f"cleanup is already running as {run.id};"
    assert sorted((started in page, refused in page) for page in pages.values()) == [(False, True), (True, False)]


def test_cancel_and_resume(press):
    run = make_run()
    [message] = press("act", run.id, "cancel")
    assert "is cancelled; what it had committed stays" in message
    run.refresh_from_db()
    assert (run.status, run.steps.get(order=2).status) == ("cancelled", "pending")
    assert press("act", run.id, "cancel") == [f"{run.id} is cancelled; only an active run can be cancelled."]
    assert press("act", run.id, "resume") == [f"{run.id} continues where it stopped."]
    run.refresh_from_db()
    assert run.status == "running"
    history = LogEntry.objects.order_by("action_time").values_list("user__username", "change_message")
    assert list(history) == [("operator", "Cancelled."), ("operator", "Resumed.")]


def test_one_step_is_retried(press):
    run = make_run(status="failed", step_status="errored")
    [message] = press("retry-step", run.id, "STOCKS")
    assert "has not failed" in message
    assert press("retry-step", run.id, "HISTORICAL_DATA") == [f"{run.id} continues with HISTORICAL_DATA."]


def coming_session() -> date:
    evening = current_evening(timezone.now())
    assert evening is not None
    assert evening.following is not None
    return evening.following


def test_a_coming_evening_is_held_and_released(press, weekdays):
    session = coming_session()
    run = make_run(status="completed", done=6, session=session)
    press("act", run.id, "hold")
    assert EveningHold.objects.get().session == session
    [message] = press("hold", session=str(session))
    assert "is held by operator already" in message
    [message] = press("release", session=str(session))
    assert "is released; 0 runs were waiting" in message
    assert EveningHold.objects.get().released_by == "operator"


def test_an_evening_that_is_over_is_not_held_and_the_next_is_named(press, weekdays):
    make_run(status="completed", done=6)
    for refused in (press("hold", session=str(SESSION)), press("act", PipelineRun.objects.get().id, "hold")):
        [message] = refused
        assert message.startswith(f"The evening of {SESSION} is over: its last job was planned for Fri 01 May 02:15.")
        assert "Hold the evening of 2026-05-01 instead." in message
    assert not EveningHold.objects.exists()


def test_an_evening_that_begins_between_page_and_press_is_not_held(press, weekdays):
    session = coming_session()
    waiting = make_run("fill_data_1", job="fill_data", status="waiting", session=session, intended_at=STARTED)
    assert evening_holds.hold_refusal(session, timezone.now()) == ""
    PipelineRun.objects.filter(pk=waiting.pk).update(status="running")
    [message] = press("hold", session=str(session))
    assert f"The evening of {session} has begun: fill_data_1 is running" in message
    assert not EveningHold.objects.exists()


def test_a_day_without_a_session_has_no_evening_to_hold(press, weekdays):
    [message] = press("hold", session="2026-05-02")
    assert message == "2026-05-02 is no session of the exchange: it has no evening to hold."


def test_a_refused_start_names_the_missing_prerequisite(press):
    [message] = press("start", "ml-training")
    assert "It waits for Data-quality validation of" in message
    assert not PipelineRun.objects.exists()


def test_a_refusal_with_a_runbook_entry_links_to_it(press):
    make_run(status="completed", done=6, provider_kind="real")
    [message] = press("start", "cleanup")
    assert "This database holds a real market" in message
    assert reverse("operations:runbook-entry", args=["other-market"]) in message


@pytest.mark.parametrize(
    "address",
    ["/admin/operations/start/moon/", "/admin/operations/run/moon/do/retry/", "/admin/operations/evening/hold/"],
)
def test_unknown_jobs_runs_and_sessions_are_not_found(client, operator, address):
    client.force_login(operator)
    assert client.post(address).status_code == 404
    assert client.get(address).status_code == 405


def test_a_rollback_shows_what_would_change_and_needs_confirmation(client, operator):
    client.force_login(operator)
    run = make_run(job="symbol_master", status="completed", done=1, names=("SYMBOL_MASTER",))
    Stock.objects.create(symbol="AAA", run_id=run.id)
    Stock.objects.create(symbol="BBB", run_id=run.id)
    address = reverse("operations:roll-back", args=[run.id])
    page = client.get(address).content.decode()
    assert "<strong>2 rows</strong> in all" in page
    assert "Roll back, change 2 rows" in page
    assert Stock.objects.count() == 2, "looking changes nothing"
    answer = client.post(address, follow=True)
    assert "2 rows removed, 0 restored" in answer.content.decode()
    assert not Stock.objects.exists()
    run.refresh_from_db()
    assert run.status == "rolled_back"


def test_a_rollback_under_a_later_run_is_refused_and_names_it(client, operator):
    client.force_login(operator)
    run = make_run(status="completed", done=6)
    later = make_run("fill_data_1", job="fill_data", status="completed", done=1, names=("FILL_DATA",))
    address = reverse("operations:roll-back", args=[run.id])
    page = client.get(address).content.decode()
    assert f"{later.id} built on {run.id}: roll it back first." in page
    assert 'id="confirm"' not in page
    answer = client.post(address, follow=True)
    assert f"{later.id} built on" in answer.content.decode()
    run.refresh_from_db()
    assert run.status == "completed"


def test_the_list_of_runs_offers_the_same_actions(client, operator):
    client.force_login(operator)
    run = make_run()

    def act(action):
        address = reverse("admin:market_data_pipelinerun_changelist")
        return client.post(address, {"action": action, "_selected_action": [run.pk]}, follow=True)

    assert "is cancelled; what it had" in act("cancel").content.decode()
    assert "continues where it stopped" in act("resume").content.decode()
    assert "is over: its last job was planned" in act("hold").content.decode()
    answer = act("roll_back")
    assert answer.redirect_chain[-1][0] == reverse("operations:roll-back", args=[run.id])
    assert "is running: only a run that has ended can be rolled back" in answer.content.decode()


def test_view_permission_alone_shows_no_buttons_and_permits_none(client):
    from django.contrib.auth.models import Permission

    run = make_run(status="failed", step_status="failed")
    onlooker = get_user_model().objects.create_user("onlooker", is_staff=True)
    onlooker.user_permissions.add(Permission.objects.get(codename="view_pipelinerun"))
    client.force_login(onlooker)
    for address in (reverse("admin:index"), run_url(run.id)):
        page = client.get(address).content.decode()
        assert 'id="live"' in page
        assert 'class="go' not in page
    for name, args in (("start", ["cleanup"]), ("act", [run.id, "retry"]), ("roll-back", [run.id])):
        assert client.post(reverse(f"operations:{name}", args=args)).status_code == 403
    assert lifecycle.find_run(run.id).status == "failed"


@pytest.mark.parametrize(
    ("name", "args", "reads"),
    [
        ("home-fragment", [], True),
        ("run-fragment", ["RUN"], True),
        ("roll-back", ["RUN"], True),
        ("roll-back", ["RUN"], False),
        ("start", ["cleanup"], False),
        ("hold", [], False),
        ("release", [], False),
        ("act", ["RUN", "cancel"], False),
        ("retry-step", ["RUN", "STOCKS"], False),
    ],
)
def test_staff_without_permissions_are_refused_everywhere(client, name, args, reads):
    run = make_run()
    client.force_login(get_user_model().objects.create_user("clerk", is_staff=True))
    address = reverse(f"operations:{name}", args=[run.id if argument == "RUN" else argument for argument in args])
    assert (client.get(address) if reads else client.post(address)).status_code == 403
    run.refresh_from_db()
    assert run.status == "running"
    home = client.get(reverse("admin:index")).content.decode()
    assert 'id="live"' not in home
    assert "Failed runs" not in home
    assert reverse("operations:runbook") not in home
