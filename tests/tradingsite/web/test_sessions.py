"""When a log-in ends: after its hours, and that of staff after minutes without activity."""

import re

import pytest
from django.conf import settings as own_settings
from django.test import Client

from portfolio.models import User
from tests.architecture.sources import ROOT
from tests.portfolio.identity.clock import Clock
from tests.tokens import token_key

pytestmark = pytest.mark.django_db
REFRESH = {"X-Refresh": "1"}
IDLE = "You were logged out after 30 minutes without activity."
OVER = "You were logged out: a log-in lasts 12 hours."


@pytest.fixture
def clock(settings, monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("django.utils.timezone.now", clock)
    settings.SESSION_HOURS, settings.SESSION_IDLE_MINUTES, settings.READING_NEEDS_LOGIN = 12, 30, True
    return clock


def logged_in(*, is_staff: bool) -> Client:
    client = Client(REMOTE_ADDR="192.0.2.7")
    client.force_login(User.objects.create_user(f"asha{is_staff}", is_staff=is_staff, is_superuser=is_staff))
    assert client.get("/status/").status_code == 200
    return client


def is_logged_in(client: Client, **headers: str) -> bool:
    return client.get("/state/", headers=headers).status_code == 200


def log_in_page(client: Client) -> str:
    return client.get("/login/").content.decode()


def test_staff_are_logged_out_after_half_an_hour_without_activity(clock):
    client = logged_in(is_staff=True)
    clock.pass_minutes(29)
    assert is_logged_in(client)
    clock.pass_minutes(29)
    assert is_logged_in(client)
    clock.pass_minutes(30)
    answer = client.get("/status/")
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/status/")
    assert IDLE in log_in_page(client)
    assert IDLE not in log_in_page(client)


def test_what_refreshes_itself_is_no_activity(clock):
    client = logged_in(is_staff=True)
    for _ in range(5):
        clock.pass_minutes(5)
        assert is_logged_in(client, **REFRESH)
    clock.pass_minutes(5)
    assert not is_logged_in(client, **REFRESH)
    assert IDLE in log_in_page(client)


def test_every_script_that_polls_says_that_it_refreshes():
    polling = [path for path in (ROOT / "static").rglob("*.js") if re.search(r"setTimeout\(poll", path.read_text())]
    assert len(polling) >= 3
    for path in polling:
        calls = re.findall(r"fetch\([^;]*", path.read_text())
        assert calls
        assert all('"X-Refresh": "1"' in call for call in calls), path


def test_others_are_not_logged_out_for_being_idle(clock):
    client = logged_in(is_staff=False)
    clock.pass_minutes(12 * 60 - 1)
    assert is_logged_in(client)


@pytest.mark.parametrize("is_staff", [True, False])
def test_a_log_in_ends_after_its_hours_however_active(clock, is_staff):
    client = logged_in(is_staff=is_staff)
    for _ in range(35):
        clock.pass_minutes(20)
        assert is_logged_in(client)
    clock.pass_minutes(20)
    assert not is_logged_in(client)
    assert OVER in log_in_page(client)
    [user] = User.objects.all()
    client.force_login(user)
    clock.pass_minutes(1)
    assert is_logged_in(client)


def test_who_sent_a_form_comes_back_to_where_it_stood(clock):
    client = logged_in(is_staff=True)
    clock.pass_minutes(31)
    page = "http://testserver/accounts/7/orders/new/?symbol=AAA"
    answer = client.post("/kill-switch/", {"to": "on"}, headers={"Referer": page})
    assert answer["Location"] == "/login/?next=/accounts/7/orders/new/%3Fsymbol%3DAAA"
    assert IDLE in log_in_page(client)


@pytest.mark.parametrize("page", ["", "https://evil.example/a", "javascript:alert(1)"])
def test_no_other_site_is_where_a_form_stood(clock, page):
    client = logged_in(is_staff=True)
    clock.pass_minutes(31)
    assert client.post("/kill-switch/", {}, headers={"Referer": page})["Location"] == "/login/?next=/"


def test_the_log_in_form_of_another_tab_still_logs_in(clock):
    client = logged_in(is_staff=True)
    user = User.objects.get()
    user.set_password("correct horse battery")
    user.save()
    clock.pass_minutes(31)
    client.post("/login/", {"username": user.username, "password": "correct horse battery"})
    assert is_logged_in(client)


def test_a_token_is_no_session(clock, client):
    user = User.objects.create_user("asha", is_staff=True)
    headers = {"Authorization": f"Token {token_key(user)}"}
    for _ in range(2):
        clock.pass_minutes(24 * 60)
        assert client.get("/api/accounts/", headers=headers).status_code == 200


def test_in_development_nothing_ends(clock, settings):
    settings.SESSION_HOURS = settings.SESSION_IDLE_MINUTES = 0
    client = logged_in(is_staff=True)
    clock.pass_minutes(24 * 60)
    assert is_logged_in(client)
    assert (own_settings.SESSION_HOURS, own_settings.SESSION_IDLE_MINUTES) == (0, 0)


def test_reading_pages_writes_to_the_session_rarely(clock):
    client = logged_in(is_staff=True)
    before = client.session["active_at"]
    clock.pass_minutes(0.2)
    assert is_logged_in(client)
    assert client.session["active_at"] == before
    clock.pass_minutes(0.5)
    assert is_logged_in(client)
    assert client.session["active_at"] > before


def test_a_new_password_has_twelve_characters_and_an_old_one_serves(client):
    User.objects.create_superuser("root", password="short-1!")
    assert client.post("/login/", {"username": "root", "password": "short-1!"}).status_code == 302
    new = {"username": "ravi", "password1": "Tr1cky-one!", "password2": "Tr1cky-one!", "usable_password": "true"}
    answer = client.post("/admin/portfolio/user/add/", new)
    assert "at least 12 characters" in answer.content.decode()
    assert not User.objects.filter(username="ravi").exists()
