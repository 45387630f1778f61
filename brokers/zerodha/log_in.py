"""Logging in to Kite: the vendor's page, what it comes back with, and the exchange of that for a token.

The library's own `login_url` leaves out `redirect_params`, which is the only way to get a state back.
"""

import hashlib
import re
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from brokers.addresses import KITE_LOGIN_ROOT, VENDORS_ROOTS
from brokers.answers import LOG_IN, FieldError, ist, optional_text, text
from brokers.redaction import register_secrets
from brokers.tokens import NewToken, next_six
from brokers.zerodha.client import KiteClient

_VERSION: Final = "3"
_TRUSTED_CLOCKS_APART: Final = timedelta(hours=2)


def login_url(app_key: str, state: str, root: str) -> str:
    """The vendor's page; at another root than the vendor's, that root has it."""
    base = KITE_LOGIN_ROOT if root == VENDORS_ROOTS["KITE_API_ROOT"] else root
    query = {"v": _VERSION, "api_key": app_key, "redirect_params": urlencode({"state": state})}
    return f"{base}/connect/login?{urlencode(query)}"


def exchange(client: KiteClient, code: str, api_secret: str, now: datetime) -> NewToken:
    """Exchange a request token, once; `client` has no token. Raises BrokerError."""
    # As the library computes it: it knows the secret, and an answer may repeat it.
    register_secrets(hashlib.sha256(f"{client.kite.api_key}{code}{api_secret}".encode()).hexdigest())
    content = client.json(LOG_IN, "other", lambda: client.kite.generate_session(code, api_secret))
    return client.reading(LOG_IN, lambda: _new_token(content, now))


def _new_token(content: Any, now: datetime) -> NewToken:
    if not isinstance(content, dict):
        raise FieldError("it is no object")
    token = text(content, "access_token")
    register_secrets(token)
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise FieldError("'access_token' is no token")
    return NewToken(token, (text(content, "user_id"),), next_six(_vendors_time(content, now)))


def _vendors_time(content: dict[str, Any], now: datetime) -> datetime:
    """The vendor's clock decides when its token ends, unless it is so far from ours that it is no clock."""
    at = ist(optional_text(content, "login_time"), "%Y-%m-%d %H:%M:%S")
    return at if at is not None and abs(at - now) <= _TRUSTED_CLOCKS_APART else now
