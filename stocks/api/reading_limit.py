"""How much of the API one reader may read in a minute (`API_READS_PER_MINUTE`); operations and orders are not limited.

A reader is a person, or where reading is open an address (an IPv6 one with its whole /64, which belongs to one line).
Each process counts by itself and adds its count to the shared cache after every few answers, so that a cached answer
costs no call to another server. Processes together may therefore let a few more through than the limit says. While the
cache is down each process counts alone, and asks it again in the next minute.
"""

import ipaddress
import math
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.module_loading import import_string
from rest_framework.exceptions import ErrorDetail, Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

_SECONDS: Final = 60
_BATCH: Final = 30
"""Answers of one process between two looks at the shared count; fewer where the limit is small."""


@dataclass
class _Minute:
    """What was read in one minute of the clock."""

    number: int
    here: Counter[str] = field(default_factory=Counter)  # answers of this process
    elsewhere: dict[str, int] = field(default_factory=dict)  # of the others, as of the last look
    has_cache: bool = True


_lock: Final = threading.Lock()
_minute = _Minute(0)


def is_within(reader: str) -> bool:
    """Count one answer to a reader; False when those of this minute are used up."""
    limit = settings.API_READS_PER_MINUTE
    if not limit:
        return True
    with _lock:
        minute = _this_minute()
        minute.here[reader] += 1
        count = minute.here[reader]
    batch = max(1, min(_BATCH, limit // 20))
    if minute.has_cache and count % batch == 0:
        _exchange(minute, reader, count, batch)
    return count + minute.elsewhere.get(reader, 0) <= limit


def address_of(request: HttpRequest) -> str:
    """The reader that an anonymous request stands for."""
    address = str(import_string(settings.CLIENT_ADDRESS_CALLABLE)(request))
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address, 64), strict=False))


class ReadingThrottle(BaseThrottle):
    """Limits the reader of a view; it answers 429 with `Retry-After`."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        person = request.user.pk if request.user else None
        if not is_within(f"person-{person}" if person else address_of(request._request)):
            raise _refusal(self.wait())
        return True

    def wait(self) -> int:
        """Seconds until the next minute begins."""
        return max(1, math.ceil(_SECONDS - time.time() % _SECONDS))


def _refusal(seconds: int) -> Throttled:
    refusal = Throttled(seconds)
    # The framework's sentence does not say how much is allowed.
    refusal.detail = ErrorDetail(
        f"More than {settings.API_READS_PER_MINUTE} requests in one minute. Try again in {seconds} seconds.",
        refusal.default_code,
    )
    return refusal


def _this_minute() -> _Minute:
    global _minute  # noqa: PLW0603 - counts of earlier minutes are dropped as a whole
    number = int(time.time() // _SECONDS)
    if _minute.number != number:
        _minute = _Minute(number)
    return _minute


def _exchange(minute: _Minute, reader: str, count: int, batch: int) -> None:
    """Add a batch to the shared count, and learn from it what other processes answered."""
    key = f"reads:{minute.number}:{reader}"
    # None, not False, when the cache server is down.
    added: bool | None = cache.add(key, 0, 2 * _SECONDS)
    if added is None:
        minute.has_cache = False
        return
    try:
        total: int | None = cache.incr(key, batch)
    except ValueError:  # evicted in between
        return
    minute.has_cache = total is not None
    minute.elsewhere[reader] = max(0, (total or 0) - count)
