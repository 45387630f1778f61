"""`manage.py api_token make USER --name TEXT [--scope S …] [--days N] | list [USER] | revoke NUMBER`; each --json."""

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portfolio.models import ApiToken, Scope, User
from portfolio.tokens import MOST_DAYS, NotMade, make_token, revoke, why_not_in_force


class Command(BaseCommand):
    help = "Make, list and revoke API tokens. A key is printed once, when it is made."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        making = actions.add_parser("make", help="make a token of a person and print its key")
        making.add_argument("user", metavar="USER")
        making.add_argument("--name", required=True, metavar="TEXT", help="what uses it")
        scopes = "; ".join(f"{value}: {label}" for value, label in Scope.choices)
        making.add_argument(
            "--scope", action="append", choices=Scope.values, help=f"may be given several times (read). {scopes}"
        )
        making.add_argument(
            "--days", type=int, default=settings.API_TOKEN_DAYS, metavar="N", help=f"1-{MOST_DAYS} (%(default)s)"
        )
        listing = actions.add_parser("list", help="tokens without their keys, the newest first")
        listing.add_argument("user", nargs="?", default="", metavar="USER")
        revoking = actions.add_parser("revoke", help="end a token for good")
        revoking.add_argument("number", type=int, metavar="NUMBER", help="as listed")
        for command in (making, listing, revoking):
            command.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: object, **options: Any) -> None:
        answer: dict[str, Any]
        if options["action"] == "make":
            answer, text = _made(options)
        elif options["action"] == "list":
            answer, text = _listed(options["user"])
        else:
            answer, text = _revoked(options["number"])
        self.stdout.write(json.dumps(answer) if options["json"] else text)


def _made(options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    user, now = _person(options["user"]), timezone.now()
    if not user.is_active:
        raise CommandError(f"{options['user']} is deactivated; a token would be refused.")
    scopes = options["scope"] or [Scope.READ.value]
    try:
        token, key = make_token(user, options["name"], scopes=scopes, days=options["days"], now=now)
    except NotMade as refusal:
        raise CommandError(str(refusal)) from refusal
    shown = _as_json(token, now) | {"key": key}
    return shown, f"{_text(shown)}\nThe key, shown only now: {key}"


def _listed(name: str) -> tuple[dict[str, Any], str]:
    tokens = ApiToken.objects.select_related("user")
    if name:
        tokens = tokens.filter(user=_person(name))
    shown = [_as_json(token, timezone.now()) for token in tokens]
    return {"tokens": shown}, "\n".join(map(_text, shown)) or "There is no token."


def _revoked(number: int) -> tuple[dict[str, Any], str]:
    token = ApiToken.objects.select_related("user").filter(pk=number).first()
    if token is None:
        raise CommandError(f"There is no token {number}; `api_token list` names them.")
    revoke(ApiToken.objects.filter(pk=number))
    token.refresh_from_db()
    shown = _as_json(token, timezone.now())
    return shown, _text(shown)


def _person(name: str) -> User:
    user = User.objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"There is no user {name!r}; the names are in the admin under Users.")
    return user


def _as_json(token: ApiToken, now: datetime) -> dict[str, Any]:
    times = {name: getattr(token, name) for name in ("created_at", "expires_at", "last_used_at", "revoked_at")}
    return {
        "token": token.pk,
        "user": token.user.get_username(),
        "name": token.name,
        "prefix": token.prefix,
        "scopes": token.scopes,
        "in_force": not why_not_in_force(token, now),
        **{name: timezone.localtime(at).isoformat(timespec="seconds") if at else None for name, at in times.items()},
    }


def _text(token: dict[str, Any]) -> str:
    state = "in force" if token["in_force"] else "revoked" if token["revoked_at"] else "not in force"
    until = f"until {token['expires_at']}" if token["expires_at"] else "without an end"
    used = f"last used {token['last_used_at']}" if token["last_used_at"] else "never used"
    scopes = ", ".join(token["scopes"])
    return (
        f"{token['token']} {token['name']} of {token['user']} ({token['prefix']}…): {scopes}; {state} {until}; {used}"
    )
