"""Whose account it is, and its secrets: the one place that seals, stores and opens them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Value, When

from brokers.models import BrokerConfiguration
from brokers.redaction import register_secrets
from brokers.sealing import Place, SecretUnreadable, is_earlier, key_id, seal, sealing_key_id, unseal, unseal_earlier

Secret = Literal["api_secret", "access_token"]
SECRETS: Final[tuple[Secret, ...]] = ("api_secret", "access_token")


def account_of(broker: str, user: Any) -> BrokerConfiguration:
    """Return a person's account at a broker; an active one without secrets is made where there is none."""
    account, _ = BrokerConfiguration.objects.get_or_create(user=user, broker=broker, defaults={"is_active": True})
    return account


def store_secrets(
    account: BrokerConfiguration,
    *,
    app_key: str | None = None,
    client_id: str | None = None,
    api_secret: str | None = None,
    access_token: str | None = None,
    token_expires_at: datetime | None = None,
) -> list[str]:
    """Store what is given in an account and return the names of it; an empty text deletes what was stored.

    None leaves what is stored, but a new token without a time forgets the time of the earlier one.
    """
    given: dict[str, Any] = {
        "app_key": app_key,
        "client_id": client_id,
        "api_secret": api_secret,
        "access_token": access_token,
        "token_expires_at": token_expires_at,
    }
    given = {name: value for name, value in given.items() if value is not None}
    with transaction.atomic():
        stored = BrokerConfiguration.objects.select_for_update().get(pk=account.pk)
        for name, value in given.items():
            setattr(stored, name, sealed_for(stored, name, value) if name in SECRETS else value)
        if access_token is not None:
            stored.token_expires_at = token_expires_at
        reseal(stored)
        changed = (*given, *SECRETS, "key_id", "token_expires_at", "updated_at")
        stored.save(update_fields=set(changed))
    for name in changed:
        setattr(account, name, getattr(stored, name))
    return list(given)


def sealed_for(account: BrokerConfiguration, name: str, secret: str) -> str:
    """Return a secret sealed for a column of an account by the first key; from now on no text shows it."""
    register_secrets(secret)
    return seal(secret, _place(account, name), settings.CREDENTIAL_KEYS[0])


def secret_of(account: BrokerConfiguration, name: Secret) -> str:
    """Return a secret of an account, empty where none is stored. Raises SecretUnreadable when it does not open."""
    try:
        secret = unseal(getattr(account, name), _place(account, name), settings.CREDENTIAL_KEYS)
    except SecretUnreadable as error:
        whose = f"The {name} of {account.user} at {account.get_broker_display()}"
        raise SecretUnreadable(f"{whose} does not open: {error}") from None
    register_secrets(secret)
    return secret


def unreadable_secrets(account: BrokerConfiguration) -> list[str]:
    """Return a sentence on each secret of an account that does not open, with the remedy."""
    sentences = []
    for name in SECRETS:
        try:
            secret_of(account, name)
        except SecretUnreadable as error:
            sentences.append(str(error))
    return sentences


def reseal(account: BrokerConfiguration, *, carry_over: bool = False) -> bool:
    """Seal by the first key what another sealed, unsaved; return whether anything changed. What does not open stays.

    With `carry_over` also what an earlier version stored, and what was sealed before CREDENTIAL_KEYS was set.
    """
    keys = [*settings.CREDENTIAL_KEYS, *([settings.DERIVED_CREDENTIAL_KEY] if carry_over else [])]
    first = key_id(settings.CREDENTIAL_KEYS[0])
    before = [account.api_secret, account.access_token, account.key_id]
    for name in SECRETS:
        stored = getattr(account, name)
        if sealing_key_id(stored) == first or (is_earlier(stored) and not carry_over):
            continue
        try:
            secret = reopened(stored, _place(account, name), keys)
        except SecretUnreadable:
            continue
        setattr(account, name, sealed_for(account, name, secret))
    ids = {sealing_key_id(getattr(account, name)) for name in SECRETS if getattr(account, name)}
    account.key_id = first if first in ids else account.key_id if ids else ""
    return before != [account.api_secret, account.access_token, account.key_id]


def reopened(stored: str, place: Place, keys: Sequence[str]) -> str:
    """Return a secret as this or an earlier version stored it. Raises SecretUnreadable when it does not open."""
    return unseal_earlier(stored, keys) if is_earlier(stored) else unseal(stored, place, keys)


def drop_expired_tokens(now: datetime) -> int:
    """Delete the access tokens that have ended and return how many; when they ended stays."""
    ended = BrokerConfiguration.objects.filter(token_expires_at__lte=now).exclude(access_token="")
    sealed_by = Case(When(api_secret="", then=Value("")), default=F("key_id"))
    return ended.update(access_token="", key_id=sealed_by, updated_at=now)


def _place(account: BrokerConfiguration, column: str) -> Place:
    return Place(account.user_id, account.broker, column)
