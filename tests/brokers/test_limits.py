"""No limit is passed at a server that counts arrivals, by threads and by processes."""

import os
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from django.db import connection, transaction

from brokers.limits import ALLOWANCES, Allowance, Limiter, Window
from brokers.protocol import Unavailable
from tests.architecture.sources import ROOT
from tests.brokers.venue import json_answer, serving

pytestmark = pytest.mark.django_db
SMALL = {
    "order": Allowance("all", (Window(5, 0.1), Window(12, 0.4))),
    "other": Allowance("all", (Window(5, 0.1), Window(12, 0.4)), kept=1),
}


@pytest.fixture(autouse=True)
def _forget_calls() -> Iterator[None]:
    """The limiter commits on connections of its own, which no test's roll-back undoes."""
    yield
    committed("DELETE FROM broker_calls")


def committed(statement: str) -> None:
    with closing(connection.copy()) as other, other.cursor() as cursor:
        cursor.execute(statement)


def most_in(window_seconds: float, moments: list[float]) -> int:
    """The most arrivals in any span of a window."""
    moments = sorted(moments)
    return max(bisect_left(moments, start + window_seconds) - place for place, start in enumerate(moments))


def in_threads(count: int, work: Callable[[], None]) -> None:
    def ended() -> None:
        try:
            work()
        finally:
            connection.close()

    threads = [threading.Thread(target=ended) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_by_hand():
    assert most_in(1, [0.0, 0.5, 0.99, 1.0]) == 3


def test_a_window_is_never_passed_by_four_at_once():
    arrivals: list[float] = []

    def work() -> None:
        limiter = Limiter("fyers", "A1", SMALL)
        for _ in range(5):
            with limiter.turn("order"):
                arrivals.append(time.monotonic())  # anywhere between sending and answer

    in_threads(4, work)
    assert len(arrivals) == 20
    assert most_in(0.1, arrivals) <= 5
    assert most_in(0.4, arrivals) <= 12


def test_a_call_counts_until_a_window_after_its_answer():
    limiter = Limiter("fyers", "A1", {"other": Allowance("all", (Window(1, 0.05),))})
    with limiter.turn("other"):
        answered = time.monotonic() + 0.06  # longer than the window: by its sending it would be over
        time.sleep(0.06)
    with limiter.turn("other"):
        assert time.monotonic() - answered >= 0.05


def test_accounts_and_counters_do_not_touch_each_other():
    allowances = {"a": Allowance("a", (Window(1, 60),)), "b": Allowance("b", (Window(1, 60),))}
    for account in ("A1", "A2"):
        for kind in ("a", "b"):
            with Limiter("zerodha", account, allowances).turn(kind):
                pass
    assert [count for [(_, count)] in Limiter("zerodha", "A1", allowances).usage().values()] == [1, 1]


def test_what_is_kept_is_for_orders():
    allowances = {"order": Allowance("all", (Window(3, 500),)), "other": Allowance("all", (Window(3, 500),), kept=1)}
    limiter = Limiter("fyers", "A1", allowances, longest_wait_seconds=0)
    for _ in range(2):
        with limiter.turn("other"):
            pass
    with pytest.raises(Unavailable), limiter.turn("other"):
        pass
    with limiter.turn("order"):
        pass


def test_an_allowance_that_is_used_up_is_refused_with_its_wait():
    limiter = Limiter("fyers", "A1", {"other": Allowance("all", (Window(1, 86_400),))})
    with limiter.turn("other"):
        pass
    with pytest.raises(Unavailable) as refusal, limiter.turn("other"):
        pass
    assert not refusal.value.sent
    assert 86_000 < (refusal.value.retry_after_seconds or 0) <= 86_401


def test_a_dead_process_keeps_its_turn_until_its_lease_ends():
    allowances = {"other": Allowance("all", (Window(1, 0.05),))}
    committed(
        "INSERT INTO broker_calls (broker, account, counter, ended_at)"
        " VALUES ('fyers', 'A1', 'all', clock_timestamp() + interval '0.1 seconds')"
    )
    started = time.monotonic()
    with Limiter("fyers", "A1", allowances).turn("other"):
        assert time.monotonic() - started >= 0.1


def test_a_callers_transaction_hides_nothing():
    with transaction.atomic(), Limiter("fyers", "A1", SMALL).turn("other"):
        visible = []
        in_threads(1, lambda: visible.append(Limiter("fyers", "A1", SMALL).usage()["all"][0][1]))
    assert visible == [1]


def test_the_distance_from_the_vendors_limits():
    assert [(window.calls, window.seconds) for window in ALLOWANCES["fyers"]["order"].windows] == [
        (9, 1),
        (190, 60),
        (100_000, 86_400),
    ]


CALLER = """
import os, sys
import django
django.setup()
import requests
from brokers.http import AnswerLimits, GuardedAdapter, guard_session
from brokers.limits import Limiter
root, broker, kind, calls = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
adapter = GuardedAdapter(root, AnswerLimits(), Limiter(broker, "A1").turn)
adapter.bucket = kind
with requests.Session() as session:
    guard_session(session, adapter)
    for _ in range(calls):
        session.get(root + "/x")
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("broker", "kind", "calls", "processes"),
    [("fyers", "other", 208, 4), ("zerodha", "quote", 8, 4), ("zerodha", "quote", 4, 1)],
)
def test_processes_pass_no_limit_of_a_server_that_counts(broker: str, kind: str, calls: int, processes: int):
    arrivals: list[float] = []
    with serving() as venue:

        def route(_request):
            arrivals.append(time.monotonic())
            return json_answer({})

        venue.routes["GET", "/x"] = route
        environment = os.environ | {"DATABASE_URL": database_url(), "IGNORE_DOTENV": "1"}
        command = [sys.executable, "-c", CALLER, venue.root, broker, kind, str(calls // processes)]
        running = [subprocess.Popen(command, env=environment, cwd=ROOT) for _ in range(processes)]
        assert [process.wait() for process in running] == [0] * processes
    assert len(arrivals) == calls
    vendors = {"fyers": ((10, 1), (200, 60)), "zerodha": ((1, 1),)}[broker]
    assert all(most_in(seconds, arrivals) <= limit for limit, seconds in vendors)


def database_url() -> str:
    """Address of the test's own database."""
    address = os.environ["DATABASE_URL"]
    name = str(connection.settings_dict["NAME"])
    return address.replace("/trading_system", f"/{name}", 1)
