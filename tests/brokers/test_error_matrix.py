"""Every fault and documented code, on every call, gives the class that `docs/brokers.md` states.

The real libraries against loopback venues: a fault spoils the call's own answer; the calls before and after are well.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from brokers.protocol import WRITES, BrokerError
from tests.architecture.sources import ROOT
from tests.brokers.accounts import CALLS, LIMITS, REQUEST, TOKEN, VENUES, account
from tests.brokers.documented import expected, table
from tests.brokers.venue import Answer, Request, Venue, json_answer

SLOW = ("slow", "dripping")
FAULTS: dict[str, Callable[[Answer], Answer]] = {
    "429": lambda _: Answer(429, b"{}"),
    "500": lambda _: Answer(500, b"oops", "text/plain"),
    "502": lambda _: json_answer({"message": "bad gateway"}, 502),
    "503": lambda _: Answer(503),
    "504": lambda _: Answer(504, content_type=None),
    "HTML with 502": lambda _: Answer(502, b"<html>", "text/html"),
    "HTML with 200": lambda _: Answer(200, b"<html>maintenance</html>", "text/html; charset=utf-8"),
    "slow": lambda answer: Answer(200, answer.body, answer.content_type, fault="slow"),
    "dripping": lambda answer: Answer(200, b" " * 5_000 + answer.body, answer.content_type, fault="dripping"),
    "cut off": lambda answer: Answer(200, answer.body, answer.content_type, fault="cut"),
    "half JSON": lambda answer: Answer(200, answer.body[: len(answer.body) // 2]),
    "reset": lambda _: Answer(fault="reset"),
    "redirect": lambda _: Answer(307, headers={"Location": "http://127.0.0.1:1/elsewhere"}),
    "no content type": lambda answer: Answer(200, answer.body, None),
    "a list": lambda _: json_answer([1, 2]),
    "missing keys": lambda _: json_answer({"s": "ok", "status": "success", "code": 200, "data": {"NSE:SBIN": {}}}),
}


def error_of(broker: Any, call: str) -> BrokerError:
    with pytest.raises(BrokerError) as caught:
        CALLS[call](broker)
    assert TOKEN not in str(caught.value)
    return caught.value


def own_answer(call: str) -> Callable[[Request], bool]:
    """Whether a request is the call's own: history at Zerodha reads the list of symbols first."""
    return lambda request: call != "history" or request.path != "/instruments/NSE"


def spoiled(venue: Venue, call: str, fault: Callable[[Answer], Answer]) -> None:
    mine = own_answer(call)
    venue.requests.clear()
    venue.spoil = lambda request, answer: fault(answer) if mine(request) else answer


def healed(venue: Venue) -> None:
    venue.spoil = lambda _request, answer: answer


@pytest.fixture(scope="module", params=VENUES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def venue(name: str) -> Iterator[Venue]:
    with VENUES[name]() as venue:
        yield venue


@pytest.fixture(scope="module")
def broker(name: str, venue: Venue) -> Iterator[Any]:
    with account(name, venue) as broker:
        yield broker


@pytest.fixture(autouse=True)
def _heal(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that fails leaves the shared venue well."""
    yield
    if "venue" in request.fixturenames:
        healed(request.getfixturevalue("venue"))


def test_the_tables_name_every_fault():
    assert [row[0] for row in table("What the wire does")] == ["connection never made", *FAULTS]


@pytest.mark.parametrize(
    "row", [row for row in table("What the wire does")[1:] if row[0] not in SLOW], ids=lambda r: r[0]
)
def test_a_fault_on_every_call(row: list[str], broker, venue: Venue):
    for call in CALLS:
        spoiled(venue, call, FAULTS[row[0]])
        error = error_of(broker, call)
        assert (call, error.word) == (call, expected(row, call))
        assert error.sent
        assert len([request for request in venue.requests if own_answer(call)(request)]) == 1
        healed(venue)
        CALLS[call](broker)  # a fault of one call does not colour the next


def try_slow_answers(name: str, venue: Venue, calls: list[str]) -> None:
    rows = {row[0]: row for row in table("What the wire does")}
    for fault in SLOW:
        with account(name, venue, LIMITS) as broker:
            for call in calls:
                spoiled(venue, call, FAULTS[fault])
                assert (call, error_of(broker, call).word) == (call, expected(rows[fault], call))
                assert arrived(venue, call) == 1
    healed(venue)


def arrived(venue: Venue, call: str) -> int:
    """How many requests of a call arrived, once the first one did: the client may give up before the venue reads it."""
    deadline = time.monotonic() + 30
    while not (count := sum(own_answer(call)(request) for request in venue.requests)):
        assert time.monotonic() < deadline, "nothing arrived"
        time.sleep(0.005)
    return count


def test_a_slow_and_a_dripping_answer(name: str, venue: Venue):
    try_slow_answers(name, venue, ["place"])


@pytest.mark.long
def test_a_slow_and_a_dripping_answer_on_every_call(name: str, venue: Venue):
    try_slow_answers(name, venue, list(CALLS))


def test_a_connection_that_was_never_made(name: str):
    [row] = [row for row in table("What the wire does") if row[0] == "connection never made"]
    nowhere = Venue()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere.root = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with account(name, nowhere) as broker:
        for call in CALLS:
            error = error_of(broker, call)
            assert (call, error.word, error.sent) == (call, expected(row, call), False)


def kite_error(row: list[str]) -> Answer:
    content = {"status": "error", "message": f"words of {row[0]}", "data": None}
    return json_answer(content if row[0] == "(none)" else content | {"error_type": row[0]}, int(row[1]))


def fyers_error(row: list[str]) -> Answer:
    state, _, code = row[0].rpartition(" ")
    content = {"s": state or "error", "code": int(code), "message": f"words of {row[0]}", "id": "9"}
    return json_answer(content, int(row[1]), Retry_After="7", X_Retry_After_Ms="1500")


DOCUMENTED = [
    *(("zerodha", kite_error, row) for row in table("Zerodha, by")),
    *(("fyers", fyers_error, row) for row in table("Fyers, by")),
]


def applies(vendor: str, row: list[str], call: str) -> bool:
    """Fyers' list of symbols is a public file, no call of an account."""
    return expected(row, call) != "–" and (vendor, call) != ("fyers", "symbol_master")


def spoiled_by(answer: Callable[[list[str]], Answer], row: list[str], _normal: Answer) -> Answer:
    return answer(row)


@pytest.mark.parametrize("content", [None, [], [5], True], ids=repr)
def test_a_success_whose_content_is_of_another_kind(content: object, broker, venue: Venue):
    keys = ("data", "fund_limit", "holdings", "netPositions", "orderBook", "tradeBook", "d", "candles", "id")
    answer = {"status": "success", "s": "ok", "code": 200} | dict.fromkeys(keys, content)
    lists = ("holdings", "positions", "orders", "trades", "quotes", "history", "find_by_tag")
    for call in CALLS if content != [] else [call for call in CALLS if call not in lists]:
        spoiled(venue, call, lambda _: json_answer(answer))
        error = error_of(broker, call)
        assert (call, error.word) == (call, "unknown" if call in WRITES else "unreadable")


@pytest.mark.parametrize("vendor", VENUES)
def test_a_documented_error_on_every_call(vendor: str):
    with VENUES[vendor]() as venue, account(vendor, venue) as broker:
        for _, answer, row in [entry for entry in DOCUMENTED if entry[0] == vendor]:
            for call in [call for call in CALLS if applies(vendor, row, call)]:
                spoiled(venue, call, partial(spoiled_by, answer, row))
                error = error_of(broker, call)
                assert (row, call, error.word) == (row, call, expected(row, call))
                if row[0] != "(none)":
                    assert error.code == row[0].removeprefix("ok ")
                if error.word in ("rejected", "refused", "not_authenticated"):
                    assert f"words of {row[0]}" in str(error)
                if row[0] == "-429":
                    assert error.retry_after_seconds == 1.5


TIMED_OUT = "Order request timed out. Please check the order book and confirm before placing again."


@pytest.mark.parametrize("words", [TIMED_OUT, "Time-out at the exchange", "Look into the orderbook"])
def test_a_rejection_that_says_that_the_time_was_out_tells_no_outcome_of_a_write(words: str, broker, venue: Venue):
    answer = {"status": "error", "error_type": "OrderException", "s": "error", "code": -99, "message": words}
    for call in sorted(WRITES):
        spoiled(venue, call, lambda _: json_answer(answer, 400))
        assert (call, error_of(broker, call).word) == (call, "unknown")


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in SLOW])
def test_an_order_that_was_booked_before_its_answer_was_lost_is_there(fault: str, broker, venue: Venue):
    earlier = len(broker.find_by_tag(REQUEST.tag).rows)
    spoiled(venue, "place", FAULTS[fault])
    assert error_of(broker, "place").word in ("unknown", "unavailable")
    assert [request.method for request in venue.requests] == ["POST"]
    healed(venue)
    assert len(broker.find_by_tag(REQUEST.tag).rows) == earlier + 1


def test_the_size_of_the_matrix():
    faults = len(table("What the wire does")) * len(CALLS) * len(VENUES)
    codes = sum(applies(vendor, row, call) for vendor, _, row in DOCUMENTED for call in CALLS)
    measured = (ROOT / "docs" / "measured.md").read_text()
    assert f"{faults} of faults and {codes} of documented errors" in measured, (faults, codes)


def test_half_an_answer_with_a_token_shows_none(broker, venue: Venue):
    body = json.dumps({"status": "success", "data": {"access_token": TOKEN}}).encode()
    spoiled(venue, "profile", lambda _: Answer(200, body[:-3]))
    error_of(broker, "profile")
    healed(venue)
