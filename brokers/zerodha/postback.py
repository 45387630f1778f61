"""Kite's postbacks: what they say of an order, and whether Kite sent them; pure.

Source: kite.trade/docs/connect/v3/postbacks. The body is JSON; `checksum` is SHA-256 of order_id, order_timestamp and
the app's secret, one after the other.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from brokers.protocol import IST

_MOMENT: Final = "%Y-%m-%d %H:%M:%S"
_LONGEST: Final = 64
_NAMES: Final = ("user_id", "order_id", "order_timestamp", "checksum")


@dataclass(frozen=True)
class Postback:
    """Of whose order it is, and by which checksum it is known; nothing else of it is believed."""

    client_id: str
    order_id: str
    order_timestamp: str
    checksum: str

    @property
    def at(self) -> datetime:
        return datetime.strptime(self.order_timestamp, _MOMENT).replace(tzinfo=IST)


def postback(body: bytes) -> Postback | None:
    """The postback that a body is; None when it is none."""
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    values: list[Any] = [content.get(name) for name in _NAMES] if isinstance(content, dict) else []
    if not values or not all(map(_is_fit, values)):
        return None
    read = Postback(*values)
    try:
        _ = read.at
    except ValueError:
        return None
    return read


def _is_fit(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isascii() and value.isprintable()


def is_genuine(postback: Postback, secret: str) -> bool:
    """Whether Kite sent it for the app with a secret; takes the same time for every wrong one.

    Without a secret anybody could compute the checksum: then nothing is genuine.
    """
    text = f"{postback.order_id}{postback.order_timestamp}{secret}"
    expected = hashlib.sha256(text.encode()).hexdigest()
    return hmac.compare_digest(expected.encode(), postback.checksum.encode()) and bool(secret)
