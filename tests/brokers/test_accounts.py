"""Accounts: what is stored in them, what is read from them, and which values they refuse."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from brokers.accounts import account_of, secret_of, store_secrets
from brokers.models import BrokerConfiguration
from brokers.registered_ips import validate_registered_ips
from portfolio.models import User

EXPIRY = datetime(2026, 12, 1, 0, 30, tzinfo=UTC)


@pytest.fixture
def account() -> BrokerConfiguration:
    return account_of("fyers", User.objects.create_user("asha"))


@pytest.mark.django_db
def test_what_is_given_is_stored_and_the_rest_stays(account):
    given: dict[str, Any] = {
        "app_key": "APP-100",
        "api_secret": "of-the-app",
        "access_token": "of-today",
        "token_expires_at": EXPIRY,
    }
    assert store_secrets(account, **given) == list(given)
    assert store_secrets(account, client_id="XA1") == ["client_id"]
    again = account_of("fyers", account.user)
    assert again.pk == account.pk
    assert (again.app_key, again.client_id, again.token_expires_at, again.is_active) == ("APP-100", "XA1", EXPIRY, True)
    assert (secret_of(again, "api_secret"), secret_of(again, "access_token")) == ("of-the-app", "of-today")


@pytest.mark.django_db
def test_a_new_token_forgets_when_the_earlier_one_ended(account):
    store_secrets(account, api_secret="of-the-app", access_token="of-today", token_expires_at=EXPIRY)
    assert store_secrets(account, access_token="of-tomorrow") == ["access_token"]
    account.refresh_from_db()
    assert (secret_of(account, "api_secret"), account.token_expires_at) == ("of-the-app", None)


@pytest.mark.django_db
def test_at_most_one_account_of_a_broker_reads_data(account):
    other = User.objects.create_user("ravi")
    BrokerConfiguration.objects.create(user=other, broker="zerodha", is_data_account=True)
    account.is_data_account = True
    account.save()
    second = BrokerConfiguration(user=other, broker="fyers", is_data_account=True)
    with pytest.raises(ValidationError, match="unmark that one first"):
        second.full_clean()
    with pytest.raises(IntegrityError, match="data_account"), transaction.atomic():
        second.save()


@pytest.mark.parametrize("value", [[], ["203.0.113.7"], ["203.0.113.7", "2001:db8::1"]])
def test_registered_addresses_are_taken(value):
    validate_registered_ips(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("203.0.113.7", "are a list"),
        (None, "are a list"),
        (["203.0.113.7", "203.0.113.8", "203.0.113.9"], "3 registered addresses"),
        (["2001:db8::1", "2001:0db8::0001"], "given twice"),
        (["203.0.113.7:80"], "'203.0.113.7:80' is no"),
        (["203.0.113.0/24"], "is no IPv4"),
        (["fe80::1%eth0"], "is no IPv4"),
        (["203.0.113"], "is no IPv4"),
        ([3405803783], "3405803783 is no"),
        ([""], "is no IPv4"),
    ],
)
def test_what_is_no_list_of_addresses_is_refused(value, reason):
    with pytest.raises(ValidationError, match=reason):
        validate_registered_ips(value)
