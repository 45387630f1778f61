"""How often a broker may be called: sliding windows that all processes and hosts share, in PostgreSQL.

A call arrives somewhere between its sending and its answer, so it counts from its claim until a whole window after its
answer. One whose process died counts until its lease ends, and a window longer. Where orders and readings share an
allowance, a part of it is kept for orders: they go first.
"""

import contextlib
import logging
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import DatabaseError, connection

from brokers.protocol import Unavailable

_DAY_SECONDS: Final = 86_400
_MARGIN_SECONDS: Final = 0.02
_LONGEST_SLEEP_SECONDS: Final = 0.05
_FORGET_EVERY: Final = 500

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Window:
    """At most so many calls in any span of so many seconds."""

    calls: int
    seconds: float


@dataclass(frozen=True)
class Allowance:
    """What a kind of call is counted in, with its windows; `kept` calls of each window are not for this kind."""

    counter: str
    windows: tuple[Window, ...]
    kept: int = 0


# The broker blocks an account that passes the minute's limit four times a day, hence the distance from 10 and 200.
_FYERS: Final = (Window(9, 1), Window(190, 60), Window(100_000, _DAY_SECONDS))
ALLOWANCES: Final = {
    "fyers": {"order": Allowance("all", _FYERS), "other": Allowance("all", _FYERS, kept=1)},
    "zerodha": {
        "quote": Allowance("quote", (Window(1, 1),)),
        "historical": Allowance("historical", (Window(3, 1),)),
        "order": Allowance("order", (Window(10, 1), Window(400, 60), Window(5_000, _DAY_SECONDS))),
        "other": Allowance("other", (Window(10, 1),)),
    },
}


def used_calls() -> dict[tuple[str, str, str, float], int]:
    """How many calls count now, by broker, account, counter and seconds of the window; without those that have none."""
    windows = sorted(
        {window.seconds for kinds in ALLOWANCES.values() for kind in kinds.values() for window in kind.windows}
    )
    counts = ", ".join(
        "count(*) FILTER (WHERE ended_at > clock_timestamp() - make_interval(secs => %s))" for _ in windows
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT broker, account, counter, {counts} FROM broker_calls"
            " WHERE ended_at > clock_timestamp() - make_interval(secs => %s) GROUP BY broker, account, counter",
            [*windows, windows[-1]],
        )
        return {
            (broker, account, counter, seconds): count
            for broker, account, counter, *used in cursor.fetchall()
            for seconds, count in zip(windows, used, strict=True)
        }


class Limiter:
    """Gives one account's calls their turns.

    Parameters
    ----------
    lease_seconds : longer than any call takes, and how long a dead process keeps its turn
    longest_wait_seconds : a turn further away than this is refused as `unavailable`, with the wait
    """

    def __init__(
        self,
        broker: str,
        account: str,
        allowances: dict[str, Allowance] | None = None,
        *,
        lease_seconds: float = 60,
        longest_wait_seconds: float = 90,
    ) -> None:
        self._broker, self._account = broker, account
        self._allowances = allowances or ALLOWANCES[broker]
        self._lease_seconds, self._longest_wait_seconds = lease_seconds, longest_wait_seconds

    @contextmanager
    def turn(self, kind: str) -> Iterator[None]:
        """Wait until a call of a kind may be sent; the context ends with its answer. Raises Unavailable."""
        allowance = self._allowances[kind]
        # A connection of its own: a caller's transaction would keep the call from the others' sight until it commits.
        with closing(connection.copy()) as counting:
            try:
                call = self._claim(counting, allowance)
            except DatabaseError as error:
                raise Unavailable(
                    f"No call was sent to {self._broker}: the database that counts the calls does not answer."
                    " Try again once it does.",
                    sent=False,
                ) from error
            try:
                yield
            finally:
                with contextlib.suppress(DatabaseError):  # it then counts until its lease ends
                    self._end(counting, call)

    def usage(self) -> dict[str, list[tuple[Window, int]]]:
        """How many calls count now, by counter and window."""
        counters = {allowance.counter: allowance.windows for allowance in self._allowances.values()}
        with connection.cursor() as cursor:
            return {
                counter: [(window, self._count(cursor, counter, window)) for window in windows]
                for counter, windows in counters.items()
            }

    def _count(self, cursor: Any, counter: str, window: Window) -> int:
        cursor.execute(
            "SELECT count(*) FROM broker_calls WHERE broker = %s AND account = %s AND counter = %s"
            " AND ended_at > clock_timestamp() - make_interval(secs => %s)",
            [self._broker, self._account, counter, window.seconds],
        )
        count: int = cursor.fetchone()[0]
        return count

    def _claim(self, counting: Any, allowance: Allowance) -> int:
        ends_at = time.monotonic() + self._longest_wait_seconds
        counting.set_autocommit(False)
        while True:
            with counting.cursor() as cursor:
                key = f"{self._broker} {self._account} {allowance.counter}"
                cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
                wait = max(self._wait_seconds(cursor, allowance, window) for window in allowance.windows)
                call = self._insert(cursor, allowance.counter) if wait <= 0 else None
            counting.commit()
            if call is not None:
                return call
            if time.monotonic() + wait > ends_at:
                raise Unavailable(
                    f"No call was sent to {self._broker}: the account's allowance is used up for {wait:.0f} seconds.",
                    sent=False,
                    retry_after_seconds=wait,
                )
            time.sleep(min(wait, _LONGEST_SLEEP_SECONDS))

    def _wait_seconds(self, cursor: Any, allowance: Allowance, window: Window) -> float:
        """Seconds until the window has room, at least: a call that is under way leaves it a window after its answer."""
        calls = max(1, window.calls - allowance.kept)
        cursor.execute(
            "SELECT extract(epoch FROM least(ended_at, clock_timestamp()) - clock_timestamp()) FROM broker_calls"
            " WHERE broker = %s AND account = %s AND counter = %s"
            " AND ended_at > clock_timestamp() - make_interval(secs => %s)"
            " ORDER BY ended_at DESC OFFSET %s LIMIT 1",
            [self._broker, self._account, allowance.counter, window.seconds + _MARGIN_SECONDS, calls - 1],
        )
        row = cursor.fetchone()
        return float(row[0]) + window.seconds + _MARGIN_SECONDS if row else 0.0

    def _insert(self, cursor: Any, counter: str) -> int:
        cursor.execute(
            "INSERT INTO broker_calls (broker, account, counter, ended_at)"
            " VALUES (%s, %s, %s, clock_timestamp() + make_interval(secs => %s)) RETURNING id",
            [self._broker, self._account, counter, self._lease_seconds],
        )
        call: int = cursor.fetchone()[0]
        if call % _FORGET_EVERY == 0:
            cursor.execute("DELETE FROM broker_calls WHERE ended_at < clock_timestamp() - interval '2 days'")
        return call

    def _end(self, counting: Any, call: int) -> None:
        with counting.cursor() as cursor:
            cursor.execute("UPDATE broker_calls SET ended_at = clock_timestamp() WHERE id = %s", [call])
        counting.commit()
