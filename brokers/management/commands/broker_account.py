"""`manage.py broker_account set`: stores what standard input names of a person's account; a value is never shown.

Not from arguments: every account of the machine can read those of a running process.
"""

import json
import re
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.views.decorators.debug import sensitive_variables

from brokers.accounts import account_of, store_secrets
from brokers.redaction import register_secrets
from brokers.registry import WITH_LOG_IN

_LONGEST_INPUT: Final = 1 << 16
_YEARS: Final = range(2000, 2100)


class Command(BaseCommand):
    help = "Store keys and secrets of a person's account at a broker, as a JSON object from standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=("set",))
        parser.add_argument("broker", help=" or ".join(WITH_LOG_IN))
        parser.add_argument("--user", metavar="NAME", required=True, help="whose account")
        parser.add_argument("--json", action="store_true", help="print what was stored as JSON")

    @sensitive_variables()
    def handle(self, *_: object, broker: str, user: str, **options: Any) -> None:
        if broker not in WITH_LOG_IN:
            other = "needs no account" if broker == "simulator" else "is no broker"
            raise CommandError(f"{broker} {other}: use {' or '.join(WITH_LOG_IN)}. Nothing was stored.")
        person = get_user_model()._default_manager.filter(username=user, is_active=True).first()
        if person is None:
            raise CommandError(f"There is no active person named {user!r}. Nothing was stored.")
        try:
            given = checked(sys.stdin.read(_LONGEST_INPUT + 1))
        except ValueError as error:
            # A decoder's own text may quote what it read.
            reason = str(error) if type(error) is ValueError else "Standard input is not UTF-8 text."
            raise CommandError(f"{reason} Nothing was stored.") from None
        stored = store_secrets(account_of(broker, person), **given)
        if options["json"]:
            self.stdout.write(json.dumps({"broker": broker, "user": user, "stored": stored}))
        else:
            self.stdout.write(f"Stored for {user} at {broker}: {', '.join(stored)}.")


@sensitive_variables()
def checked(text: str) -> dict[str, Any]:
    """Return the fields of an account from a JSON object. ValueError says what is wrong, and quotes no value."""
    if len(text) > _LONGEST_INPUT:
        raise ValueError(f"Standard input has more than {_LONGEST_INPUT:,} characters.")
    try:
        pairs = json.loads(text, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        raise ValueError(f"Standard input is not JSON (line {error.lineno}, column {error.colno}).") from None
    except (ValueError, RecursionError):
        raise ValueError("Standard input is not JSON as an account has it.") from None
    if not isinstance(pairs, _Pairs) or not pairs:
        raise ValueError(f"Standard input is not a JSON object with at least one of {', '.join(_FIELDS)}.")
    # What stands under an unknown name may be a secret, too.
    register_secrets(*(value for name, value in pairs if isinstance(value, str) and name not in _SHOWN))
    names = [name for name, _ in pairs]
    if unknown := [name for name in names if name not in _FIELDS]:
        named = f"{unknown[0]!r} is" if re.fullmatch("[a-z_]{1,30}", unknown[0]) else "A name in standard input is"
        raise ValueError(f"{named} none of {', '.join(_FIELDS)}.")
    if len(set(names)) < len(names):
        raise ValueError("Standard input names a field twice: leave one out.")
    if ("token_expires_at", None) in pairs and "access_token" not in names:
        raise ValueError("token_expires_at is null without an access_token: give both, or leave it out.")
    return {name: _FIELDS[name](name, value) for name, value in pairs}


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object, so that doubled names are noticed."""


def _text(longest: int) -> Callable[[str, Any], str]:
    def checked_text(name: str, value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]+", value):
            raise ValueError(f"{name} is not a text of visible characters without blanks; leave out what is to stay.")
        if len(value) > longest:
            raise ValueError(f"{name} has more than {longest:,} characters.")
        return value

    return checked_text


def _time(name: str, value: Any) -> datetime | None:
    if value is None:
        return None  # of a token whose end nobody knows
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None and moment.astimezone(UTC).year in _YEARS:
            return moment
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(f"{name} is not a time with its offset: write it as 2026-12-01T06:00:00+05:30.")


_SHOWN: Final = ("app_key", "client_id", "token_expires_at")
"""Fields that pages show: no secrets."""

_FIELDS: Final[dict[str, Callable[[str, Any], Any]]] = {
    "app_key": _text(100),
    "client_id": _text(100),
    "api_secret": _text(4096),
    "access_token": _text(4096),
    "token_expires_at": _time,
}
