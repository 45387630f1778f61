"""Encryption of broker secrets at rest (Fernet; the first key encrypts, all keys decrypt, so keys can be rotated)."""

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from brokers.redaction import register_secrets

if TYPE_CHECKING:
    _Text = models.TextField[str, str]
else:
    _Text = models.TextField  # takes no type arguments at run time


class SecretUnreadable(ValueError):
    """No configured key decrypts a stored secret."""


def cipher() -> MultiFernet:
    """Cipher of the configured keys, each derived by SHA-256 from a text of ``CREDENTIAL_KEYS``."""
    keys = settings.CREDENTIAL_KEYS
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys])


class EncryptedTextField(_Text):
    """Text, encrypted in the database, plain in Python, and blotted out of logs."""

    def get_prep_value(self, value: Any) -> str | None:
        """Encrypt; None and the empty text stay unchanged."""
        text = str(value or "")
        register_secrets(text)
        return cipher().encrypt(text.encode()).decode() if text else value

    def from_db_value(self, value: str | None, *_: object) -> str | None:
        """Decrypt; raises SecretUnreadable when no configured key does."""
        if not value:
            return value
        try:
            secret = cipher().decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise SecretUnreadable(
                "A stored broker secret cannot be decrypted: add the key it was stored with to CREDENTIAL_KEYS again,"
                " or enter the secret again."
            ) from error
        register_secrets(secret)
        return secret
