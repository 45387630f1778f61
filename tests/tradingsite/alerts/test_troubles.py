"""Stored troubles: each opens once, lasts, and ends once."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from tradingsite.alerts import troubles
from tradingsite.alerts.symptoms import ConditionResult, Symptom
from tradingsite.models import AlertDelivery, Trouble

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 4, 30, 16, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LATE, FULL = Symptom("jobs:pipeline", "Late.", "Start it."), Symptom("disks:host:/a", "Full.")


@pytest.fixture(autouse=True)
def two_channels(settings: Settings):
    settings.ALERT_MAIL_TO = ["a@example.com"]
    settings.ALERT_WEBHOOK_SECRET_URLS = ["http://127.0.0.1:1/x"]


def check(minute: int, *symptoms: Symptom, unknown_keys: set[str] | None = None) -> None:
    troubles.record_result(ConditionResult(list(symptoms), unknown_keys or set()), NOW + minute * MINUTE)


def waiting() -> list[tuple[str, str, str]]:
    return sorted(AlertDelivery.objects.values_list("trouble__key", "event", "channel"))


def test_a_lasting_trouble_is_planned_once_and_once_more_when_over():
    for minute in range(5):
        check(minute, LATE)
    begun = [("jobs:pipeline", "begun", "mail"), ("jobs:pipeline", "begun", "webhook 1")]
    assert waiting() == begun
    for minute in range(5, 9):
        check(minute)
    over = [("jobs:pipeline", "over", "mail"), ("jobs:pipeline", "over", "webhook 1")]
    assert waiting() == begun + over
    trouble = Trouble.objects.get()
    assert (trouble.since, trouble.over_at) == (NOW, NOW + 6 * MINUTE)
    assert (trouble.title, trouble.remedy) == ("Late.", "Start it.")


def test_a_minutes_absence_does_not_end_it():
    check(0, LATE)
    check(1)
    check(2, LATE)
    check(3)
    assert Trouble.objects.get().over_at is None


def test_an_unknown_key_keeps_its_trouble_open_and_opens_nothing():
    check(0, LATE)
    check(10, unknown_keys={"jobs:pipeline", "disks:host:/a"})
    assert list(troubles.open_keys()) == ["jobs:pipeline"]
    check(11)
    assert troubles.open_keys() == {}


def test_the_same_trouble_again_is_a_new_one():
    check(0, LATE)
    check(5)
    check(10, LATE)
    assert Trouble.objects.count() == 2
    assert len(waiting()) == 6


def test_a_channel_added_later_gets_open_troubles_and_no_end_without_a_beginning(settings: Settings):
    settings.ALERT_MAIL_TO = []
    check(0, LATE, FULL)
    check(5, FULL)
    settings.ALERT_MAIL_TO = ["a@example.com"]
    check(6, FULL)
    assert [row for row in waiting() if row[2] == "mail"] == [("disks:host:/a", "begun", "mail")]


def test_a_removed_channel_gets_nothing_more(settings: Settings):
    check(0, LATE)
    settings.ALERT_WEBHOOK_SECRET_URLS = []
    check(1, LATE)
    assert waiting() == [("jobs:pipeline", "begun", "mail")]


def test_the_first_check_begins_the_watch():
    assert troubles.watched_since(NOW) == NOW
    assert troubles.watched_since(NOW + timedelta(days=3)) == NOW
