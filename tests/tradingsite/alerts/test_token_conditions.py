"""At 08:00 of a session: accounts whose token will not last until 15:30, each once a day."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from brokers.accounts import store_secrets
from brokers.models import BrokerConfiguration
from market_data.models import MarketDay
from portfolio.models import User
from tradingsite.alerts import troubles
from tradingsite.alerts.conditions import CONDITIONS
from tradingsite.alerts.symptoms import CheckContext, ConditionResult
from tradingsite.models import Trouble

pytestmark = pytest.mark.django_db
IST = ZoneInfo("Asia/Kolkata")
SESSION = date(2026, 11, 30)
EIGHT = datetime(2026, 11, 30, 8, 0, tzinfo=IST)


def check(now: datetime = EIGHT) -> ConditionResult:
    return CONDITIONS["brokers"](CheckContext(now, now - timedelta(days=9), "data", "host", {}))


@pytest.fixture(autouse=True)
def _calendar(db: None) -> None:
    MarketDay.objects.bulk_create(
        MarketDay(date=SESSION + timedelta(days=n), kind="normal" if n < 2 else "holiday", is_session=n < 2, source="t")
        for n in range(4)
    )


def store(**facts: Any) -> BrokerConfiguration:
    user = User.objects.create_user(f"asha{User.objects.count()}")
    given: dict[str, Any] = {
        "broker": "zerodha",
        "app_key": "app",
        "access_token": "a-t0ken-of-today",
        "is_active": True,
    }
    given |= facts
    token = given.pop("access_token")
    account = BrokerConfiguration.objects.create(user=user, **given)
    store_secrets(account, access_token=token, token_expires_at=given.get("token_expires_at"))
    return account


@pytest.mark.parametrize(
    ("facts", "alerts"),
    [
        ({"access_token": "", "token_expires_at": None}, 1),
        ({"token_expires_at": None}, 1),
        ({"token_expires_at": EIGHT - timedelta(hours=2)}, 1),
        ({"token_expires_at": EIGHT.replace(hour=15, minute=29)}, 1),
        ({"token_expires_at": EIGHT.replace(hour=15, minute=30)}, 0),
        ({"token_expires_at": EIGHT + timedelta(hours=22)}, 0),
        ({"is_active": False}, 0),
        ({"app_key": ""}, 0),
        ({"broker": "simulator"}, 0),
    ],
)
def test_which_accounts_are_named(facts: dict[str, Any], alerts: int, settings):
    settings.SITE_URL = "https://desk.example"
    account = store(**facts)
    symptoms = check().symptoms
    assert [symptom.key for symptom in symptoms] == [f"brokers:zerodha:{account.pk}:2026-11-30"] * alerts
    for symptom in symptoms:
        assert "asha0 at Zerodha" in symptom.title
        assert "https://desk.example/brokers/" in symptom.remedy


def test_a_token_that_does_not_open_serves_nobody(settings):
    store(token_expires_at=EIGHT + timedelta(hours=22))
    settings.CREDENTIAL_KEYS = ["another key"]
    [symptom] = check().symptoms
    assert "has a secret that does not open" in symptom.title


@pytest.mark.parametrize(
    ("now", "alerts"),
    [
        (EIGHT - timedelta(seconds=1), 0),
        (EIGHT, 1),
        (EIGHT.replace(hour=15, minute=29), 1),
        (EIGHT.replace(hour=15, minute=30), 0),
        (EIGHT + timedelta(days=1), 1),
        (EIGHT + timedelta(days=2), 0),
    ],
)
def test_when(now: datetime, alerts: int):
    store()
    assert len(check(now).symptoms) == alerts


def test_people_without_an_account_are_not_bothered_even_beyond_the_calendar():
    assert check(EIGHT + timedelta(days=900)) == ConditionResult()


def test_once_for_each_account_and_day():
    """Connected at nine, gone again at ten: the day's alert was given. The next session has its own."""
    first, second = store(), store()
    troubles.record_result(check(), EIGHT)
    assert Trouble.objects.count() == 2
    lasting = EIGHT + timedelta(hours=22)
    BrokerConfiguration.objects.filter(pk=first.pk).update(token_expires_at=lasting)
    nine = EIGHT + timedelta(hours=1)
    troubles.record_result(check(nine), nine)
    assert list(Trouble.objects.filter(over_at=None).values_list("key", flat=True)) == [
        f"brokers:zerodha:{second.pk}:2026-11-30"
    ]
    BrokerConfiguration.objects.filter(pk=first.pk).update(token_expires_at=None)
    ten = EIGHT + timedelta(hours=2)
    troubles.record_result(check(ten), ten)
    assert Trouble.objects.count() == 2
    assert len(check(EIGHT + timedelta(days=1)).symptoms) == 2
