"""Wrong passwords: what is refused, for how long, and that nobody is kept out by others."""

import http.client
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db.models import F
from django.test import Client
from django.utils import timezone

from market_data.models import PipelineRun
from tradingsite.web import login_limits

PASSWORD = "long-enough-for-tests"
FIRST, SECOND = "203.0.113.5", "2001:db8:1:2::5"


@pytest.fixture(autouse=True)
def owner(db):
    return get_user_model().objects.create_user("asha", password=PASSWORD)


def log_in(address: str, password: str, name: str = "asha", **more):
    form = {"username": name, "password": password}
    return Client().post("/login/", form, REMOTE_ADDR=address, HTTP_USER_AGENT="test", **more)


def statuses(attempts) -> list[int]:
    return [response.status_code for response in attempts]


def pass_time(**span: float) -> None:
    """Make everything recorded so much older."""
    for model in (AccessAttempt, AccessFailureLog, AccessLog):
        model.objects.update(attempt_time=F("attempt_time") - timedelta(**span))


def test_ten_wrong_passwords_lock_the_account_from_that_address_alone():
    assert statuses(log_in(FIRST, "wrong") for _ in range(10)) == [200] * 9 + [429]
    locked = log_in(FIRST, PASSWORD)
    assert locked.status_code == 429
    assert 890 < int(locked["Retry-After"]) <= 900
    assert "Try again in 15 minutes." in locked.content.decode()
    assert log_in(SECOND, PASSWORD).status_code == 302
    assert log_in(FIRST, PASSWORD, "somebody").status_code == 200


def test_attempts_while_locked_do_not_prolong_the_lock():
    for _ in range(10):
        log_in(FIRST, "wrong")
    for _ in range(3):
        pass_time(minutes=4)
        assert log_in(FIRST, "wrong").status_code == 429
    assert int(log_in(FIRST, PASSWORD)["Retry-After"]) <= 180
    pass_time(minutes=4)
    assert log_in(FIRST, PASSWORD).status_code == 302


def test_many_names_from_one_address_are_refused():
    sprayed = [log_in(FIRST, "Winter2026", f"name{number}") for number in range(40)]
    assert statuses(sprayed) == [200] * 29 + [429] * 11
    assert f"the address {FIRST} failed" in sprayed[-1].content.decode()
    assert int(sprayed[-1]["Retry-After"]) > 800
    assert log_in(FIRST, PASSWORD).status_code == 429
    assert log_in(SECOND, PASSWORD).status_code == 302
    pass_time(minutes=16)
    assert log_in(FIRST, PASSWORD).status_code == 302


def test_names_sprayed_at_an_address_do_not_keep_out_who_works_there():
    assert log_in(FIRST, PASSWORD).status_code == 302
    for number in range(40):
        log_in(FIRST, "Winter2026", f"name{number}")
    assert log_in(FIRST, PASSWORD).status_code == 302


def test_a_network_of_ipv6_addresses_is_one_client():
    sprayed = [log_in(f"2001:db8:7:8::{number:x}", "Winter2026", f"name{number}") for number in range(1, 35)]
    assert statuses(sprayed)[-1] == 429
    assert log_in("2001:db8:7:9::1", "Winter2026", "name99").status_code == 200


def test_guesses_from_many_addresses_delay_a_new_address_for_seconds_and_a_known_one_not_at_all():
    assert log_in(SECOND, PASSWORD).status_code == 302
    guesses = [log_in(f"198.51.100.{number}", "wrong") for number in range(1, 30)]
    assert statuses(guesses) == [200] * 20 + [429] * 9
    assert [guesses[-1]["Retry-After"], log_in(FIRST, PASSWORD)["Retry-After"]] == ["2", "2"]
    assert "the right password is accepted then" in log_in(FIRST, PASSWORD).content.decode()
    assert log_in(SECOND, PASSWORD).status_code == 302
    pass_time(seconds=2)
    assert log_in(FIRST, PASSWORD).status_code == 302


def test_the_delay_grows_to_sixteen_seconds_and_others_cannot_use_up_the_owners_turn():
    for number in range(1, 21):
        log_in(f"198.51.100.{number}", "wrong")
    waits = []
    for number in range(21, 27):
        waits.append(log_in(f"198.51.100.{number}", "wrong")["Retry-After"])
        pass_time(seconds=16)
        assert log_in(f"198.51.100.{number}", "wrong").status_code == 200
    assert waits == ["2", "4", "8", "16", "16", "16"]
    assert log_in(FIRST, PASSWORD)["Retry-After"] == "16"
    pass_time(seconds=9)
    for number in range(30, 60):  # others go on, and even take their turns
        log_in(f"198.51.100.{number}", "wrong")
    assert int(log_in(FIRST, PASSWORD)["Retry-After"]) <= 7
    pass_time(seconds=7)
    assert log_in(FIRST, PASSWORD).status_code == 302


def test_every_failed_login_is_on_record_and_shown(admin_client):
    for _ in range(12):
        log_in(FIRST, "wrong", "Zoë")
    rows = AccessFailureLog.objects.filter(username="Zoë", ip_address=FIRST)
    assert rows.filter(locked_out=False).count() == 10
    assert rows.filter(locked_out=True).count() == 1  # a lock is recorded once, however often it is tried
    page = admin_client.get("/admin/axes/accessfailurelog/").content.decode()
    assert page.count(FIRST) >= 11
    assert "wrong" not in page


@pytest.mark.parametrize("name", ["José", "a" * 150, "名前", "ÿþ", "asha\0", "  asha", "' OR 1=1 --"])
def test_any_name_is_answered(name):
    assert log_in(FIRST, "wrong", name).status_code == 200


def test_bytes_that_are_no_utf8_are_answered_and_counted():
    for _ in range(3):
        response = Client().post(
            "/login/",
            b"username=Jos\xe9&password=wrong",
            content_type="application/x-www-form-urlencoded",
            REMOTE_ADDR=FIRST,
            HTTP_USER_AGENT="caf\xe9 \xff" * 99,
            HTTP_ACCEPT="\xff" * 2000,
        )
        assert response.status_code == 200
    assert AccessAttempt.objects.get().failures_since_start == 3


def flood(attempts: int) -> None:
    """Fail as often from one address with few names, and for one name from as many addresses."""
    for number in range(attempts):
        assert log_in(FIRST, "wrong", f"name{number % 400}").status_code == (429 if number >= 29 else 200)
    assert AccessAttempt.objects.count() == login_limits.PER_ADDRESS
    assert AccessFailureLog.objects.count() == login_limits.PER_ADDRESS + 1
    for number in range(attempts):
        log_in(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "wrong")
    assert AccessFailureLog.objects.count() <= login_limits.FAILURES_KEPT
    assert AccessAttempt.objects.count() <= login_limits.PER_ADDRESS + login_limits.BEFORE_PAUSES
    assert log_in(SECOND, PASSWORD).status_code == 429
    pass_time(seconds=16)
    assert log_in(SECOND, PASSWORD).status_code == 302
    pass_time(minutes=16)
    log_in(FIRST, "wrong")
    assert AccessAttempt.objects.count() == 1


def test_a_flood_of_attempts_leaves_bounded_tables_and_the_owner_gets_in(monkeypatch):
    monkeypatch.setattr(login_limits, "FAILURES_KEPT", 40)
    flood(45)


@pytest.mark.long
def test_thousands_of_attempts_leave_bounded_tables_and_the_owner_gets_in(monkeypatch):
    monkeypatch.setattr(login_limits, "FAILURES_KEPT", 500)
    flood(1200)


def test_the_lock_is_lifted_by_command_and_in_the_admin(admin_client):
    for _ in range(10):
        log_in(FIRST, "wrong")
    call_command("axes_reset")
    assert log_in(FIRST, PASSWORD).status_code == 302
    for _ in range(10):
        log_in(FIRST, "wrong")
    assert log_in(FIRST, PASSWORD).status_code == 429
    attempt = AccessAttempt.objects.get()
    admin_client.post(f"/admin/axes/accessattempt/{attempt.pk}/delete/", {"post": "yes"})
    assert log_in(FIRST, PASSWORD).status_code == 302


def test_the_cleanup_purges_logins_after_ninety_days():
    log_in(FIRST, "wrong")
    log_in(FIRST, PASSWORD)
    pass_time(days=91)
    log_in(FIRST, "wrong", "new")
    Session.objects.create(session_key="old", session_data="", expire_date=timezone.now() - timedelta(days=1))
    call_command("cleanup")
    assert PipelineRun.objects.get().status == "completed"
    assert [row.username for row in AccessFailureLog.objects.all()] == ["new"]
    assert AccessLog.objects.count() == 0
    assert not Session.objects.filter(session_key="old").exists()


# --- a real server ----------------------------------------------------------------------------------------------------
class Browser:
    """Requests over a socket: from a local address, and with whatever headers."""

    def __init__(self, server, local: str = "127.0.0.1", **headers: str) -> None:
        self.server, self.local, self.headers = server, local, headers

    def log_in(self, password: str) -> int:
        connection = http.client.HTTPConnection(
            self.server.thread.host, self.server.thread.port, source_address=(self.local, 0)
        )
        try:
            connection.request("GET", "/login/")
            form = connection.getresponse()
            token = form.read().decode().partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
            cookie = form.headers["Set-Cookie"].partition(";")[0]
            body = urlencode({"username": "asha", "password": password, "csrfmiddlewaretoken": token})
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie, **self.headers}
            connection.request("POST", "/login/", body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


def test_behind_the_proxy_one_client_does_not_lock_another(live_server, settings):
    settings.PROXY_COUNT = 1
    guesser = Browser(live_server, **{"X-Forwarded-For": "203.0.113.5"})
    liar = Browser(live_server, **{"X-Forwarded-For": "203.0.113.6, 203.0.113.5"})
    owner = Browser(live_server, **{"X-Forwarded-For": "203.0.113.5, 203.0.113.6"})
    assert [guesser.log_in("wrong") for _ in range(10)] == [200] * 9 + [429]
    assert (guesser.log_in(PASSWORD), liar.log_in(PASSWORD)) == (429, 429)
    assert owner.log_in(PASSWORD) == 302
    assert {row.ip_address for row in AccessFailureLog.objects.all()} == {"203.0.113.5"}
    assert [row.ip_address for row in AccessLog.objects.all()] == ["203.0.113.6"]


def test_without_a_proxy_the_connection_counts_and_no_header(live_server):
    for number in range(10):
        Browser(live_server, **{"X-Forwarded-For": f"198.51.100.{number}"}).log_in("wrong")
    assert Browser(live_server, **{"X-Forwarded-For": "203.0.113.6"}).log_in(PASSWORD) == 429
    assert Browser(live_server, "127.0.0.2").log_in(PASSWORD) == 302
