"""The command `broker_check`, and where a broker's calls may go."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from brokers.accounts import account_of, store_secrets
from brokers.addresses import VENDORS_ROOTS
from brokers.models import BrokerConfiguration
from portfolio.models import User
from tests.architecture.sources import ROOT
from tests.brokers.accounts import CALLS, TAG, TOKEN, VENUES
from tests.brokers.venue import Answer, Venue
from tradingsite import env

pytestmark = pytest.mark.django_db
ROOTS = {"zerodha": "KITE_API_ROOT", "fyers": "FYERS_API_ROOT"}


@pytest.fixture(params=VENUES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def venue(name: str, settings) -> Iterator[Venue]:
    with VENUES[name]() as venue:
        setattr(settings, ROOTS[name], venue.root)
        settings.FYERS_PUBLIC_ROOT = venue.root
        yield venue
    with closing(connection.copy()) as other, other.cursor() as cursor:  # where the limiter committed
        cursor.execute("DELETE FROM broker_calls")


@pytest.fixture
def account(name: str) -> BrokerConfiguration:
    account = account_of(name, User.objects.create_user("asha"))
    secrets: dict[str, Any] = {"app_key": "app-100", "access_token": TOKEN, "api_secret": "s3cret-of-the-app"}
    store_secrets(account, client_id="AB1234", **secrets)
    return account


def check(name: str, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
    out = StringIO()
    try:
        call_command("broker_check", name, *arguments, "--json", stdout=out)
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    assert code == exit_code
    assert TOKEN not in out.getvalue()
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


def test_each_call_once(name: str, venue: Venue, account):
    report = check(name, "--symbols", "SBIN,NOSUCH", "--history", "SBIN", "2026-11-26", "2026-11-27")
    assert (report["broker"], report["account"], report["root"]) == (name, "AB1234", venue.root)
    assert report["checked_at"].endswith("+05:30")
    calls = report["calls"]
    assert len(calls) == 9
    assert [call["requests"] for call in calls.values()] == [1] * 9
    assert calls["profile"]["data"] == {"client_id": "AB1234", "name": "Asha Rao", "sell_authorisation": "standing"}
    assert calls["funds"]["data"] == {"available": "58150.5", "used": "300.25"}
    assert calls["holdings"]["data"]["rows"][0]["sellable_quantity"] == 6
    order = calls["orders"]["data"]["rows"][0]
    assert (order["price"], order["status"], order["placed_at"]) == ("430.05", "open", "2026-11-30T09:18:57+05:30")
    assert calls["quotes"]["data"]["missing"] == ["NOSUCH"]
    assert calls["quotes"]["data"]["rows"][0].keys() == {
        *("symbol", "at", "last_price", "volume", "lower_band", "upper_band")
    }
    assert calls["history"]["data"]["rows"][0]["date"] == "2026-11-26"


def test_it_says_that_the_root_is_not_the_vendors(name: str, venue: Venue, account):
    err = StringIO()
    call_command("broker_check", name, "--calls", "profile", stdout=StringIO(), stderr=err)
    assert f"{ROOTS[name]} is {venue.root}, which is not the vendor's" in err.getvalue()


def test_one_failing_call_leaves_the_others(name: str, venue: Venue, account):
    venue.spoil = lambda request, answer: Answer(503) if request.path.endswith(("funds", "margins")) else answer
    calls = check(name, "--calls", "profile,funds,orders", exit_code=1)["calls"]
    assert [call["ok"] for call in calls.values()] == [True, False, True]
    error = calls["funds"]["error"]
    assert (error["class"], error["sent"], error["code"]) == ("unavailable", True, None)
    assert len(venue.requests) == 3


def test_an_account_without_a_token_sends_nothing(name: str, venue: Venue, account, tmp_path):
    order = tmp_path / "order.json"
    order.write_text(json.dumps(ORDER))
    BrokerConfiguration.objects.update(access_token="")
    report = check(name, "--calls", "profile", "--trade", str(order), exit_code=1)
    assert {call: (each["error"]["class"], each["error"]["sent"]) for call, each in report["calls"].items()} == (
        dict.fromkeys(("profile", "place", "find_by_tag"), ("not_authenticated", False))
    )
    assert report["capabilities"]["history_adjusted"] in ("vendor", "unknown")
    assert venue.requests == []


@pytest.mark.parametrize("how", ["copied from another account", "of a key that is gone"])
def test_a_token_that_does_not_open_sends_nothing(name: str, venue: Venue, account, settings, how: str):
    if how == "of a key that is gone":
        settings.CREDENTIAL_KEYS = ["another key"]
    else:
        other = account_of(name, User.objects.create_user("ravi"))
        store_secrets(other, access_token="of-somebody-else")
        BrokerConfiguration.objects.filter(pk=account.pk).update(access_token=other.access_token, key_id=other.key_id)
    calls = check(name, "--calls", "profile,funds", "--user", "asha", exit_code=1)["calls"]
    for call in calls.values():
        assert (call["ok"], call["error"]["class"], call["error"]["sent"]) == (False, "refused", False)
        assert "enter the secret again" in call["error"]["message"]
    assert venue.requests == []


def test_whose_account_must_be_clear(name: str):
    with pytest.raises(CommandError, match="There are 0 accounts of nobody"):
        check(name, "--user", "nobody")


ORDER = {"symbol": "SBIN", "side": "BUY", "quantity": 7, "order_type": "LIMIT", "price": "430.05", "product": "CNC"}


def test_a_trade_at_loopback(name: str, venue: Venue, account, tmp_path):
    file = tmp_path / "order.json"
    file.write_text(json.dumps(ORDER))
    calls = check(name, "--calls", "profile", "--trade", str(file))["calls"]
    assert list(calls) == ["profile", "place", "find_by_tag", "modify", "cancel"]
    assert [row["order_id"] for row in calls["find_by_tag"]["data"]["rows"]] == [calls["place"]["data"]["order_id"]]
    assert list(check(name, "--calls", "cancel,find_by_tag", "--trade", str(file))["calls"]) == list(calls)[1:]
    [change, _] = venue.sent("PUT") + venue.sent("PATCH")
    assert b"430.00" in change.body or b"430.0," in change.body


def test_a_trade_at_the_brokers_own_address_is_refused_before_it_reads(name: str, tmp_path):
    with pytest.raises(CommandError, match="loopback"):
        check(name, "--trade", str(tmp_path / "absent.json"))


def test_orders_are_looked_for_by_their_tag(name: str, venue: Venue, account):
    calls = check(name, "--calls", "find_by_tag", "--tag", TAG)["calls"]
    assert [row["order_id"] for row in calls["find_by_tag"]["data"]["rows"]] == ["1001"]
    assert len(venue.requests) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--calls", "find_by_tag"), "--calls find_by_tag: it needs --tag"),
        (("--calls", "quotes"), "--calls quotes: it needs --symbols"),
        (("--calls", "history"), "it needs --history"),
        (("--calls", "place"), "it needs --trade"),
        (("--calls", "fetch"), "--calls fetch: it is none of profile"),
        *((("--tag", tag), f"'{tag}' is no tag") for tag in ("A" * 21, "A TAG", "Untagged", "", "Ü1")),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_sent(name: str, venue: Venue, account, arguments, words: str):
    for broker in (name, "simulator"):
        with pytest.raises(CommandError, match=words):
            check(broker, *arguments)
    assert venue.requests == []


@pytest.mark.parametrize(
    "change",
    [
        *({"quantity": quantity} for quantity in (0, -1, 7.5, "many", None)),
        *({"price": price} for price in (0, -1, "dear", "NaN", "Infinity")),
        *({"side": "hold"}, {"order_type": "gtt"}, {"order_type": "MARKET"}, {"product": "MTF"}),
    ],
    ids=str,
)
def test_what_is_no_order_is_not_placed(change: dict[str, Any], tmp_path):
    file = tmp_path / "order.json"
    file.write_text(json.dumps(ORDER | change))
    with pytest.raises(CommandError):
        check("simulator", "--trade", str(file))


def test_the_simulator_needs_no_account(tmp_path):
    file = tmp_path / "order.json"
    file.write_text(json.dumps(ORDER | {"price": "420.05"}))
    arguments = ("--symbols", "SBIN,NOSUCH", "--history", "SBIN", "2026-11-26", "2026-11-27", "--tag", TAG)
    report = check("simulator", *arguments, "--trade", str(file))
    assert (report["broker"], report["account"], report["root"]) == ("simulator", None, None)
    calls = report["calls"]
    assert set(calls) == set(CALLS)
    assert all(call["ok"] and call["requests"] == 1 for name, call in calls.items() if name != "modify")
    assert calls["profile"]["data"] == {
        "client_id": "SIMULATED",
        "name": "Simulated account",
        "sell_authorisation": "standing",
    }
    assert calls["funds"]["data"] == {"available": "1000000", "used": "0"}
    assert calls["quotes"]["data"]["missing"] == ["NOSUCH"]
    assert len(calls["history"]["data"]["rows"]) == 2
    [order] = calls["find_by_tag"]["data"]["rows"]
    assert (order["order_id"], order["price"], order["quantity"]) == ("1001", "420.05", 7)


def test_what_the_simulator_rejects(tmp_path):
    file = tmp_path / "order.json"
    file.write_text(json.dumps(ORDER | {"symbol": "NOSUCH"}))
    calls = check("simulator", "--calls", "profile", "--trade", str(file), exit_code=1)["calls"]
    assert list(calls) == ["profile", "place", "find_by_tag"]
    assert (calls["place"]["error"]["class"], calls["find_by_tag"]["data"]["rows"]) == ("rejected", [])
    assert "no NOSUCH in series EQ" in calls["place"]["error"]["message"]


@pytest.mark.parametrize("root", ["http://127.0.0.1:8000", "http://[::1]:8000"])
def test_loopback_is_allowed_while_debugging(monkeypatch, root: str):
    monkeypatch.setenv("X", root)
    assert env.broker_root("X", "https://vendor.example", debug=True) == root
    with pytest.raises(ImproperlyConfigured, match="X"):
        env.broker_root("X", "https://vendor.example", debug=False)


@pytest.mark.parametrize(
    "root",
    [
        *("http://127.0.0.1.example.com:80", "http://me@127.0.0.1:80", "http://127.0.0.1:80/path", "http://127.0.0.1"),
        *(
            "https://127.0.0.1:80",
            "http://localhost:80",
            "http://127.0.0.1:80/",
            "http://127.0.0.1:99999",
            "http://0:1",
        ),
        *("https://api.kite.trade.example", "http://127.0.0.1:80\n", "http://127.0.0.2:80"),
    ],
)
def test_another_root_is_none(monkeypatch, root: str):
    monkeypatch.setenv("X", root)
    with pytest.raises(ImproperlyConfigured, match="X"):
        env.broker_root("X", "https://vendor.example", debug=True)


def test_the_defaults_are_the_vendors(settings):
    assert {name: getattr(settings, name) for name in VENDORS_ROOTS} == VENDORS_ROOTS


def test_nothing_starts_with_a_loopback_root_in_production():
    environment = os.environ | {"KITE_API_ROOT": "http://127.0.0.1:9", "DEBUG": "0"}
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "KITE_API_ROOT" in done.stderr
