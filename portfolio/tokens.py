"""Making, finding and revoking API tokens. A key has 192 random bits, so that one round of SHA-256 hides it."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from brokers.redaction import register_secrets
from portfolio.models import ApiToken, Scope, User
from portfolio.models.tokens import SHOWN

MOST_DAYS: Final = 366
USE_IS_NOTED: Final = timedelta(minutes=15)
_KEY_BYTES: Final = 24


class NotMade(Exception):
    """A token that cannot be made as it was asked for."""


def digest_of(key: str) -> str:
    """Return what is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def make_token(
    user: User, name: str, *, scopes: Collection[str] = (Scope.READ,), days: int, now: datetime
) -> tuple[ApiToken, str]:
    """Store a token of a person for some days; return it and its key, which can never be read again.

    NotMade for a taken or empty name, unknown or no scopes, and a life beyond `MOST_DAYS`.
    """
    name = name.strip()
    if unknown := sorted(set(scopes) - set(Scope.values)):
        raise NotMade(f"{unknown[0][:40]!r} is no scope; there are {', '.join(Scope.values)}.")
    if not scopes:
        raise NotMade(f"A token needs a scope: {', '.join(Scope.values)}.")
    if not 1 <= days <= MOST_DAYS:
        raise NotMade(f"A token lives from 1 to {MOST_DAYS} days, not {days}.")
    if not name or len(name) > 100 or not name.isprintable():
        raise NotMade("A token needs a name of at most 100 characters that says what uses it.")
    key = secrets.token_hex(_KEY_BYTES)
    register_secrets(key)
    facts = {
        "prefix": key[:SHOWN],
        "digest": digest_of(key),
        "scopes": [scope for scope in Scope.values if scope in scopes],
    }
    try:
        with transaction.atomic():
            token = ApiToken.objects.create(user=user, name=name, expires_at=now + timedelta(days=days), **facts)
    except IntegrityError as error:
        raise NotMade(
            f"{user.get_username()} has a token named {name!r}; revoke it, or choose another name."
        ) from error
    return token, key


def token_of(key: str) -> ApiToken | None:
    """Return the token of a key, with its person, whether it is in force or not."""
    return ApiToken.objects.select_related("user").filter(digest=digest_of(key)).first()


def why_not_in_force(token: ApiToken, now: datetime) -> str:
    """Return the sentence that refuses a token; empty when it is in force."""
    if token.revoked_at is not None:
        return "This API token was revoked."
    if token.expires_at is not None and token.expires_at <= now:
        return "This API token has expired; make another one."
    if not token.user.is_active:
        return "The account of this API token is deactivated."
    return ""


def note_use(token: ApiToken, now: datetime) -> None:
    """Record that a token was used, at most once in `USE_IS_NOTED`: reading the API shall not write each time."""
    if token.last_used_at is None or now - token.last_used_at >= USE_IS_NOTED:
        outdated = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_IS_NOTED)
        ApiToken.objects.filter(outdated, pk=token.pk).update(last_used_at=now)


def revoke(tokens: "QuerySet[ApiToken]") -> int:
    """End tokens that have not ended, for good; return how many."""
    return tokens.filter(revoked_at=None).update(revoked_at=Now())
