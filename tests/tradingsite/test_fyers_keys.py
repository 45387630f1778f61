"""FYERS_CLIENT_ID and FYERS_ACCESS_TOKEN go into the admin's account once, with a warning."""

from datetime import UTC, datetime

import pytest
from django.core.management import call_command

from brokers.accounts import secret_of, store_secrets
from brokers.models import BrokerConfiguration
from portfolio.models import User
from tests.brokers.fyers_venue import json_web_token
from tradingsite.fyers_keys import ACT, take_fyers_keys
from tradingsite.models import AuditEntry

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 30, 4, 30, tzinfo=UTC)
SIX = datetime(2026, 12, 1, 0, 30, tzinfo=UTC)
APP, TOKEN = "XK9QAPP-100", "contract-token-7"


@pytest.fixture(autouse=True)
def keys(settings):
    settings.FYERS_CLIENT_ID, settings.FYERS_ACCESS_TOKEN = APP, TOKEN


@pytest.fixture
def admin() -> User:
    User.objects.create_user("asha")
    admin = User.objects.create_superuser("admin")
    User.objects.create_superuser("second")
    return admin


def test_they_are_taken_once_with_a_warning(admin, capsys):
    assert "are now in the account of admin at Fyers: remove them" in take_fyers_keys(lambda: NOW)
    account = BrokerConfiguration.objects.get()
    assert (account.user, account.broker, account.app_key, account.client_id) == (admin, "fyers", APP, "")
    assert (secret_of(account, "access_token"), account.token_expires_at) == (TOKEN, SIX)
    store_secrets(account, app_key="another-100", access_token="of-the-admin")
    call_command("take_fyers_keys")
    shown = capsys.readouterr()
    assert (shown.out, "were taken on" in shown.err, TOKEN in shown.err) == ("", True, False)
    account.refresh_from_db()
    assert (account.app_key, secret_of(account, "access_token")) == ("another-100", "of-the-admin")
    account.delete()
    take_fyers_keys()
    assert not BrokerConfiguration.objects.exists()
    [entry] = AuditEntry.objects.filter(act=ACT)
    assert entry.after is not None
    assert (entry.after["user"], entry.after["stored"]) == ("admin", True)


def test_they_wait_for_a_superuser():
    assert "wait for a superuser" in take_fyers_keys()
    admin = User.objects.create_superuser("admin")
    take_fyers_keys()
    assert BrokerConfiguration.objects.get().user == admin


def test_an_account_that_has_its_own_keeps_them(admin):
    BrokerConfiguration.objects.create(user=admin, broker="fyers", app_key="own-100")
    assert "were not taken, as admin has an account" in take_fyers_keys()
    BrokerConfiguration.objects.update(app_key="")
    assert "were taken on" in take_fyers_keys()
    assert BrokerConfiguration.objects.get().access_token == ""


def test_the_tokens_own_end_is_known(admin, settings):
    settings.FYERS_ACCESS_TOKEN = json_web_token(exp=int(datetime(2026, 11, 30, 18, tzinfo=UTC).timestamp()))
    take_fyers_keys(lambda: NOW)
    assert BrokerConfiguration.objects.get().token_expires_at == datetime(2026, 11, 30, 18, tzinfo=UTC)


@pytest.mark.parametrize(("app", "token"), [("", TOKEN), (APP, ""), (APP, "two words"), ("X" * 101, TOKEN)])
def test_a_half_is_not_taken(admin, settings, app: str, token: str):
    settings.FYERS_CLIENT_ID, settings.FYERS_ACCESS_TOKEN = app, token
    assert "were not taken: set both" in take_fyers_keys()
    assert not BrokerConfiguration.objects.exists()


def test_without_them_nothing_is_done(admin, settings):
    settings.FYERS_CLIENT_ID = settings.FYERS_ACCESS_TOKEN = ""
    assert take_fyers_keys() == ""
    assert not AuditEntry.objects.filter(act=ACT).exists()
