"""Seals the brokers' secrets at rest: each opens by its key, and in its own place alone; pure.

AES-256-GCM, because it authenticates the place (whose account, which broker, which column) with the secret. Fernet
cannot: there, a value copied into another row would open. The place is the person and the broker, not the row's key:
so a row that is moved to another person does not open either, and a restored back-up does.
"""

import base64
import hashlib
import os
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12
_SEALED: Final = re.compile(r"([0-9a-f]{8})\.([\w-]+={0,2})", re.ASCII)
_EARLIER: Final = "gAAAA"
"""How a Fernet token begins: an earlier version stored these."""


class SecretUnreadable(ValueError):
    """A stored secret that does not open: the reason and the remedy, never a value."""


class Place(NamedTuple):
    """Where a sealed value belongs: the key of a person, a broker, a column."""

    person: int
    broker: str
    column: str


def key_id(key: str) -> str:
    """Return eight hexadecimal digits by which a key is known; no secret."""
    return hashlib.sha256(f"key id:{key}".encode()).hexdigest()[:8]


def seal(secret: str, place: Place, key: str) -> str:
    """Return a secret sealed for its place: the key's id, a dot, base64. The empty text stays empty."""
    if not secret:
        return ""
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + _cipher(key).encrypt(nonce, secret.encode(), _bound(place))
    return f"{key_id(key)}.{base64.urlsafe_b64encode(sealed).decode()}"


def unseal(sealed: str, place: Place, keys: Sequence[str]) -> str:
    """Return the secret that was sealed for a place with one of the keys; SecretUnreadable for anything else."""
    if not sealed:
        return ""
    sealing_key = sealing_key_id(sealed)
    if sealing_key is None:
        raise SecretUnreadable(_no_seal(sealed))
    key = next((key for key in keys if key_id(key) == sealing_key), None)
    if key is None:
        raise SecretUnreadable(
            f"it was sealed with key {sealing_key}, which is none of CREDENTIAL_KEYS. Put that key back, or enter the"
            " secret again."
        )
    try:
        content = base64.urlsafe_b64decode(sealed.partition(".")[2])
        return _cipher(key).decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], _bound(place)).decode()
    except (ValueError, InvalidTag):
        raise SecretUnreadable(
            "it was changed, or copied from another account, broker or column. Find out in the audit who did that, then"
            " enter the secret again."
        ) from None


def sealing_key_id(sealed: str) -> str | None:
    """Return the id of the key that sealed a value; None for the empty text, and for what is not sealed."""
    match = _SEALED.fullmatch(sealed)
    return match[1] if match else None


def is_earlier(stored: str) -> bool:
    """Whether an earlier version stored this."""
    return stored.startswith(_EARLIER)


def unseal_earlier(stored: str, keys: Sequence[str]) -> str:
    """Return a secret that an earlier version stored, bound to no place. SecretUnreadable if no key opens it.

    For carrying rows over alone: whoever can write the table could put one person's value into another's row.
    """
    try:
        return earlier_cipher(keys).decrypt(stored.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable(_no_seal(stored)) from None


def earlier_cipher(keys: Sequence[str]) -> MultiFernet:
    """Return what the earlier version encrypted with."""
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys])


def _no_seal(stored: str) -> str:
    if is_earlier(stored):
        return (
            "it was stored by an earlier version, with a key that was not among CREDENTIAL_KEYS when rows were"
            " carried over. Put that key back and run rotate_credential_keys, or enter the secret again."
        )
    return "it is not sealed, so something else wrote it. Enter the secret again."


def _cipher(key: str) -> AESGCM:
    return AESGCM(hashlib.sha256(f"sealing:{key}".encode()).digest())


def _bound(place: Place) -> bytes:
    return "\n".join(map(str, (place.person, place.broker, place.column))).encode()
