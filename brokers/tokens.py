"""What a log-in at a broker brings: a token, whose it is, and until when it serves; pure."""

import base64
import binascii
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from brokers.protocol import IST

_TOKENS_DIE_AT: Final = time(6)
_LONGEST: Final = timedelta(days=2)


@dataclass(frozen=True)
class NewToken:
    """A token of today. `client_ids` are all that the vendor names; `expires_at` has a zone."""

    access_token: str = field(repr=False)
    client_ids: tuple[str, ...]
    expires_at: datetime


def next_six(moment: datetime) -> datetime:
    """The next six in the morning in IST, when both vendors end the day's tokens."""
    local = moment.astimezone(IST)
    six = datetime.combine(local.date(), _TOKENS_DIE_AT, tzinfo=IST)
    return six if local < six else six + timedelta(days=1)


def claims(token: str) -> dict[str, Any]:
    """What a JSON web token says of itself, unverified; empty where it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        content = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def own_expiry(token: str, now: datetime) -> datetime:
    """When a token says that it ends; the next six o'clock where it says nothing, what is past, or beyond two days."""
    end = claims(token).get("exp")
    if not isinstance(end, int | float) or isinstance(end, bool):
        return next_six(now)
    if not now.timestamp() < end <= (now + _LONGEST).timestamp():
        return next_six(now)
    return datetime.fromtimestamp(end, UTC).astimezone(IST)
