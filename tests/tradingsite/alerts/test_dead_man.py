"""The dead-man ping goes out only while database and both clusters live."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from market_data.models import Heartbeat
from tests.tradingsite.alerts.conftest import TOKEN
from tests.tradingsite.alerts.servers import WebSink, web_sink
from tradingsite.alerts import dead_man, troubles
from tradingsite.alerts.symptoms import Symptom
from tradingsite.models import AlertTimer, Trouble

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 4, 30, 16, 0, tzinfo=UTC)


@pytest.fixture
def outside(settings: Settings):
    with web_sink() as sink:
        settings.DEADMAN_PING_SECRET_URL = f"{sink.address}/{TOKEN}"
        yield sink


def beat(*clusters: str) -> None:
    for cluster in clusters:
        Heartbeat.objects.create(cluster=cluster, finished_at=NOW)


def pings(outside: WebSink, minutes: range) -> int:
    for number in minutes:
        dead_man.ping_if_alive(NOW + timedelta(minutes=number))
    return len(outside.requests)


def test_it_pings_every_three_minutes_by_get(outside: WebSink):
    beat("data", "ml")
    assert pings(outside, range(10)) == 4
    assert outside.requests[0] == ("GET", f"/{TOKEN}", None)


def test_it_is_silent_while_a_cluster_is_missing_or_stuck(outside: WebSink):
    beat("data")
    assert pings(outside, range(5)) == 0
    beat("ml")
    troubles.record_symptoms([Symptom("clusters:ml", "Silent.")], NOW)
    assert pings(outside, range(5)) == 0
    Trouble.objects.update(over_at=NOW)
    assert pings(outside, range(5, 6)) == 1


def test_a_failure_is_recorded_and_retried(outside: WebSink, caplog):
    beat("data", "ml")
    outside.codes = [500, 302, 200]
    outside.location = "http://127.0.0.1:1/elsewhere"
    assert pings(outside, range(5)) == 3  # at once, after a minute, after two more
    timer = AlertTimer.objects.get(name=dead_man.NAME)
    assert timer.failures == 0
    assert timer.succeeded_at == NOW + timedelta(minutes=3)
    assert TOKEN not in caplog.text


def test_a_service_that_hangs_delays_nothing(outside: WebSink):
    beat("data", "ml")
    outside.codes = [0]
    assert dead_man.ping_if_alive(NOW, deadline_seconds=0.3) == "It did not finish within 0.3 s."


def test_without_an_address_nothing_is_called():
    beat("data", "ml")
    assert dead_man.ping_if_alive(NOW) is None
