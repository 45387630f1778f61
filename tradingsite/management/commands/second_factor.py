"""`manage.py second_factor status|reset`: who has one, and how somebody who lost theirs is readmitted; audited."""

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from portfolio.identity.second_factor import is_blocked, remove
from portfolio.models import SecondFactor, User
from tradingsite.audit.acts import record_act

ACT = "second factor reset"


class Command(BaseCommand):
    help = "Say who has a second factor, or delete that of somebody who lost device and recovery codes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        status = actions.add_parser("status", help="who has one, since when, and the recovery codes left")
        status.add_argument("--json", action="store_true", help="print one JSON object")
        reset = actions.add_parser("reset", help="delete one: from then on the password is asked for instead")
        reset.add_argument("user", metavar="USER", help="whose")
        reset.add_argument("--reason", required=True, metavar="TEXT", help="why; it is kept in the audit")

    def handle(self, *_: object, **options: Any) -> None:
        if options["action"] == "reset":
            self.stdout.write(_reset(options["user"], options["reason"].strip()))
            return
        factors = (
            SecondFactor.objects.filter(confirmed_at__isnull=False).select_related("user").order_by("user__username")
        )
        rows = [_row(factor, timezone.now()) for factor in factors]
        self.stdout.write(json.dumps({"second_factors": rows}) if options["json"] else _text(rows))


def _reset(name: str, reason: str) -> str:
    if not reason:
        raise CommandError("--reason says why, in words: it is kept in the audit.")
    person = User.objects.filter(username=name).first()
    if person is None:
        raise CommandError(f"There is no user {name!r}; `second_factor status` names those with a second factor.")
    with transaction.atomic():
        if not remove(person):
            raise CommandError(f"{name} has no second factor: the password is what is asked for.")
        record_act(ACT, details={"user": name, "reason": reason[:300]})
    return f"{name} has no second factor any more; their password is asked for instead, until they set up another."


def _row(factor: SecondFactor, at: datetime) -> dict[str, Any]:
    since = factor.confirmed_at
    return {
        "user": factor.user.get_username(),
        "since": timezone.localtime(since).isoformat(timespec="seconds") if since else "",
        "recovery_codes_left": factor.recovery_codes.filter(used_at=None).count(),
        "blocked": is_blocked(factor, at),
    }


def _text(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"{row['user']}: since {row['since']}, {row['recovery_codes_left']} recovery codes left"
        f"{', blocked by wrong codes' if row['blocked'] else ''}."
        for row in rows
    ]
    return "\n".join(lines) or "Nobody has a second factor."
