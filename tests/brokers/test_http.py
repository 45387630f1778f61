"""The guarded session: limits of time and size, no redirects, nothing from the environment, a record of the wire."""

import gzip
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from brokers.http import AnswerLimits, AnswerTooLarge, ForeignAddress, GuardedAdapter, guard_session
from tests.brokers.venue import Answer, Venue, json_answer, serving

LIMITS = AnswerLimits(silence_seconds=20, answer_seconds=30, max_bytes=100_000)
HURRIED = AnswerLimits(silence_seconds=0.1, answer_seconds=0.15)


@pytest.fixture
def venue() -> Iterator[Venue]:
    with serving() as venue:
        venue.routes["GET", "/x"] = lambda _: json_answer({"n": 1})
        venue.routes["POST", "/x"] = lambda _: json_answer({"n": 2})
        yield venue


@contextmanager
def guarded(root: str, limits: AnswerLimits = LIMITS, **options) -> Iterator[tuple[requests.Session, GuardedAdapter]]:
    adapter = GuardedAdapter(root, limits, **options)
    with requests.Session() as session:
        guard_session(session, adapter)
        yield session, adapter


def test_it_remembers_what_the_wire_did(venue: Venue):
    with guarded(venue.root) as (session, adapter):
        assert session.get(f"{venue.root}/x", timeout=None).json() == {"n": 1}
        [exchange] = adapter.exchanges
        assert (exchange.status, exchange.body, exchange.was_sent) == (200, b'{"n": 1}', True)
        assert exchange.headers["content-type"] == "application/json"
        adapter.forget()
        assert adapter.exchanges == []


@pytest.mark.parametrize("fault", ["slow", "dripping"])
def test_a_silent_and_a_dripping_answer_end(venue: Venue, fault: str):
    venue.spoil = lambda _request, answer: Answer(200, b"x" * 1000, fault=fault)
    with (
        guarded(venue.root, HURRIED) as (session, adapter),
        pytest.raises((requests.RequestException, TimeoutError)),
    ):
        session.get(f"{venue.root}/x", timeout=60)
    assert not venue.released.is_set()  # the venue was still busy with its answer
    [exchange] = adapter.exchanges
    assert exchange.was_sent
    assert exchange.failure is not None


def test_a_connection_that_was_never_made_sent_nothing():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        root = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with guarded(root) as (session, adapter), pytest.raises(requests.ConnectionError):
        session.post(f"{root}/x", data=b"1")
    assert [exchange.was_sent for exchange in adapter.exchanges] == [False]


@pytest.mark.parametrize("fault", ["cut", "reset"])
def test_a_lost_answer_was_sent(venue: Venue, fault: str):
    venue.spoil = lambda _request, answer: Answer(200, b'{"n": 1}', fault=fault)
    with guarded(venue.root) as (session, adapter), pytest.raises(requests.ConnectionError):
        session.post(f"{venue.root}/x", data=b"1")
    assert [exchange.was_sent for exchange in adapter.exchanges] == [True]
    assert len(venue.requests) == 1


def test_a_redirect_is_not_followed_with_the_body(venue: Venue):
    with serving() as other:
        venue.spoil = lambda _request, answer: Answer(307, headers={"Location": f"{other.root}/x"})
        with guarded(venue.root) as (session, adapter), pytest.raises(requests.TooManyRedirects):
            session.post(f"{venue.root}/x", data={"checksum": "hush"}, allow_redirects=True)
        assert other.requests == []
    assert [exchange.status for exchange in adapter.exchanges] == [307]


def test_another_host_gets_nothing(venue: Venue):
    with guarded("http://127.0.0.1:1") as (session, adapter), pytest.raises(ForeignAddress):
        session.get(f"{venue.root}/x")
    assert venue.requests == []
    assert [exchange.was_sent for exchange in adapter.exchanges] == [False]


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_an_end_is_dropped(venue: Venue, packed: bool):
    body = b"0" * 1_000_000
    headers = {"Content-Encoding": "gzip"} if packed else {}
    venue.spoil = lambda _request, answer: Answer(200, gzip.compress(body) if packed else body, headers=headers)
    with guarded(venue.root) as (session, adapter), pytest.raises(AnswerTooLarge):
        session.get(f"{venue.root}/x")
    assert isinstance(adapter.exchanges[0].failure, AnswerTooLarge)


def test_netrc_and_proxies_of_the_environment_do_nothing(venue: Venue, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("default login thief password thief\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with guarded(venue.root) as (session, _):
        session.get(f"{venue.root}/x", headers={"Authorization": "token a:b"})
    assert venue.requests[0].headers["Authorization"] == "token a:b"


def test_each_request_takes_its_turn_until_its_answer(venue: Venue):
    events: list[str] = []

    @contextmanager
    def turn(bucket: str) -> Iterator[None]:
        events.append(f"begin {bucket} after {len(venue.requests)}")
        yield
        events.append(f"end after {len(venue.requests)}")

    with guarded(venue.root, turn=turn) as (session, adapter):
        adapter.bucket = "quote"
        session.get(f"{venue.root}/x")
    assert events == ["begin quote after 0", "end after 1"]
