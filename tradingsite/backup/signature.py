"""The signature of a back-up: proof that a system with our keys wrote it, and that no byte of it was changed since.

It is an HMAC-SHA256 of the manifest, which holds the hash of each member. Its keys are derived from CREDENTIAL_KEYS,
which a restoration needs anyway: the first one signs, each one verifies. A key that was taken out of CREDENTIAL_KEYS
verifies no more; back-ups of its time are then restored like those of another system, with ``restore --unsigned``.
"""

import hmac
import json
from enum import Enum

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_PURPOSE = b"nse-trading-system back-up signature 1"


class Origin(Enum):
    """Who wrote a back-up, as far as its signature proves it."""

    OURS = "signed by one of our keys"
    UNSIGNED = "not signed"
    UNPROVEN = "signed by none of our keys, or changed since"


def signature(manifest: bytes) -> bytes:
    """Return the signature of a manifest by the newest key, as JSON."""
    return json.dumps({"hmac_sha256": _digest(settings.CREDENTIAL_KEYS[0], manifest)}).encode()


def origin(manifest: bytes, stored: bytes | None) -> Origin:
    """Return what a stored signature (None: there is none) proves about a manifest."""
    if stored is None:
        return Origin.UNSIGNED
    try:
        claimed = str(json.loads(stored)["hmac_sha256"]).encode()
    except (ValueError, LookupError, TypeError):
        return Origin.UNPROVEN
    proofs = [hmac.compare_digest(_digest(key, manifest).encode(), claimed) for key in settings.CREDENTIAL_KEYS]
    return Origin.OURS if any(proofs) else Origin.UNPROVEN


def _digest(key: str, manifest: bytes) -> str:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
    return hmac.digest(derived, manifest, "sha256").hex()
