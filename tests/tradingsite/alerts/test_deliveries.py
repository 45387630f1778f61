"""From a trouble to loopback servers: once, once more when over, grouped, retried until delivered."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from tests.tradingsite.alerts.conftest import TOKEN
from tests.tradingsite.alerts.servers import MailSink, WebSink
from tradingsite.alerts import deliveries, troubles
from tradingsite.alerts.symptoms import ConditionResult, Symptom
from tradingsite.models import AlertDelivery, AlertTimer

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 4, 30, 16, 0, tzinfo=UTC)
LATE, FULL = Symptom("jobs:pipeline", "The job is late.", "Start it."), Symptom("disks:host:/a", "The disk is full.")


def minute(number: int, *symptoms: Symptom, deadline_seconds: float = 20.0) -> dict[str, str]:
    """Check and deliver as in that minute."""
    now = NOW + timedelta(minutes=number)
    troubles.record_result(ConditionResult(list(symptoms)), now)
    return deliveries.deliver_due(now, deadline_seconds)


def texts(web: WebSink) -> list[str]:
    return [body["text"] for _, _, body in web.requests]


def test_a_trouble_is_delivered_once_and_once_more_when_it_is_over(web: WebSink, post_office: MailSink):
    for number in range(20):
        minute(number, *([LATE] if number < 10 else []))
    begun, over = texts(web)
    assert "PROBLEM since 30 Apr 21:30: The job is late. What to do: Start it." in begun
    assert "RESOLVED at 30 Apr 21:41 (since 30 Apr 21:30): The job is late." in over
    assert len(post_office.mails) == 2
    assert not AlertDelivery.objects.filter(delivered_at=None).exists()


def test_what_arrives_within_the_pause_is_one_message(web: WebSink):
    storm = [Symptom(f"jobs:{number}", f"Number {number}.") for number in range(30)]
    for number in range(4):
        minute(number, *storm[: 1 + 10 * number])
    assert len(web.requests) == 2
    assert texts(web)[1].splitlines()[0].endswith(": 29 open")


def test_a_refused_message_is_retried_with_growing_pauses_and_not_lost(web: WebSink):
    web.codes = [500, 503, 404, 200]
    attempts = [number for number in range(30) if minute(number, LATE)]
    assert attempts == [0, 1, 3, 7]
    assert [text.splitlines()[1:] for text in texts(web)] == [texts(web)[0].splitlines()[1:]] * 4
    timer = AlertTimer.objects.get(name="webhook 1")
    assert (timer.failures, timer.last_error) == (0, "")
    assert timer.succeeded_at == NOW + timedelta(minutes=7)


def test_pauses_stop_growing_at_an_hour(web: WebSink):
    web.codes = [500]
    minute(0, LATE)
    AlertTimer.objects.filter(name="webhook 1").update(failures=40, next_at=NOW)
    minute(1, LATE)
    assert AlertTimer.objects.get(name="webhook 1").next_at == NOW + timedelta(minutes=61)


def test_a_channel_that_hangs_delays_no_other_and_is_retried(web: WebSink, post_office: MailSink):
    web.codes = [0, 200]
    outcomes = minute(0, LATE, deadline_seconds=1.0)
    assert outcomes == {"mail": "", "webhook 1": "It did not finish within 1 s."}
    assert len(post_office.mails) == 1
    assert minute(1, LATE) == {"webhook 1": ""}


def test_a_trouble_that_ended_undelivered_is_reported_in_one_line(web: WebSink):
    web.codes = [500, 200]
    minute(0, LATE)
    troubles.record_result(ConditionResult(), NOW + timedelta(minutes=5))
    minute(6)
    assert [line.split()[0] for line in texts(web)[1].splitlines()[1:]] == ["RESOLVED"]
    assert not AlertDelivery.objects.filter(delivered_at=None).exists()


def test_a_recorded_failure_holds_no_secret(web: WebSink, settings: Settings, caplog):
    settings.ALERT_WEBHOOK_SECRET_URLS = [f"http://127.0.0.1:1/{TOKEN}"]
    assert minute(0, LATE) == {"webhook 1": "127.0.0.1 could not be reached (ConnectionError)."}
    stored = " ".join(str(value) for row in AlertTimer.objects.values_list() for value in row)
    assert "could not be reached" in stored
    assert TOKEN not in stored + caplog.text


def test_without_channels_troubles_are_recorded_and_nothing_is_sent(settings: Settings):
    assert minute(0, LATE, FULL) == {}
    assert len(troubles.open_keys()) == 2
