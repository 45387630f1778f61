"""The account that reads a broker's data for everybody: refused with the remedy before anything is sent."""

from contextlib import closing
from datetime import timedelta

import pytest

from brokers.accounts import store_secrets
from brokers.connections import open_data_account
from brokers.models import BrokerConfiguration
from brokers.protocol import NotAuthenticated
from tests.brokers.accounts import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(django_user_model) -> BrokerConfiguration:
    asha = django_user_model.objects.create_user("asha")
    account = BrokerConfiguration.objects.create(user=asha, broker="fyers", is_data_account=True)
    ends = NOW + timedelta(hours=1)
    store_secrets(account, app_key="app-100", access_token="a-token-for-data", token_expires_at=ends)
    return account


def test_the_account_marked_for_data_is_opened(account):
    with closing(open_data_account("fyers", lambda: NOW)) as broker:
        assert broker.name == "fyers"


def test_an_account_that_is_not_marked_is_not_used(account):
    BrokerConfiguration.objects.update(is_data_account=False)
    with pytest.raises(NotAuthenticated, match="mark one in the admin"):
        open_data_account("fyers", lambda: NOW)


def test_another_brokers_account_is_not_used(account):
    with pytest.raises(NotAuthenticated, match="No account at Zerodha"):
        open_data_account("zerodha", lambda: NOW)


def test_a_token_that_has_ended_is_not_sent(account):
    with pytest.raises(NotAuthenticated, match="asha at Fyers ended on 30 November 2026 at 11:00"):
        open_data_account("fyers", lambda: NOW + timedelta(hours=2))
