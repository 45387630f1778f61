"""Logging in at both vendors by their real libraries: what is checked before anything is sent, and what is stored."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone

from brokers import log_in
from brokers.accounts import account_of, secret_of, store_secrets
from brokers.models import BrokerConfiguration, BrokerLogIn
from brokers.protocol import IST
from brokers.redaction import without_values
from brokers.tokens import next_six, own_expiry
from portfolio.models import User
from tests.brokers import fyers_venue, kite_venue
from tests.brokers.accounts import VENUES
from tests.brokers.kite_venue import APP_SECRET, success
from tests.brokers.venue import Answer, Venue, json_answer

pytestmark = pytest.mark.django_db
CODES = {
    "zerodha": {"request_token": kite_venue.REQUEST_TOKEN, "action": "login", "status": "success"},
    "fyers": {"auth_code": fyers_venue.AUTH_CODE, "s": "ok", "code": "200"},
}
EXCHANGES = {"zerodha": ("POST", "/session/token"), "fyers": ("POST", "/api/v3/validate-authcode")}


@dataclass
class Scene:
    """A person with an account at a venue."""

    broker: str
    venue: Venue
    user: User

    @property
    def account(self) -> BrokerConfiguration:
        return BrokerConfiguration.objects.get(user=self.user)

    @property
    def token(self) -> str:
        return secret_of(self.account, "access_token")

    def state(self, session_key: str = "browser") -> str:
        begun = log_in.begin(self.account, session_key, "http://localhost:5001")
        return state_of(begun.login_url)

    def complete(self, state: str, session_key: str = "browser", **query: Any) -> log_in.Connected:
        given = CODES[self.broker] | {"state": state} | query
        return log_in.complete({name: [value] for name, value in given.items()}, self.user, session_key, timezone.now)

    def answers(self, answer: Answer) -> None:
        self.venue.routes[EXCHANGES[self.broker]] = lambda _: answer


def state_of(login_url: str) -> str:
    query = {name: values[0] for name, values in parse_qs(urlsplit(login_url).query).items()}
    return query.get("state") or parse_qs(query["redirect_params"])["state"][0]


@pytest.fixture(params=VENUES)
def scene(request: pytest.FixtureRequest, settings) -> Iterator[Scene]:
    name = str(request.param)
    with VENUES[name]() as venue:
        settings.KITE_API_ROOT = settings.FYERS_API_ROOT = venue.root
        user = User.objects.create_user("asha")
        store_secrets(account_of(name, user), client_id="ab1234", app_key="app-100", api_secret=APP_SECRET)
        yield Scene(name, venue, user)
    with closing(connection.copy()) as other, other.cursor() as cursor:  # where the limiter committed
        cursor.execute("DELETE FROM broker_calls")


def test_a_log_in_stores_the_token_and_its_end(scene: Scene):
    connected = scene.complete(scene.state())
    account = scene.account
    assert (connected.client_id, account.client_id) == ("ab1234", "ab1234")
    assert scene.token
    assert scene.token not in repr(connected)
    assert account.token_expires_at == connected.token_expires_at
    if scene.broker == "zerodha":
        assert scene.token == kite_venue.NEW_TOKEN
        assert account.token_expires_at == next_six(timezone.now())
    else:
        assert timedelta(minutes=59) < account.token_expires_at - timezone.now() <= timedelta(hours=1)
    assert len(scene.venue.sent("POST")) == 1


def test_an_account_without_a_client_id_takes_the_vendors(scene: Scene):
    BrokerConfiguration.objects.update(client_id="")
    assert scene.complete(scene.state()).client_id == scene.account.client_id == "AB1234"


def test_the_vendors_pages_at_their_own_roots(scene: Scene, settings):
    settings.KITE_API_ROOT, settings.FYERS_API_ROOT = "https://api.kite.trade", "https://api-t1.fyers.in"
    address = log_in.begin(scene.account, "browser", "https://desk.example").login_url
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    state = state_of(address)
    if scene.broker == "zerodha":
        assert address.startswith("https://kite.zerodha.com/connect/login?")
        assert query == {"v": "3", "api_key": "app-100", "redirect_params": f"state={state}"}
    else:
        assert address.startswith("https://api-t1.fyers.in/api/v3/generate-authcode?")
        uri = "https://desk.example/brokers/callback/"
        assert query == {"client_id": "app-100", "redirect_uri": uri, "response_type": "code", "state": state}
    assert state not in str(BrokerLogIn.objects.values())


def test_at_a_loopback_root_the_page_is_there_too(scene: Scene):
    assert log_in.begin(scene.account, "browser", "http://localhost:5001").login_url.startswith(scene.venue.root)


@dataclass
class Attempt:
    """What comes back from the vendor's page, to whom."""

    query: dict[str, list[str]]
    user: User
    session_key: str = "browser"
    broker: str | None = None


def forge(attempt: Attempt) -> None:
    [state] = attempt.query["state"]
    attempt.query["state"] = [state[:-1] + ("A" if state[-1] != "A" else "B")]


def give_to_a_stranger(attempt: Attempt) -> None:
    attempt.user = User.objects.create_user("ravi")


def lose_the_code(attempt: Attempt, code: str = "") -> None:
    attempt.query["request_token"] = attempt.query["auth_code"] = [code]


def give_up(attempt: Attempt) -> None:
    attempt.query["status"] = attempt.query["s"] = ["cancelled"]


BAD: dict[str, tuple[Any, str]] = {
    "forged": (forge, "No log-in with this state"),
    "missing": (lambda attempt: attempt.query.pop("state"), "no state"),
    "doubled": (lambda attempt: attempt.query["state"].append("another"), "more than once"),
    "expired": (
        lambda _: BrokerLogIn.objects.update(created_at=F("created_at") - timedelta(minutes=10, seconds=1)),
        "longer than 10 minutes",
    ),
    "replayed": (lambda _: BrokerLogIn.objects.update(used_at=timezone.now()), "completed before"),
    "of another session": (lambda attempt: setattr(attempt, "session_key", "another"), "in another session"),
    "of a command": (lambda _: BrokerLogIn.objects.update(session_hash=log_in.COMMAND), "by the command"),
    "of another person": (give_to_a_stranger, "by somebody else"),
    "of somebody who left": (lambda attempt: setattr(attempt.user, "is_active", False), "by somebody else"),
    "at another broker": (lambda attempt: setattr(attempt, "broker", "simulator"), "not at simulator"),
    "without a code": (lose_the_code, "has no "),
    "with a code of two lines": (lambda attempt: lose_the_code(attempt, "a\nb"), "has no "),
    "with an endless code": (lambda attempt: lose_the_code(attempt, "a" * 4097), "has no "),
    "given up": (give_up, "ended the log-in"),
    "with an error": (lambda attempt: attempt.query.update(error=["access_denied"]), "“access_denied”"),
    "without a secret": (lambda _: BrokerConfiguration.objects.update(api_secret=""), "has no API secret"),
    "without an account": (lambda _: BrokerConfiguration.objects.all().delete(), "no account"),
}


@pytest.mark.parametrize("name", BAD)
def test_nothing_is_sent_for_a_log_in_that_is_none(scene: Scene, name: str):
    spoil, sentence = BAD[name]
    query = {key: [value] for key, value in (CODES[scene.broker] | {"state": scene.state()}).items()}
    attempt = Attempt(query, scene.user)
    spoil(attempt)
    with pytest.raises(log_in.LogInRefused, match=sentence):
        log_in.complete(attempt.query, attempt.user, attempt.session_key, timezone.now, attempt.broker)
    assert scene.venue.requests == []
    assert not BrokerConfiguration.objects.exclude(access_token="").exists()


def test_who_guesses_at_addresses_does_not_decide_what_logs_leave_out(scene: Scene):
    with pytest.raises(log_in.LogInRefused, match="No log-in with this state"):
        scene.complete("an invented state", request_token="Order 4711 was sent", auth_code="Order 4711 was sent")
    for line in ("an invented state", "Order 4711 was sent"):
        assert without_values(line) == line


def test_a_state_serves_once(scene: Scene):
    state = scene.state()
    scene.complete(state)
    with pytest.raises(log_in.LogInRefused, match="completed before"):
        scene.complete(state)
    assert len(scene.venue.sent("POST")) == 1


def test_two_callbacks_at_once_exchange_once(scene: Scene):
    """The second has passed all checks when the first uses the state up."""
    state = scene.state()
    row = log_in._checked_state(state, scene.user, "browser", None)
    scene.complete(state)
    with pytest.raises(log_in.LogInRefused, match="meanwhile"):
        log_in._use(row)


def test_anothers_attempt_does_not_use_a_state_up(scene: Scene):
    state = scene.state()
    with pytest.raises(log_in.LogInRefused):
        log_in.complete({"state": [state]}, User.objects.create_user("ravi"), "browser", timezone.now)
    assert scene.complete(state)


def test_a_token_of_another_client_is_not_stored(scene: Scene):
    store_secrets(scene.account, client_id="ZZ9999", access_token="the-token-before")
    with pytest.raises(log_in.LogInRefused, match=r"AB1234.*ZZ9999"):
        scene.complete(scene.state())
    assert scene.token == "the-token-before"


def test_a_token_that_names_another_client_itself_is_not_stored(scene: Scene):
    if scene.broker == "zerodha":
        scene.answers(success({"user_id": "ZZ9999", "access_token": "a-token-of-kite"}))
    else:
        scene.answers(fyers_venue.success(access_token=fyers_venue.json_web_token(fy_id="ZZ9999")))
    with pytest.raises(log_in.LogInRefused, match="ZZ9999"):
        scene.complete(scene.state())
    assert scene.token == ""


def test_a_token_whose_owner_nobody_names_is_not_stored(scene: Scene):
    """Fyers' exchange names no client, so the profile is asked for; Zerodha's must name it."""
    scene.venue.spoil = lambda request, answer: Answer(503) if request.path.endswith("profile") else answer
    if scene.broker == "zerodha":
        scene.answers(success({"access_token": "a-token-of-kite"}))
    with pytest.raises(log_in.LogInRefused, match="Nothing was stored: log in again"):
        scene.complete(scene.state())
    assert scene.token == ""


FAULTS = {
    "half an answer": (Answer(200, b'{"data": {"access_token": "leaked-token-0001'), "is not whole"),
    "cut off": (Answer(200, b'{"access_token": "leaked-token-0001"', fault="cut"), "was lost"),
    "reset": (Answer(fault="reset"), "was lost"),
    "HTML": (Answer(200, b"<html>leaked-token-0001", "text/html"), "Nobody told"),
    "unavailable": (Answer(503), "Nobody told"),
    "a redirect": (Answer(307, headers={"Location": "http://127.0.0.1:1/leaked-token-0001"}), "redirects"),
    "no token": (json_answer({"status": "success", "s": "ok", "data": {}}), "Nobody told"),
    "too many": (Answer(429), "too many calls"),
    "a refusal": (
        json_answer(
            {"status": "error", "s": "error", "error_type": "InputException", "code": -50, "message": "no"}, 400
        ),
        "rejects log-in: “no”",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_exchange_that_fails_is_sent_once_and_stores_nothing(scene: Scene, fault: str, caplog):
    caplog.set_level("DEBUG")
    answer, words = FAULTS[fault]
    scene.answers(answer)
    with pytest.raises(log_in.LogInRefused, match=words) as caught:
        scene.complete(scene.state())
    assert "log in again" in str(caught.value)
    assert len(scene.venue.requests) == 1
    assert scene.token == ""
    shown = f"{caught.value}{caplog.text}"
    assert not any(
        secret in shown for secret in ("leaked-token", APP_SECRET, *CODES[scene.broker].values()) if "-" in secret
    )


def test_what_the_vendor_repeats_of_a_code_is_not_shown(scene: Scene):
    state = scene.state()
    with pytest.raises(log_in.LogInRefused) as caught:
        scene.complete(state, request_token="wrong-code-0002", auth_code="wrong-code-0002")
    assert "wrong-code-0002" not in str(caught.value)
    assert "log in again" in str(caught.value)


SEVEN = datetime(2026, 11, 30, 7, 0, tzinfo=IST)


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        (datetime(2026, 11, 30, 5, 59, tzinfo=IST), datetime(2026, 11, 30, 6, 0, tzinfo=IST)),
        (datetime(2026, 11, 30, 6, 0, tzinfo=IST), datetime(2026, 12, 1, 6, 0, tzinfo=IST)),
        (datetime(2026, 11, 30, 19, 0, tzinfo=UTC), datetime(2026, 12, 1, 6, 0, tzinfo=IST)),
    ],
)
def test_tokens_die_at_six(moment: datetime, end: datetime):
    assert next_six(moment) == end


@pytest.mark.parametrize(
    ("exp", "hours"),
    [
        (SEVEN.timestamp() + 3600, 1),
        (SEVEN.timestamp() + 48 * 3600, 48),
        (SEVEN.timestamp() + 48 * 3600 + 1, 23),
        (SEVEN.timestamp(), 23),
        ("soon", 23),
        (True, 23),
        (float("inf"), 23),
        (10**400, 23),
        (None, 23),
    ],
)
def test_a_token_says_itself_when_it_ends(exp: Any, hours: int):
    """Within two days; else the next six o'clock, 23 hours after seven."""
    assert own_expiry(fyers_venue.json_web_token(exp=exp), SEVEN) - SEVEN == timedelta(hours=hours)


@pytest.mark.parametrize("token", ["", "a.b", "a.!!!.c", "a.W10.c", "a.eyJ4.c", "a.b.c.d", "plain"])
def test_what_is_no_json_web_token_ends_at_six(token: str):
    assert own_expiry(token, SEVEN) - SEVEN == timedelta(hours=23)


@pytest.mark.parametrize(
    ("login_time", "end"),
    [
        ("2026-11-30 05:30:00", datetime(2026, 11, 30, 6, 0, tzinfo=IST)),  # ours is an hour ahead
        ("2018-01-01 16:15:14", datetime(2026, 12, 1, 6, 0, tzinfo=IST)),
        ("soon", datetime(2026, 12, 1, 6, 0, tzinfo=IST)),
    ],
)
def test_zerodhas_clock_decides_when_its_token_ends(monkeypatch, settings, login_time: str, end: datetime):
    from brokers.zerodha.log_in import _new_token

    content = {"access_token": "t0ken", "user_id": "AB1234", "login_time": login_time}
    assert _new_token(content, SEVEN - timedelta(minutes=30)).expires_at == end


def test_states_are_purged_once_they_serve_no_more(scene: Scene):
    scene.state()
    assert log_in.purge_log_ins(timezone.localdate()) == 0
    BrokerLogIn.objects.update(created_at=F("created_at") - timedelta(minutes=11))
    assert log_in.purge_log_ins(timezone.localdate()) == 1


def connect(scene: Scene, *arguments: str, user: str = "asha") -> dict[str, Any]:
    out = StringIO()
    call_command("broker_connect", scene.broker, "--user", user, "--json", *arguments, stdout=out, stderr=StringIO())
    assert out.getvalue().count("\n") == 1
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


def test_the_command_connects_an_account(scene: Scene, monkeypatch):
    begun = connect(scene)
    assert begun.keys() == {"login_url", "expires_at"}
    assert begun["expires_at"].endswith("+05:30")
    query = urlencode(CODES[scene.broker] | {"state": state_of(begun["login_url"])})
    monkeypatch.setattr("sys.stdin", StringIO(f"https://elsewhere.example/never-fetched/?{query}\n"))
    connected = connect(scene, "--redirected-to", "-")
    assert connected.keys() == {"connected", "client_id", "token_expires_at"}
    assert (connected["connected"], connected["client_id"]) == (True, "ab1234")
    end = scene.account.token_expires_at
    assert end
    assert datetime.fromisoformat(connected["token_expires_at"]) == end.replace(microsecond=0)
    with pytest.raises(CommandError, match="completed before"):
        connect(scene, "--redirected-to", f"/?{query}")


@pytest.mark.parametrize(
    "address", ["", "nonsense", "http://[", "/?state=forged&request_token=x&auth_code=x", "/?state="]
)
def test_the_command_refuses_what_it_did_not_begin(scene: Scene, address: str):
    connect(scene)
    with pytest.raises(CommandError, match="nothing was sent"):
        connect(scene, "--redirected-to", address)
    assert scene.venue.requests == []


def test_the_state_of_a_command_is_its_persons(scene: Scene):
    ravi = User.objects.create_user("ravi")
    store_secrets(account_of(scene.broker, ravi), app_key="app-100", api_secret=APP_SECRET)
    query = urlencode(CODES[scene.broker] | {"state": state_of(connect(scene)["login_url"])})
    with pytest.raises(CommandError, match="somebody else"):
        connect(scene, "--redirected-to", f"/?{query}", user="ravi")
    with pytest.raises(CommandError, match="has no account"):
        connect(scene, user="nobody")
    assert scene.venue.requests == []
