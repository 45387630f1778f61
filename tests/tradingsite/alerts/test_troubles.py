"""The memory of the alerts: a trouble opens once, lasts, and ends once."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from tradingsite.alerts import troubles
from tradingsite.alerts.symptoms import Seen, Symptom
from tradingsite.models import AlertDelivery, Trouble

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 4, 30, 16, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LATE, FULL = Symptom("jobs:pipeline", "Late.", "Start it."), Symptom("disks:host:/a", "Full.")


@pytest.fixture(autouse=True)
def two_channels(settings: Settings):
    settings.ALERT_MAIL_TO = ["a@example.com"]
    settings.ALERT_WEBHOOK_SECRET_URLS = ["http://127.0.0.1:1/x"]


def see(minute: int, *symptoms: Symptom, undecided: set[str] | None = None) -> None:
    troubles.record_seen(Seen(list(symptoms), undecided or set()), NOW + minute * MINUTE)


def waiting() -> list[tuple[str, str, str]]:
    return sorted(AlertDelivery.objects.values_list("trouble__key", "event", "channel"))


def test_a_trouble_that_lasts_is_told_once_and_once_when_over():
    for minute in range(5):
        see(minute, LATE)
    begun = [("jobs:pipeline", "begun", "mail"), ("jobs:pipeline", "begun", "webhook 1")]
    assert waiting() == begun
    for minute in range(5, 9):
        see(minute)
    over = [("jobs:pipeline", "over", "mail"), ("jobs:pipeline", "over", "webhook 1")]
    assert waiting() == begun + over
    trouble = Trouble.objects.get()
    assert (trouble.since, trouble.over_at) == (NOW, NOW + 6 * MINUTE)
    assert (trouble.title, trouble.remedy) == ("Late.", "Start it.")


def test_a_minutes_absence_does_not_end_it():
    see(0, LATE)
    see(1)
    see(2, LATE)
    see(3)
    assert Trouble.objects.get().over_at is None


def test_what_cannot_be_judged_stays_open_and_opens_nothing():
    see(0, LATE)
    see(10, undecided={"jobs:pipeline", "disks:host:/a"})
    assert list(troubles.told()) == ["jobs:pipeline"]
    see(11)
    assert troubles.told() == {}


def test_the_same_trouble_again_is_a_new_one():
    see(0, LATE)
    see(5)
    see(10, LATE)
    assert Trouble.objects.count() == 2
    assert len(waiting()) == 6


def test_a_channel_named_later_hears_of_what_is_open_and_no_end_of_what_it_never_heard(settings: Settings):
    settings.ALERT_MAIL_TO = []
    see(0, LATE, FULL)
    see(5, FULL)
    settings.ALERT_MAIL_TO = ["a@example.com"]
    see(6, FULL)
    assert [row for row in waiting() if row[2] == "mail"] == [("disks:host:/a", "begun", "mail")]


def test_a_channel_that_is_gone_is_told_nothing_more(settings: Settings):
    see(0, LATE)
    settings.ALERT_WEBHOOK_SECRET_URLS = []
    see(1, LATE)
    assert waiting() == [("jobs:pipeline", "begun", "mail")]


def test_the_watch_begins_with_the_first_look():
    assert troubles.watched_since(NOW) == NOW
    assert troubles.watched_since(NOW + timedelta(days=3)) == NOW
