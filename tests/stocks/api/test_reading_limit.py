"""What one reader may read in a minute, and what is never limited."""

from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client

from stocks.api import reading_limit
from stocks.picks import response_cache
from tests.published import pick, publish
from tests.tokens import token_key

pytestmark = pytest.mark.django_db
URL = "/api/suggested-stocks/"
SCOREBOARD, SCHEMA = "/api/scoreboard/", "/api/schema/?format=json"


@pytest.fixture(autouse=True)
def clock(settings, monkeypatch):
    """Three answers a minute, at 17 seconds past one."""
    settings.API_READS_PER_MINUTE = 3
    clock = SimpleNamespace(now=1_800_000_017.25)
    monkeypatch.setattr(reading_limit, "time", SimpleNamespace(time=lambda: clock.now))
    another_process(monkeypatch)
    cache.clear()
    response_cache._responses.clear()
    return clock


def another_process(monkeypatch):
    """Forget what this process counted, as one that has just started."""
    monkeypatch.setattr(reading_limit, "_minute", reading_limit._Minute(0))


def statuses(client, address=URL, times=4, **request):
    return [client.get(address, **request).status_code for _ in range(times)]


def test_beyond_the_limit_the_answer_is_429_until_the_next_minute(client, clock):
    publish("balanced", [pick("A")])
    assert statuses(client) == [200, 200, 200, 429]
    refused = client.get(f"{URL}?search=a")
    assert refused.status_code == 429
    assert refused["Retry-After"] == "43"
    assert refused.json() == {
        "success": False,
        "error": {
            "code": "too_many_requests",
            "message": "More than 3 requests in one minute. Try again in 43 seconds.",
        },
    }
    clock.now += 43
    assert statuses(client) == [200, 200, 200, 429]


def test_all_views_for_reading_count_together(client):
    assert statuses(client, SCOREBOARD, 2) + statuses(client, SCHEMA, 2) == [200, 200, 200, 429]
    assert client.get("/api/models/").status_code == 429
    assert client.get(f"{URL}changes/").status_code == 429


def test_readers_do_not_use_up_each_others_answers(client, settings):
    assert statuses(client)[-1] == 429
    assert statuses(client, REMOTE_ADDR="203.0.113.5") == [200, 200, 200, 429]
    settings.READING_NEEDS_LOGIN = True
    for name in ("asha", "ravi"):
        person = get_user_model().objects.create_user(name)
        assert statuses(Client(headers={"Authorization": f"Token {token_key(person)}"})) == [*(200, 200, 200, 429)]


def test_a_line_is_one_reader_and_a_claimed_address_none(client, settings):
    addresses = [f"2001:db8:1:2::{number}" for number in range(4)]
    assert [client.get(URL, REMOTE_ADDR=address).status_code for address in addresses] == [200, 200, 200, 429]
    assert client.get(URL, REMOTE_ADDR="2001:db8:1:3::1").status_code == 200
    claimed = [{"HTTP_X_FORWARDED_FOR": f"203.0.113.{number}"} for number in range(4)]
    assert [client.get(URL, **headers).status_code for headers in claimed] == [200, 200, 200, 429]


def test_processes_share_their_counts(client, monkeypatch):
    assert statuses(client, times=2) == [200, 200]
    another_process(monkeypatch)
    assert statuses(client, times=2) == [200, 429]


def test_a_process_looks_at_the_shared_count_now_and_then(settings, monkeypatch):
    settings.API_READS_PER_MINUTE = 100
    looks = []
    monkeypatch.setattr(reading_limit, "_exchange", lambda minute, reader, count, batch: looks.append(count))
    assert [reading_limit.is_within("a") for _ in range(101)] == [True] * 100 + [False]
    assert looks[:3] == [5, 10, 15]


def test_without_the_cache_each_process_counts_alone(client, monkeypatch, clock):
    calls = []
    monkeypatch.setattr(reading_limit, "cache", SimpleNamespace(add=lambda *_: calls.append("add")))
    assert statuses(client) == [200, 200, 200, 429]
    assert calls == ["add"]  # once a minute: it may answer slowly
    monkeypatch.setattr(
        reading_limit, "cache", SimpleNamespace(add=lambda *_: True, incr=lambda *_: calls.append("incr"))
    )
    clock.now += 60
    assert statuses(client) == [200, 200, 200, 429]
    assert calls == ["add", "incr"]


def test_zero_is_no_limit(client, settings):
    settings.API_READS_PER_MINUTE = 0
    assert set(statuses(client, times=10)) == {200}


def test_operations_and_orders_are_never_limited(client):
    statuses(client)
    operator = get_user_model().objects.create_superuser("asha")
    staff = Client(headers={"Authorization": f"Token {token_key(operator)}"})
    assert statuses(staff)[-1] == 429
    for address in ("/admin/system/status", "/api/accounts/", "/api/kill-switch/", "/api/backtests/"):
        assert set(statuses(staff, address)) == {200}, address
