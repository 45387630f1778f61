"""Postbacks: only what the app's secret signed, of its day and once, makes the sender read the book earlier."""

import hashlib
import json
from datetime import datetime
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from brokers.accounts import store_secrets
from brokers.models import BrokerConfiguration
from portfolio.models import OrderEvent, TradingAccount, User
from portfolio.sending.nudges import take_nudge
from tests.accounts import IST
from tradingsite.web import postbacks

pytestmark = pytest.mark.django_db
ADDRESS = "/postbacks/zerodha/"
SECRET = "the-app-s3cret"
NOW = datetime(2026, 11, 30, 10, 0, 30, tzinfo=IST)


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    cache.clear()
    monkeypatch.setattr(timezone, "now", lambda: NOW)


@pytest.fixture
def account(db) -> TradingAccount:
    return live_account("asha", "AB1234", SECRET)


def live_account(name: str, client_id: str, secret: str) -> TradingAccount:
    user = User.objects.create_user(name)
    configuration = BrokerConfiguration.objects.create(user=user, broker="zerodha", is_active=True)
    store_secrets(configuration, client_id=client_id, api_secret=secret)
    facts = {"kind": "live", "broker": "zerodha", "charges_of": "zerodha", "configuration": configuration}
    return TradingAccount.objects.create(owner=user, name="Live", **facts)


def body(secret: str = SECRET, **changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = {
        "user_id": "AB1234",
        "order_id": "220303000308932",
        "order_timestamp": "2026-11-30 10:00:00",
        "status": "COMPLETE",
        "filled_quantity": 5,
    } | changes
    signed = f"{content['order_id']}{content['order_timestamp']}{secret}"
    return {"checksum": hashlib.sha256(signed.encode()).hexdigest()} | content


def post(content: Any, **headers: str) -> int:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    client = Client(enforce_csrf_checks=True)
    answer = client.post(ADDRESS, data, content_type="application/json", headers=headers)
    assert answer.content == b""
    return answer.status_code


def test_a_genuine_one_nudges_its_own_account_and_changes_no_table(account):
    other = live_account("ravi", "CD5678", "another-s3cret")
    with CaptureQueriesContext(connection) as statements:
        assert post(body()) == 204
    assert {each["sql"].split()[0] for each in statements.captured_queries} == {"SELECT"}
    assert (take_nudge(account.pk), take_nudge(account.pk), take_nudge(other.pk)) == (True, False, False)
    assert not OrderEvent.objects.exists()  # of an order that is not known here: the book will say


def test_the_same_one_again_is_ignored(account):
    assert (post(body()), take_nudge(account.pk)) == (204, True)
    assert (post(body()), take_nudge(account.pk)) == (204, False)
    later = body(order_timestamp="2026-11-30 10:00:01")
    assert (post(later), take_nudge(account.pk)) == (204, True)


@pytest.mark.parametrize(
    "content",
    [
        body(secret="wrong"),
        body(secret=""),
        body() | {"checksum": ""},
        body() | {"checksum": None},
        body() | {"checksum": "é" * 64},
        body() | {"checksum": body()["checksum"].upper()},
        body() | {"order_id": "220303000308933"},
        body(user_id="CD5678"),  # another person's, signed by the secret of one's own app
        body(user_id="NOBODY"),
        body(user_id="AB\0"),
        body(user_id="\ud800"),
        body(user_id=None),
        body(user_id=["AB1234"]),
        body(order_timestamp="2026-11-28 10:00:00"),  # an old one
        body(order_timestamp="2026-11-30 11:00:00"),  # of the future
        body(order_timestamp="yesterday"),
        {},
        [],
        "text",
        b"",
        b"\xff\xfe",
        b'{"user_id": ' + b"[" * 5000,
        b'{"user_id": ' + b"9" * 5000 + b"}",
    ],
    ids=range(23),
)
def test_what_the_apps_secret_did_not_sign_is_refused_and_nudges_nobody(account, content):
    other = live_account("ravi", "CD5678", "another-s3cret")
    assert post(content) == 403
    assert (take_nudge(account.pk), take_nudge(other.pk)) == (False, False)


def test_without_a_secret_nothing_is_genuine(db):
    account = live_account("asha", "AB1234", "")
    assert (post(body(secret="")), take_nudge(account.pk)) == (403, False)


@pytest.mark.parametrize("change", [{"is_active": False}, {"api_secret": "k.does-not-open"}])
def test_an_account_that_is_off_or_does_not_open_gets_none(account, change):
    BrokerConfiguration.objects.update(**change)
    assert (post(body()), take_nudge(account.pk)) == (403, False)


def test_too_much_is_not_read(account):
    large = body(padding="x" * postbacks.MOST_BYTES)
    assert (post(large), take_nudge(account.pk)) == (413, False)


def test_one_address_may_post_so_often_a_minute(account):
    for _ in range(120):
        post(b"{}")
    assert (post(body()), take_nudge(account.pk)) == (429, False)


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "head"])
def test_nothing_else_is_answered(client, method):
    assert getattr(client, method)(ADDRESS).status_code == 405


def test_a_refusal_names_nothing_in_the_log(account, caplog):
    post(body(secret="wrong"))
    text = " ".join(record.getMessage() + str(record.__dict__) for record in caplog.records)
    assert "AB1234" not in text
    assert body(secret="wrong")["checksum"] not in text


def test_fyers_has_no_address(client):
    assert client.post("/postbacks/fyers/").status_code == 404
