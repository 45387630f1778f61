"""Logging in to Fyers: the vendor's page, what it comes back with, and the exchange of that for a token.

Not by the library's SessionModel: it posts without time-out, guard or limits, and raises on an answer without JSON.
"""

import hashlib
import re
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from brokers.answers import LOG_IN, FieldError, text
from brokers.fyers.client import FyersClient
from brokers.redaction import register_secrets
from brokers.tokens import NewToken, claims, own_expiry


def login_url(app_id: str, redirect_uri: str, state: str, root: str) -> str:
    """The vendor's page, which is at the same root as its calls."""
    query = {"client_id": app_id, "redirect_uri": redirect_uri, "response_type": "code", "state": state}
    return f"{root}/api/v3/generate-authcode?{urlencode(query)}"


def exchange(client: FyersClient, app_id: str, code: str, api_secret: str) -> str:
    """Exchange an auth code for a token, once; `client` has no token. Raises BrokerError."""
    secret_hash = hashlib.sha256(f"{app_id}:{api_secret}".encode()).hexdigest()
    register_secrets(secret_hash)
    order = {"grant_type": "authorization_code", "appIdHash": secret_hash, "code": code}
    content = client.json(LOG_IN, "other", lambda: client.fyers.service.post_call("/validate-authcode", "", order))
    return client.reading(LOG_IN, lambda: _token(content))


def new_token(token: str, fy_id: str, now: datetime) -> NewToken:
    """A token with the ids of its profile and of itself."""
    own = claims(token).get("fy_id")
    return NewToken(token, (fy_id, *((own,) if isinstance(own, str) else ())), own_expiry(token, now))


def _token(content: Any) -> str:
    token = text(content, "access_token")
    register_secrets(token)
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise FieldError("'access_token' is no token")
    return token
