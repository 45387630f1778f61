"""Seals all stored secrets by the first of CREDENTIAL_KEYS, so that the others can be taken out."""

from typing import Final, NamedTuple

from django.conf import settings
from django.db import transaction

from brokers.accounts import SECRETS, reseal, unreadable_secrets
from brokers.models import BrokerConfiguration
from brokers.sealing import key_id

BATCH_ROWS: Final = 100


class Rotation(NamedTuple):
    """Numbers of accounts: sealed anew, sealed by the first key before, not to be opened, without secrets."""

    resealed: int = 0
    current: int = 0
    unreadable: int = 0
    empty: int = 0


def rotate(*, dry_run: bool = False, batch_rows: int = BATCH_ROWS) -> Rotation:
    """Seal all secrets by the first key, and return the numbers; with `dry_run` nothing is stored.

    Each batch commits: what is killed between two is continued by calling it again, and both keys' values are readable
    all the time. An account of which a secret does not open counts as unreadable, its other one is sealed all the same.
    """
    counted, last = Rotation(), 0
    while True:
        with transaction.atomic():
            waiting = BrokerConfiguration.objects.filter(pk__gt=last).select_related("user").order_by("pk")
            batch = list(waiting.select_for_update(of=("self",))[:batch_rows])
            outcomes = [_rotated(account, dry_run=dry_run) for account in batch]
        if not batch:
            return counted
        last = batch[-1].pk
        counted = Rotation(*(sum(numbers) for numbers in zip(counted, *outcomes, strict=True)))


def _rotated(account: BrokerConfiguration, *, dry_run: bool) -> Rotation:
    if not any(getattr(account, name) for name in SECRETS):
        return Rotation(empty=1)
    is_changed = reseal(account, carry_over=True)
    if is_changed and not dry_run:
        # Not `updated_at`: the account has the secrets that it had.
        account.save(update_fields=(*SECRETS, "key_id"))
    if unreadable_secrets(account):
        return Rotation(unreadable=1)
    return Rotation(resealed=1) if is_changed else Rotation(current=1)


def first_key_id() -> str:
    """Return the id of the key that seals."""
    return key_id(settings.CREDENTIAL_KEYS[0])
