"""A day's calls at a server that counts as the vendors do, in virtual time: no limit is passed, so nobody is blocked.

The limiter counts by the clock of the database, so a schema whose `clock_timestamp()` the test sets stands before
PostgreSQL's own; the libraries, the limiter and its statements are the real ones.
"""

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from brokers import limits
from brokers.charges import Side
from brokers.http import Turn, no_turn
from brokers.limits import Limiter
from brokers.protocol import BrokerError, OrderRequest, OrderType, Unavailable
from brokers.registry import Access, Transport, open_broker
from tests.brokers.accounts import NOW, PATIENT, TOKEN, VENUES
from tests.brokers.simulated import at
from tests.brokers.test_limits import most_in
from tests.brokers.venue import Answer, Request

pytestmark = pytest.mark.django_db
LATENCY_SECONDS = 0.04
LIMITS: dict[str, dict[str, tuple[tuple[int, float], ...]]] = {
    "fyers": {"all": ((10, 1), (200, 60), (100_000, 86_400))},
    "zerodha": {
        "quote": ((1, 1),),
        "order": ((10, 1), (400, 60), (5_000, 86_400)),
        "other": ((10, 1),),
    },
}
VIRTUAL = """
DROP SCHEMA IF EXISTS virtual CASCADE;
CREATE SCHEMA virtual;
CREATE TABLE virtual.moment (now timestamptz);
INSERT INTO virtual.moment VALUES ('2026-11-30 00:00+05:30');
CREATE FUNCTION virtual.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT now FROM virtual.moment';
"""


class VirtualTime:
    """Stands for the module `time` in the limiter, and moves the database's clock."""

    def __init__(self, cursor: Any) -> None:
        self._cursor, self._epoch = cursor, at("00:00").timestamp()
        self.now = self._epoch

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.move(self.now + seconds)

    def move(self, moment: float) -> None:
        self.now = max(self.now, moment)
        self._cursor.execute("UPDATE virtual.moment SET now = to_timestamp(%s)", [self.now])

    def until(self, clock: str) -> None:
        self.move(at(clock).timestamp())


@pytest.fixture
def virtual(monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualTime]:
    with closing(connection.copy()) as other, other.cursor() as cursor:
        other.inc_thread_sharing()  # the venue's threads move the time, too
        cursor.execute(VIRTUAL)
        try:
            time = VirtualTime(cursor)
            monkeypatch.setattr(limits, "time", time)
            monkeypatch.setattr(limits, "_LONGEST_SLEEP_SECONDS", 1e9)
            options = connection.settings_dict["OPTIONS"]
            monkeypatch.setitem(options, "options", f"{options['options']} -c search_path=virtual,public,pg_catalog")
            yield time
        finally:
            cursor.execute("DROP SCHEMA virtual CASCADE; DELETE FROM broker_calls")


class CountingServer:
    """Counts arrivals in sliding windows and answers 429 to what is too much; Fyers blocks from the fourth time."""

    def __init__(self, name: str, time: VirtualTime) -> None:
        self.name, self._time = name, time
        self.arrivals: dict[str, list[float]] = {}
        self.passed = 0

    def spoil(self, request: Request, answer: Answer) -> Answer:
        if request.path.startswith("/sym_details"):
            return answer  # a public file of another host
        self._time.sleep(LATENCY_SECONDS)
        bucket = self._bucket(request)
        arrivals = self.arrivals.setdefault(bucket, [])
        arrivals.append(self._time.now)
        self._time.sleep(LATENCY_SECONDS)
        over = any(
            len(arrivals) - bisect_left(arrivals, arrivals[-1] - seconds) > calls
            for calls, seconds in LIMITS[self.name][bucket]
        )
        self.passed += over
        return Answer(429, b"{}") if over or self.is_blocked else answer

    @property
    def is_blocked(self) -> bool:
        return self.name == "fyers" and self.passed > 3

    def _bucket(self, request: Request) -> str:
        if self.name == "fyers":
            return "all"
        if request.path.startswith("/quote"):
            return "quote"
        return "other" if request.method == "GET" else "order"


@contextmanager
def counted(name: str, time: VirtualTime, turn: Turn | None = None) -> Iterator[tuple[Any, CountingServer]]:
    """An account whose calls are counted on both sides."""
    with VENUES[name]() as venue:
        server = CountingServer(name, time)
        venue.spoil = server.spoil
        turn = turn or Limiter(name, "A1").turn
        transport = Transport(PATIENT, turn, pauses=(), root=venue.root, public_root=venue.root)
        with closing(open_broker(name, Access("app-100", TOKEN), transport, lambda: NOW)) as broker:
            yield broker, server


def send_orders(broker: Any, count: int) -> None:
    """As fast as the limiter lets them through, each looked for; every fifth is changed, every tenth cancelled."""
    request = OrderRequest("SBIN", Side.BUY, 7, OrderType.LIMIT, "T0", Decimal("430.05"))
    for number in range(count):
        placed = broker.place(replace(request, tag=f"T{number}"))
        broker.find_by_tag(placed.tag)
        if number % 5 == 0:
            broker.modify(placed.order_id, request)
        if number % 10 == 0:
            broker.cancel(placed.order_id)


def read_account(broker: Any) -> None:
    for call in ("profile", "funds", "holdings", "positions", "orders", "trades"):
        getattr(broker, call)()


def check(name: str, server: CountingServer) -> None:
    assert server.passed == 0
    for bucket, arrivals in server.arrivals.items():
        for calls, seconds in LIMITS[name][bucket]:
            assert most_in(seconds, arrivals) <= calls


@pytest.mark.parametrize("name", VENUES)
def test_a_minute_of_orders_and_an_evening_pass_no_limit(name: str, virtual: VirtualTime):
    with counted(name, virtual) as (broker, server):
        virtual.until("09:15")
        send_orders(broker, 10)
        broker.symbol_master()
        read_account(broker)
        broker.quotes([f"S0{number:04}" for number in range(600)])
    check(name, server)
    assert virtual.now > at("09:15:01").timestamp()


def test_without_turns_the_server_blocks(virtual: VirtualTime):
    with counted("fyers", virtual, no_turn) as (broker, server):
        with pytest.raises(BrokerError):
            send_orders(broker, 30)
        for _ in range(4):
            with pytest.raises(Unavailable):
                broker.funds()
        assert server.is_blocked


@pytest.mark.long
@pytest.mark.parametrize("name", VENUES)
def test_a_whole_day_never_blocks_us(name: str, virtual: VirtualTime):
    symbols = [f"S0{number:04}" for number in range(2_600)]
    with counted(name, virtual) as (broker, server):
        virtual.until("08:00")
        read_account(broker)
        rounds = [f"{9 + half // 2:02}:{15 + 30 * (half % 2)}" for half in range(13)]
        for number, clock in enumerate(rounds):
            virtual.until(clock)
            broker.quotes(symbols)
            if number == 0:
                send_orders(broker, 50)
            broker.orders()
            broker.trades()
        virtual.until("21:00")
        broker.symbol_master()
        read_account(broker)
        broker.quotes(symbols)
        broker.quotes(symbols)  # somebody tries the account meanwhile
    check(name, server)
    a_round = -(-2_600 // broker.capabilities.quotes_a_call)
    assert sum(len(arrivals) for arrivals in server.arrivals.values()) >= 15 * a_round + 115
    assert virtual.now < at("21:05").timestamp()
