"""A person's second factor: six digits of an app (RFC 6238), or a recovery code where the device is lost.

A code serves once, and one of the step before or after now is taken, because clocks differ. After TRIES wrong ones in
a row everything is refused for a while, the right code too. The secret is sealed as the brokers' secrets are.
"""

import base64
import hashlib
import logging
import os
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.conf import settings
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from brokers.redaction import register_secrets
from brokers.sealing import Place, SecretUnreadable, key_id, seal, sealing_key_id, unseal
from portfolio.models import RecoveryCode, SecondFactor, User

DIGITS: Final = 6
STEP_SECONDS: Final = 30
TRIES: Final = 5
WAIT: Final = timedelta(minutes=15)
RECOVERY_CODES: Final = 10
ISSUER: Final = "NSE trading system"
_SECRET_BYTES: Final = 20
_RECOVERY_BYTES: Final = 10
"""80 random bits, which no hash needs to be slow for."""

WRONG_CODE: Final = (
    "The code is not right: type the one that your app shows now, or a recovery code that you have not used."
)
USED_CODE: Final = "That code has served already: wait for your app’s next one."

logger = logging.getLogger(__name__)


class NotEnrolled(Exception):
    """Nothing waits to be confirmed, or a second factor is there already; the sentence says which."""


def factor_of(person: User) -> SecondFactor | None:
    """Return a person's second factor; None where none is enrolled."""
    return SecondFactor.objects.filter(user=person, confirmed_at__isnull=False).first()


def pending_factor_of(person: User) -> SecondFactor | None:
    """Return the one that waits for its first code; None where none does."""
    return SecondFactor.objects.filter(user=person, confirmed_at=None).first()


@sensitive_variables()
def begin(person: User) -> None:
    """Make a new secret, which counts once a code confirms it; an earlier one that waited is replaced.

    Raises NotEnrolled where a second factor is enrolled: that one is removed first.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=person.pk)
        if factor_of(person):
            raise NotEnrolled("Your second factor is on already: remove it before you set up another.")
        SecondFactor.objects.filter(user=person).delete()
        secret = base64.b32encode(os.urandom(_SECRET_BYTES)).decode()
        SecondFactor.objects.create(user=person, secret=_sealed(person.pk, secret))


@sensitive_variables()
def confirm(person: User, typed: str, at: datetime) -> list[str]:
    """Enrol what waits by a first code, and return the recovery codes, which are never shown again.

    Raises NotEnrolled when nothing waits, or the code is not right.
    """
    with transaction.atomic():
        factor = SecondFactor.objects.select_for_update().filter(user=person, confirmed_at=None).first()
        if factor is None:
            raise NotEnrolled("Nothing waits to be confirmed: begin with Set up.")
        step = _matching_step(secret_of(factor), _code(typed), at)
        if step is None:
            raise NotEnrolled("The code is not right: type the six digits that the app shows now, for this secret.")
        factor.confirmed_at, factor.last_step = at, step
        factor.save(update_fields=["confirmed_at", "last_step"])
        return _new_recovery_codes(factor)


@sensitive_variables()
def refused_code(person: User, typed: str, at: datetime) -> str:
    """Take a code of a person's second factor, or a recovery code; a sentence where it is none.

    To be called outside a transaction that may be rolled back, which would forget the wrong codes and the used one.
    """
    with transaction.atomic():
        factor = SecondFactor.objects.select_for_update().filter(user=person, confirmed_at__isnull=False).first()
        if factor is None:
            return "No second factor is enrolled."
        if is_blocked(factor, at):
            return f"{TRIES} wrong codes were typed: wait {WAIT.seconds // 60} minutes, then try again."
        refusal = _refusal(factor, _code(typed), at)
        is_first = factor.failed_at is None or at - factor.failed_at >= WAIT
        factor.failures = 0 if not refusal else 1 if is_first else factor.failures + 1
        factor.failed_at = at if refusal else factor.failed_at
        factor.save(update_fields=["failures", "failed_at", "last_step"])
    if refusal:
        logger.warning("a code of a second factor was refused", extra={"person": person.pk})
    return refusal


def is_blocked(factor: SecondFactor, at: datetime) -> bool:
    """Whether too many wrong codes were typed a short while ago."""
    return factor.failures >= TRIES and factor.failed_at is not None and at - factor.failed_at < WAIT


@sensitive_variables()
def renew_recovery_codes(person: User) -> list[str]:
    """Replace a person's recovery codes, and return the new ones; none without a second factor."""
    with transaction.atomic():
        factor = SecondFactor.objects.select_for_update().filter(user=person, confirmed_at__isnull=False).first()
        return _new_recovery_codes(factor) if factor else []


def remove(person: User) -> bool:
    """Delete a person's second factor with its recovery codes; return whether there was one."""
    return bool(SecondFactor.objects.filter(user=person).delete()[0])


@sensitive_variables()
def secret_of(factor: SecondFactor, earlier_keys: Sequence[str] = ()) -> str:
    """Return the secret in base32; SecretUnreadable when it does not open."""
    secret = unseal(factor.secret, _place(factor.user_id), [*settings.CREDENTIAL_KEYS, *earlier_keys])
    register_secrets(secret)
    return secret


@sensitive_variables()
def enrolment_address(person: User, secret: str) -> str:
    """Return the address that an app reads as a picture (otpauth://), with the secret in it."""
    totp = TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_SECONDS)
    # Not every app reads a plus as a blank.
    return totp.get_provisioning_uri(person.get_username(), ISSUER).replace("+", quote(" "))


def reseal(*, dry_run: bool = False) -> tuple[int, int]:
    """Seal all secrets by the first of CREDENTIAL_KEYS; return how many were sealed anew, and how many do not open."""
    first, resealed, unreadable = key_id(settings.CREDENTIAL_KEYS[0]), 0, 0
    with transaction.atomic():
        for factor in SecondFactor.objects.select_for_update().order_by("pk"):
            if sealing_key_id(factor.secret) == first:
                continue
            try:
                # Before CREDENTIAL_KEYS was set, the derived key sealed.
                factor.secret = _sealed(factor.user_id, secret_of(factor, [settings.DERIVED_CREDENTIAL_KEY]))
            except SecretUnreadable:
                unreadable += 1
                continue
            resealed += 1
            if not dry_run:
                factor.save(update_fields=["secret"])
    return resealed, unreadable


@sensitive_variables()
def _sealed(person: int, secret: str) -> str:
    register_secrets(secret)
    return seal(secret, _place(person), settings.CREDENTIAL_KEYS[0])


def _place(person: int) -> Place:
    return Place(person, "second_factor", "secret")


def _code(typed: str) -> str:
    return re.sub(r"[\s-]", "", typed).lower()


@sensitive_variables()
def _refusal(factor: SecondFactor, code: str, at: datetime) -> str:
    """Why a code does not serve; one that does is used up."""
    if not re.fullmatch(r"[0-9]{6}", code):
        digest = _digest(factor.user_id, code)
        used = RecoveryCode.objects.filter(factor=factor, digest=digest, used_at=None).update(used_at=at)
        return "" if used else WRONG_CODE
    try:
        step = _matching_step(secret_of(factor), code, at)
    except SecretUnreadable:
        return "The secret of your second factor does not open here: use a recovery code, or ask the operator."
    if step is None:
        return WRONG_CODE
    if step <= factor.last_step:
        return USED_CODE
    factor.last_step = step
    return ""


@sensitive_variables()
def _matching_step(secret: str, code: str, at: datetime) -> int | None:
    """Return the step, of the one now and its neighbours, whose code it is."""
    totp = TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_SECONDS)
    now = int(at.timestamp()) // STEP_SECONDS
    return next((step for step in (now, now + 1, now - 1) if bytes_eq(_code_at(totp, step), code.encode())), None)


def _code_at(totp: TOTP, step: int) -> bytes:
    return totp.generate(step * STEP_SECONDS)


@sensitive_variables()
def _new_recovery_codes(factor: SecondFactor) -> list[str]:
    factor.recovery_codes.all().delete()
    codes = [base64.b32encode(os.urandom(_RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
    digests = [_digest(factor.user_id, code) for code in codes]
    RecoveryCode.objects.bulk_create(RecoveryCode(factor=factor, digest=digest) for digest in digests)
    return ["-".join(re.findall("....", code)) for code in codes]


def _digest(person: int, code: str) -> str:
    return hashlib.sha256(f"recovery code:{person}:{code}".encode()).hexdigest()
