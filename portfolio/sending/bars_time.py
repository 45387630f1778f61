"""The time of a paper account's venue, whose prices are the stored bars: it waits for those of a session.

A session's bar is final in the evening. Had the venue passed the session by then, none of its orders could be filled.
So it stays before the opening while nothing was ordered after that, and before the close otherwise; an order is placed
at its own time, so that none is filled at a price that was there before it.
"""

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Final

from brokers.protocol import IST, WRITES
from brokers.registry import State
from market_data.models import DailyBar

_BEFORE_THE_OPENING, _BEFORE_THE_CLOSE, _END = time(9, 14, 59), time(15, 28, 59), time(23, 59, 59)
_BOOKS: Final = frozenset(("orders", "trades"))


class TimeOfBars:
    """The venue's clock: held back while a session's bars are missing, and at the end of a day until it was read.

    `clock` itself stops before the close of the first session whose bars are missing (`StoredBars.known`).

    A book is of one day: orders and fills of a day that nobody had read would be gone with the next one.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._day: date = clock().astimezone(IST).date()
        self._limit = _BEFORE_THE_OPENING
        self._known: set[date] = set()
        self._is_unread, self._read = False, set[str]()

    def prepare(self, state: State, name: str) -> None:
        """Be ready for a call that finds the venue in this state."""
        now, today = state.now.astimezone(IST), self._clock().astimezone(IST).date()
        self._day = now.date()
        waits_for_close = state.live_orders() and self._day == today and now.time() > _BEFORE_THE_OPENING
        self._limit = _BEFORE_THE_CLOSE if name in WRITES or waits_for_close else _BEFORE_THE_OPENING
        self._is_unread = bool(state.orders) and name not in WRITES and not self._read >= _BOOKS
        self._read = self._read | {name} if today > self._day and self._is_unread else set()

    def __call__(self) -> datetime:
        now = self._clock().astimezone(IST)
        if self._is_unread and now.date() > self._day:
            return datetime.combine(self._day, _END, IST)
        return now if self._is_known(now.date()) else min(now, datetime.combine(now.date(), self._limit, IST))

    def _is_known(self, day: date) -> bool:
        if day not in self._known and DailyBar.objects.filter(date=day, status=DailyBar.Status.FINAL).exists():
            self._known.add(day)
        return day in self._known
