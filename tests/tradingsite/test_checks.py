"""System checks: silent on the default settings, loud on each mistake."""

import base64
import hashlib
from typing import Any

import pytest
from pytest_django import Settings

from market_data.runs.saga import Saga
from tests.runs import registered
from tradingsite import checks


def ids(messages: list[Any]) -> set[str]:
    return {message.id for message in messages}


@pytest.mark.parametrize(
    "check",
    [
        checks.queue_timings,
        checks.production_secrets,
        checks.database_engine,
        checks.registries,
        checks.alert_channels,
    ],
)
def test_the_default_settings_pass(check: Any):
    assert check(None) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"timeout": None}, {"site.E001"}),
        ({"timeout": 100, "retry": 100}, {"site.E002"}),
        ({"bulk": 5}, {"site.E003"}),
        ({"queue_limit": None}, {"site.E003"}),
    ],
)
def test_a_queue_that_delivers_twice_is_refused(settings: Settings, options: dict[str, Any], expected: set[str]):
    alternatives = settings.Q_CLUSTER["ALT_CLUSTERS"]
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"ALT_CLUSTERS": alternatives | {"ml": alternatives["ml"] | options}}
    messages = checks.queue_timings(None)
    assert ids(messages) == expected
    assert '["ml"]' in messages[0].msg


def test_a_cluster_without_options_is_refused(settings: Settings):
    settings.CLUSTERS = (*settings.CLUSTERS, "third")
    assert ids(checks.queue_timings(None)) == {"site.E004"}


def test_an_unsafe_production_is_refused(settings: Settings):
    settings.PRODUCTION, settings.DEBUG = True, True
    settings.SECRET_KEY, settings.ALLOWED_HOSTS = "short", ["*"]
    settings.SECURE_PROXY_SSL_HEADER, settings.PROXY_COUNT = ("HTTP_X_FORWARDED_PROTO", "https"), 0
    assert ids(checks.production_secrets(None)) == {"site.E011", "site.E012", "site.E013", "site.E014"}
    settings.PROXY_COUNT = 1
    assert ids(checks.production_secrets(None)) == {"site.E011", "site.E012", "site.E013"}


@pytest.mark.parametrize(
    ("key", "is_long"),
    [
        ("a", False),
        ("hush" * 20, False),
        (base64.b64encode(bytes(range(31))).decode(), False),
        (base64.b64encode(bytes(range(32))).decode(), True),
        (base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("="), True),
        (hashlib.sha256(b"x").hexdigest(), True),
    ],
)
def test_a_short_credential_key_is_refused_by_its_number(settings: Settings, key: str, is_long: bool):
    settings.PRODUCTION, settings.SECRET_KEY = True, "x" * 50
    settings.CREDENTIAL_KEYS = [hashlib.sha256(b"good").hexdigest(), key]
    messages = checks.production_secrets(None)
    assert ids(messages) == (set() if is_long else {"site.E015"})
    assert is_long or messages[0].msg.startswith("Key 2 of CREDENTIAL_KEYS is not 32 random bytes")
    assert key == "a" or key not in " ".join(message.msg for message in messages)
    settings.PRODUCTION = False
    assert checks.production_secrets(None) == []


def test_another_database_is_refused(settings: Settings):
    settings.DATABASES["default"]["ENGINE"] = "django.db.backends.sqlite3"
    try:
        assert ids(checks.database_engine(None)) == {"site.E021"}
    finally:
        settings.DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"


def test_unknown_names_are_refused(settings: Settings):
    settings.MARKET_DATA_PROVIDER = "crystal_ball"
    lost = Saga("lost", "Lost", (), waits_for=("pipeline", "no_such_job"), cluster="nowhere")
    with registered(lost):
        messages = checks.registries(None)
    assert ids(messages) == {"site.E032", "site.E033", "site.E034"}
    assert "waits for no_such_job" in messages[0].msg


@pytest.mark.parametrize(
    ("bars", "quotes", "refused"),
    [
        ("simulator", "", set()),
        ("nse_archive", "zerodha", set()),
        ("fyers", "", set()),
        ("nse_archive", "crystal_ball", {"site.E034"}),
        ("simulator", "fyers", {"site.E035"}),
        ("zerodha", "simulator", {"site.E035"}),
    ],
)
def test_quotes_come_from_a_provider_of_the_same_market(settings: Settings, bars: str, quotes: str, refused: set[str]):
    settings.MARKET_DATA_PROVIDER, settings.QUOTES_PROVIDER = bars, quotes
    assert ids(checks.registries(None)) == refused


def test_channels_that_could_never_deliver_are_refused(settings: Settings):
    token = "T0PSECRET"
    settings.ALERT_MAIL_TO, settings.EMAIL_HOST = ["a@example.com"], ""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.ALERT_WEBHOOK_SECRET_URLS = [f"hooks.example/{token}", f"https://[{token}"]
    settings.ALERT_WEBHOOK_PAYLOAD = '[{"text": "$text"}]'
    settings.DEADMAN_PING_SECRET_URL = f"ftp://{token}"
    messages = checks.alert_channels(None)
    assert ids(messages) == {"site.E041", "site.E042", "site.E043", "site.E044"}
    assert token not in " ".join(message.msg for message in messages)


@pytest.mark.parametrize("payload", ["{", "[1]", '{"text": "fixed"}', "7"])
def test_a_payload_without_a_placeholder_is_refused(settings: Settings, payload: str):
    settings.ALERT_WEBHOOK_SECRET_URLS = ["https://hooks.example/x"]
    settings.ALERT_WEBHOOK_PAYLOAD = payload
    assert ids(checks.alert_channels(None)) == {"site.E043"}
