"""Nudges: that a broker said something of an account's orders, so that the sender reads the book earlier.

They are in the cache and may be lost: without one the book is read at its usual time. Nothing else follows from one.
"""

from typing import Final

from django.core.cache import cache

_SECONDS: Final = 60
_DAY_SECONDS: Final = 86_400


def nudge(account: int) -> None:
    """Let the sender of an account read the book at its next turn."""
    cache.set(_key(account), True, _SECONDS)


def take_nudge(account: int) -> bool:
    """Whether an account was nudged since this was last asked."""
    return bool(cache.delete(_key(account)))


def is_first(checksum: str) -> bool:
    """Whether a postback comes for the first time on a day; without a cache none does."""
    return bool(cache.add(f"postback:{checksum}", True, _DAY_SECONDS))


def _key(account: int) -> str:
    return f"nudge:{account}"
