"""Pages of a person's brokers: connect, callback, test, readiness; whose they are, and what no address may hold."""

import html as html_module
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import Client
from django.utils import timezone

from brokers import log_in
from brokers.accounts import account_of, sealed_for, store_secrets
from brokers.models import BrokerConfiguration
from brokers.protocol import IST
from market_data.models import DailyBar, MarketDay
from portfolio.models import User
from portfolio.pages.brokers import readiness
from portfolio.pages.brokers.account_tests import AccountTest, keep_test, kept_test, run_test
from portfolio.pages.brokers.readiness import State
from stocks.models import Stock
from tests.brokers.accounts import VENUES
from tests.brokers.kite_venue import APP_SECRET
from tests.brokers.test_log_in import CODES, state_of
from tests.brokers.venue import Answer, Venue

pytestmark = pytest.mark.django_db
SECRETS = ("kite-token-of-today", "request-token-0001", "auth-code-0001", APP_SECRET)
NOW = datetime(2026, 11, 30, 8, 5, tzinfo=IST)


@pytest.fixture(params=VENUES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def venue(name: str, settings) -> Iterator[Venue]:
    with VENUES[name]() as venue:
        settings.KITE_API_ROOT = settings.FYERS_API_ROOT = venue.root
        yield venue
    with closing(connection.copy()) as other, other.cursor() as cursor:  # where the limiter committed
        cursor.execute("DELETE FROM broker_calls")


@pytest.fixture
def asha(client: Client) -> User:
    user = User.objects.create_user("asha")
    client.force_login(user)
    return user


def store_account(user: User, broker: str, **facts: Any) -> BrokerConfiguration:
    account = account_of(broker, user)
    store_secrets(account, **{"client_id": "AB1234", "app_key": "app-100", "api_secret": APP_SECRET} | facts)
    return account


def login_address(client: Client, broker: str) -> str:
    html: str = client.post(f"/brokers/{broker}/connect/").content.decode()
    [address] = re.findall(r'href="(http[^"]+)"', html)
    return html_module.unescape(address)


def test_connect_log_in_and_come_back_to_a_clean_address(client: Client, asha: User, name: str, venue: Venue):
    store_account(asha, name)
    address = login_address(client, name)
    assert address.startswith(venue.root)
    answer = client.get("/brokers/callback/", CODES[name] | {"state": state_of(address)})
    assert (answer.status_code, answer["Location"], answer["Referrer-Policy"]) == (302, "/brokers/", "no-referrer")
    html = client.get("/brokers/").content.decode()
    assert "is connected as AB1234" in html
    ends_at = account_of(name, asha).token_expires_at
    assert ends_at is not None
    # After midnight a token that ends at six does not last for the day's trading, and the page says that.
    assert re.search(rf"(It lasts until|The token ends on) [^<]*{ends_at.astimezone(IST):%H:%M}", html)
    assert not any(secret in html for secret in SECRETS)
    if name == "fyers":
        [uri] = parse_qs(urlsplit(address).query)["redirect_uri"]
        assert uri == "http://testserver/brokers/callback/"


def test_the_address_of_the_site_can_be_set(client: Client, asha: User, settings):
    settings.SITE_URL = "https://desk.example"
    store_account(asha, "fyers")
    assert "redirect_uri=https%3A%2F%2Fdesk.example%2Fbrokers%2Fcallback%2F" in login_address(client, "fyers")


@pytest.mark.parametrize("case", ["forged", "missing", "given up", "replayed", "another session", "another person"])
def test_a_callback_that_is_none_sends_nothing(client: Client, asha: User, name: str, venue: Venue, case: str):
    store_account(asha, name)
    query = CODES[name] | {"state": state_of(login_address(client, name))}
    if case == "forged":
        query["state"] = "forged"
    elif case == "missing":
        del query["state"]
    elif case == "given up":
        query |= {"status": "cancelled", "s": "error"}
    elif case == "replayed":
        client.get("/brokers/callback/", query)
    else:
        other = asha if case == "another session" else User.objects.create_user("ravi")
        client = Client()
        client.force_login(other)
    sent = len(venue.requests)
    answer = client.get("/brokers/callback/", query)
    html = answer.content.decode()
    assert (answer.status_code, answer["Referrer-Policy"]) == (400, "no-referrer")
    assert "nothing was sent" in html
    assert not any(secret in html for secret in SECRETS)
    assert len(venue.requests) == sent


def test_a_callback_without_a_session_sends_nothing(client: Client, asha: User, name: str, venue: Venue):
    store_account(asha, name)
    query = CODES[name] | {"state": state_of(login_address(client, name))}
    client.logout()
    answer = client.get("/brokers/callback/", query)
    html = answer.content.decode()
    assert (answer.status_code, answer["Referrer-Policy"]) == (403, "no-referrer")
    assert "nothing was sent" in html
    assert "next=/brokers/" in html
    assert not any(secret in html for secret in (*SECRETS, query["state"]))
    assert answer.wsgi_request.get_full_path() == "/brokers/callback/"
    assert venue.requests == []


def test_a_fault_of_ours_shows_no_code_even_while_debugging(client: Client, asha: User, settings, monkeypatch, caplog):
    def broken(*_: object, **_more: object) -> None:
        raise RuntimeError("our own fault")

    settings.DEBUG = True
    monkeypatch.setattr(log_in, "new_token", broken)
    store_account(asha, "zerodha")
    query = CODES["zerodha"] | {"state": state_of(login_address(client, "zerodha"))}
    answer = client.get("/brokers/callback/", query)
    assert (answer.status_code, answer["Referrer-Policy"]) == (500, "no-referrer")
    assert "our own fault" in caplog.text
    shown = f"{answer.content.decode()}{caplog.text}"
    assert not any(secret in shown for secret in (*SECRETS, query["state"]))


def test_connecting_is_a_post_with_its_token(asha: User):
    client = Client(enforce_csrf_checks=True)
    client.force_login(asha)
    store_account(asha, "zerodha")
    assert client.get("/brokers/zerodha/connect/").status_code == 405
    assert client.post("/brokers/zerodha/connect/").status_code == 403
    assert client.post("/brokers/zerodha/test/").status_code == 403


def test_accounts_are_their_owners_alone(client: Client, asha: User):
    store_account(User.objects.create_user("ravi"), "zerodha", client_id="RV9999")
    for path in ("/brokers/", "/brokers/readiness/"):
        assert "RV9999" not in client.get(path).content.decode()
    assert client.post("/brokers/zerodha/connect/").status_code == 404
    assert client.post("/brokers/zerodha/test/").status_code == 404


def test_an_account_without_a_secret_says_what_is_missing(client: Client, asha: User):
    store_account(asha, "zerodha", api_secret="")
    answer = client.post("/brokers/zerodha/connect/", follow=True)
    assert "has no API secret" in answer.content.decode()


def test_a_test_asks_once_and_shows_what_failed(client: Client, asha: User, name: str, venue: Venue):
    store_account(asha, name, access_token="kite-token-of-today", token_expires_at=timezone.now() + timedelta(days=1))
    venue.spoil = lambda request, answer: Answer(503) if request.path.endswith(("funds", "margins")) else answer
    answer = client.post(f"/brokers/{name}/test/", follow=True)
    html = answer.content.decode()
    assert len(venue.requests) == 2
    assert "client AB1234" in html
    assert "<strong>unavailable</strong>" in html
    assert "Try again later." in html
    used = re.findall(r'<td class="number">(\d+)</td><td class="number">[\d,]+</td>', html)
    assert "2" in used
    assert client.post(f"/brokers/{name}/test/", {"from": "readiness"})["Location"] == "/brokers/readiness/"


def test_every_page_says_that_calls_do_not_go_to_the_vendor(client: Client, settings):
    client.force_login(User.objects.create_superuser("root"))
    pages = ("/", "/brokers/", "/admin/", "/admin/brokers/brokerconfiguration/", "/api/docs/", "/no-such-page")
    for path in pages:
        assert "not the vendor" not in client.get(path).content.decode()
    settings.KITE_API_ROOT = "http://127.0.0.1:9"
    for path in pages:
        assert "KITE_API_ROOT is http://127.0.0.1:9, not the vendor’s." in client.get(path).content.decode()
    assert "not the vendor" in Client().get("/admin/login/").content.decode()


def unsaved(token: str = "t0ken-of-today", **facts: Any) -> BrokerConfiguration:
    facts = {"broker": "zerodha", "client_id": "AB1234", "app_key": "app-100"} | facts
    account = BrokerConfiguration(user=User(pk=1, username="asha"), updated_at=NOW, **facts)
    account.access_token = sealed_for(account, "access_token", token) if token else ""
    return account


@pytest.mark.parametrize(
    ("facts", "state", "words"),
    [
        ({"token": ""}, State.ATTENTION, "no token"),
        ({"token_expires_at": None}, State.UNKNOWN, "Nobody said"),
        ({"token_expires_at": NOW}, State.ATTENTION, "ended on"),
        ({"token_expires_at": NOW.replace(hour=15, minute=29)}, State.ATTENTION, "before trading"),
        ({"token_expires_at": NOW.replace(hour=15, minute=30)}, State.OK, "30 November, 15:30 IST"),
    ],
)
def test_whether_the_token_lasts(facts: dict[str, Any], state: State, words: str):
    line = readiness.token_line(unsaved(**facts), None, NOW)
    assert (line.state, words in line.sentence) == (state, True)
    assert bool(line.remedy) == (state != State.OK)


def test_a_token_that_does_not_open_says_so():
    account = unsaved()
    account.access_token = sealed_for(unsaved(broker="fyers"), "access_token", "t0ken-of-fyers")
    line = readiness.token_line(account, None, NOW)
    assert (line.state, "does not open" in line.sentence) == (State.ATTENTION, True)


def test_a_broker_that_takes_the_token_no_more_is_believed():
    test = AccountTest(NOW, {"profile": {"error": "not_authenticated", "sentence": "Zerodha wants a new log-in."}})
    line = readiness.token_line(unsaved(token_expires_at=NOW + timedelta(days=1)), test, NOW)
    assert (line.state, line.sentence) == (State.ATTENTION, "Zerodha (Kite) takes the token no more.")


def test_a_token_of_another_client_is_named():
    test = AccountTest(NOW, {"profile": {"client_id": "ZZ9999", "sell_authorisation": "standing"}})
    line = readiness.token_line(unsaved(token_expires_at=NOW + timedelta(days=1)), test, NOW)
    assert (line.state, line.sentence) == (State.ATTENTION, "The token opens the account of ZZ9999.")


@pytest.mark.parametrize(
    ("outgoing", "registered", "state"),
    [
        ("", ["203.0.113.7"], State.UNKNOWN),
        ("203.0.113.7", [], State.UNKNOWN),
        ("203.0.113.8", ["203.0.113.7"], State.ATTENTION),
        ("203.0.113.7", ["203.0.113.9", "203.0.113.7"], State.OK),
        ("2001:db8::7", ["2001:0db8:0:0::7"], State.OK),
    ],
)
def test_registered_against_outgoing(settings, outgoing: str, registered: list[str], state: State):
    settings.OUTGOING_IP = outgoing
    assert readiness.address_line(unsaved(registered_ips=registered)).state == state


@pytest.mark.parametrize(
    ("calls", "funds", "sell"),
    [
        ({"profile": {"client_id": "A", "sell_authorisation": "standing"}, "funds": {"available": "0.01"}}, "ok", "ok"),
        (
            {"profile": {"client_id": "A", "sell_authorisation": "per_day"}, "funds": {"available": "0"}},
            *2 * ("attention",),
        ),
        (
            {
                "profile": {"client_id": "A", "sell_authorisation": "unknown"},
                "funds": {"error": "unavailable", "sentence": "Fyers cannot answer funds now."},
            },
            *2 * ("unknown",),
        ),
        (None, "unknown", "unknown"),
    ],
)
def test_funds_and_the_right_to_sell_are_asked_and_never_guessed(calls: Any, funds: str, sell: str):
    test = None if calls is None else AccountTest(NOW, calls)
    lines = {line.name: line for line in readiness.account_lines(unsaved(), test, NOW)}
    assert (lines["Funds"].state, lines["Right to sell"].state) == (funds, sell)
    if sell == "attention":
        assert "TPIN" in lines["Right to sell"].remedy
    if calls and "error" in calls["funds"]:
        assert lines["Funds"].sentence == "Fyers cannot answer funds now."


def test_a_test_counts_for_its_day_and_until_the_account_changes():
    session, account = SessionStore(), unsaved(pk=7)
    keep_test(session, account, AccountTest(NOW, {"funds": {"available": "12.50"}}))
    kept = kept_test(session, account, NOW + timedelta(hours=1))
    assert kept is not None
    assert kept.available == Decimal("12.50")
    assert kept_test(session, account, NOW + timedelta(days=1)) is None
    account.updated_at = NOW + timedelta(seconds=1)
    assert kept_test(session, account, NOW + timedelta(hours=1)) is None


def test_an_account_without_a_token_is_tested_without_a_call():
    test = run_test(unsaved(token=""), lambda: NOW)
    assert test.needs_log_in
    assert {answer["error"] for answer in test.errors.values()} == {"not_authenticated"}


def market(*sessions: date, hours: bool = True) -> None:
    """Days up to Monday 30 November 2026, of which these are sessions."""
    first, opened = date(2026, 11, 20), {"open": time(9, 15), "close": time(15, 30)} if hours else {}
    days = [first + timedelta(days=number) for number in range(15)]
    MarketDay.objects.bulk_create(
        MarketDay(
            date=day,
            kind="normal" if day in sessions else "holiday",
            is_session=day in sessions,
            source="test",
            **(opened if day in sessions else {}),
        )
        for day in days
    )


def states() -> dict[str, tuple[State, str]]:
    return {line.name: (line.state, line.sentence) for line in readiness.market_lines(NOW)}


def test_an_empty_calendar_knows_nothing():
    assert {state for state, _ in states().values()} == {State.UNKNOWN}


def test_session_data_and_model():
    market(date(2026, 11, 26), date(2026, 11, 27), date(2026, 11, 30))
    lines = states()
    assert lines["Session today"] == (State.OK, "Monday 30 November 2026 is a session, 09:15 to 15:30 IST.")
    assert lines["Data"][0] == lines["Model"][0] == State.ATTENTION
    assert "There are no bars" in lines["Data"][1]
    stock = Stock.objects.create(symbol="AAA")
    prices = {"open": 1, "high": 1, "low": 1, "close": 1, "volume": 1}
    DailyBar.objects.create(symbol=stock, date=date(2026, 11, 26), series="EQ", source="t", **prices)
    assert states()["Data"][0] == State.ATTENTION
    bar = DailyBar.objects.create(
        symbol=stock, date=date(2026, 11, 27), series="EQ", source="t", status="provisional", **prices
    )
    assert states()["Data"][0] == State.ATTENTION
    assert "provisional" in states()["Data"][1]
    bar.status = "final"
    bar.save()
    assert states()["Data"][0] == State.OK


def test_a_holiday_names_the_next_session():
    market(date(2026, 11, 27), date(2026, 12, 1))
    [line] = [line for line in readiness.market_lines(NOW) if line.name == "Session today"]
    assert (line.state, "Tuesday 1 December 2026" in line.remedy) == (State.ATTENTION, True)


def test_a_state_of_the_command_is_not_the_pages(client: Client, asha: User, name: str, venue: Venue):
    account = store_account(asha, name)
    begun = log_in.begin(account, log_in.COMMAND, "http://localhost:5001")
    answer = client.get("/brokers/callback/", CODES[name] | {"state": state_of(begun.login_url)})
    assert answer.status_code == 400
    assert "by the command" in answer.content.decode()
    assert venue.requests == []
