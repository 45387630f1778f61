"""The command `broker_account set`: what it stores, what it prints, and what it takes for nothing."""

import io
import json
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from brokers.accounts import secret_of
from brokers.models import BrokerConfiguration
from brokers.redaction import without_secrets
from portfolio.models import User
from tradingsite.models import AuditEntry

pytestmark = pytest.mark.django_db
SECRET, TOKEN = "s3cret-of-the-app-9", "t0ken-of-today-9"
GIVEN = {
    "app_key": "APP-100",
    "client_id": "XA1",
    "api_secret": SECRET,
    "access_token": TOKEN,
    "token_expires_at": "2026-12-01T06:00:00+05:30",
}


def set_account(monkeypatch: Any, given: Any, broker: str = "fyers", user: str = "asha") -> dict[str, Any]:
    text = given if isinstance(given, str) else json.dumps(given)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    out = io.StringIO()
    call_command("broker_account", "set", broker, "--user", user, "--json", stdout=out)
    assert not any(secret in out.getvalue() for secret in (SECRET, TOKEN))
    printed: dict[str, Any] = json.loads(out.getvalue())
    return printed


@pytest.fixture
def asha() -> User:
    return User.objects.create_user("asha")


def test_what_standard_input_names_is_stored_sealed_and_the_rest_stays(monkeypatch, asha):
    printed = set_account(monkeypatch, GIVEN)
    assert printed == {"broker": "fyers", "user": "asha", "stored": list(GIVEN)}
    account = BrokerConfiguration.objects.get()
    assert (account.user, account.app_key, account.client_id, account.is_active) == (asha, "APP-100", "XA1", True)
    assert [secret_of(account, "api_secret"), secret_of(account, "access_token")] == [SECRET, TOKEN]
    assert account.token_expires_at == datetime(2026, 12, 1, 0, 30, tzinfo=UTC)
    assert without_secrets(f"the broker says {TOKEN} is wrong") == "the broker says *** is wrong"
    assert without_secrets("APP-100-x, 2026-12-01T06:00:00+05:30") == "APP-100-x, 2026-12-01T06:00:00+05:30"
    assert set_account(monkeypatch, {"access_token": "another-t0ken"})["stored"] == ["access_token"]
    account.refresh_from_db()
    assert [secret_of(account, "api_secret"), secret_of(account, "access_token")] == [SECRET, "another-t0ken"]
    assert BrokerConfiguration.objects.get().token_expires_at is None
    unknown_end = {"access_token": "third-t0ken", "token_expires_at": None}
    assert set_account(monkeypatch, GIVEN)["stored"] == list(GIVEN)
    assert set_account(monkeypatch, unknown_end)["stored"] == ["access_token"]
    assert BrokerConfiguration.objects.get().token_expires_at is None


def test_the_audit_has_the_act_without_a_value(monkeypatch, asha):
    set_account(monkeypatch, GIVEN)
    stored = BrokerConfiguration.objects.get()
    entries = AuditEntry.objects.filter(table_name="broker_configurations").order_by("id")
    assert [entry.act for entry in entries] == ["insert", "update"]
    assert (entries[1].after or {})["access_token"] == "(another secret)"
    everything = str(list(entries.values()))
    assert "XA1" in everything
    assert not any(text in everything for text in (SECRET, TOKEN, stored.api_secret, stored.access_token))


BAD = {
    "nothing": ("", "not JSON"),
    "no JSON": (f'{{"access_token": {TOKEN}}}', r"not JSON \(line 1, column 18\)"),
    "half an object": (f'{{"access_token": "{TOKEN}', "not JSON"),
    "a list": ([TOKEN], "not a JSON object"),
    "a text": (json.dumps(TOKEN), "not a JSON object"),
    "an empty object": ({}, "with at least one of app_key"),
    "an unknown name": (GIVEN | {"pin": "4711"}, "'pin' is none of app_key, client_id"),
    "a value for a name": ({TOKEN: "access_token"}, "A name in standard input is none"),
    "a name twice": (f'{{"access_token": "{TOKEN}", "access_token": "{TOKEN}"}}', "twice"),
    "a number": (GIVEN | {"access_token": 471147114711}, "access_token is not a text"),
    "null": (GIVEN | {"api_secret": None}, "api_secret is not a text"),
    "an object": (GIVEN | {"api_secret": {"value": SECRET}}, "api_secret is not a text"),
    "an empty text": (GIVEN | {"api_secret": ""}, "api_secret is not a text"),
    "two lines": (GIVEN | {"access_token": f"{TOKEN}\nX-Evil: 1"}, "access_token is not a text"),
    "no ASCII": (GIVEN | {"app_key": "ä-100"}, "app_key is not a text"),
    "too long": (GIVEN | {"client_id": "X" * 101}, "client_id has more than 100"),
    "a book": ({"access_token": "x" * 70_000}, "more than 65,536 characters"),
    "a deep one": ("[" * 50_000, "not JSON"),
    "a time without an offset": (GIVEN | {"token_expires_at": "2026-12-01T06:00:00"}, "a time with its offset"),
    "a day": (GIVEN | {"token_expires_at": "2026-12-01"}, "a time with its offset"),
    "a number for a time": (GIVEN | {"token_expires_at": 1796083200}, "a time with its offset"),
    "the unknown end of no token": ({"token_expires_at": None}, "null without an access_token"),
    "no time": (GIVEN | {"token_expires_at": "tomorrow"}, "a time with its offset"),
    "the end of time": (GIVEN | {"token_expires_at": "9999-12-31T23:59:59-05:30"}, "a time with its offset"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_a_sentence_without_its_value(monkeypatch, asha, name: str):
    given, sentence = BAD[name]
    with pytest.raises(CommandError, match=sentence) as caught:
        set_account(monkeypatch, given)
    assert str(caught.value).endswith("Nothing was stored.")
    assert not any(secret in str(caught.value) for secret in (SECRET, TOKEN, "4711"))
    assert not BrokerConfiguration.objects.exists()


@pytest.mark.parametrize(
    ("broker", "user", "sentence"),
    [
        ("simulator", "asha", "simulator needs no account: use zerodha or fyers"),
        ("robinhood", "asha", "robinhood is no broker: use zerodha or fyers"),
        ("fyers", "nobody", "no active person named 'nobody'"),
    ],
)
def test_an_account_of_nobody_or_nowhere_is_refused(monkeypatch, asha, broker: str, user: str, sentence: str):
    with pytest.raises(CommandError, match=sentence):
        set_account(monkeypatch, GIVEN, broker, user)
    assert not BrokerConfiguration.objects.exists()
