"""`manage.py live on|off|status`: whether an account trades with real money. No password or code is an argument."""

import json
import sys
from argparse import ArgumentParser
from datetime import datetime, time
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone

from brokers.protocol import IST
from market_data.runs.workers import machine_account
from portfolio.accounts.names import UnknownAccount, account_named
from portfolio.identity.second_factor import factor_of
from portfolio.live import installation
from portfolio.live.permissions import Confirmation, NotGranted, end, end_all, grant, permissions_in_force
from portfolio.models import LivePermission, Strategy, TradingAccount, User

_SHOWN = 20


class Command(BaseCommand):
    help = "Turn live trading on for one account and one strategy, or off, or say how it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        turning_on = actions.add_parser(
            "on", help="asks for the owner's password or code, or reads it from standard input"
        )
        turning_on.add_argument("--user", required=True, metavar="USER", help="the account's owner")
        turning_on.add_argument("--until", required=True, metavar="TIME", help="YYYY-MM-DD (its end), or with THH:MM")
        turning_on.add_argument("--confirm", required=True, metavar="NAME", help="the account's name, typed once more")
        turning_off = actions.add_parser("off", help="needs no password")
        turning_off.add_argument("--reason", default="", metavar="TEXT", help="why; it is kept")
        for command in (turning_on, turning_off):
            command.add_argument("--account", required=True, metavar="A", help="number or name of an account")
            what = command.add_mutually_exclusive_group(required=True)
            what.add_argument("--strategy", metavar="NAME", help="which strategy")
            what.add_argument("--by-hand", action="store_true", help="orders by hand")
            if command is turning_off:
                what.add_argument("--all", action="store_true", help="every permission of the account")
        status = actions.add_parser("status", help="what is on, and what ended last")
        status.add_argument("--account", metavar="A", help="number or name of one account (default: all live ones)")
        for command in (turning_on, turning_off, status):
            command.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: object, **options: Any) -> None:
        now = timezone.now().astimezone(IST)
        try:
            account = account_named(options["account"]) if options["account"] else None
            if account is not None and options["action"] == "on":
                self._turn_on(account, options, now)
            elif account is not None and options["action"] == "off":
                _turn_off(account, options, now)
        except (NotGranted, UnknownAccount) as error:
            raise CommandError(str(error)) from error
        answer = _status(account, now)
        self.stdout.write(json.dumps(answer) if options["json"] else _text(answer))

    def _turn_on(self, account: TradingAccount, options: dict[str, Any], now: datetime) -> None:
        person = User.objects.filter(username=options["user"]).first()
        if person is None:
            raise CommandError(f"There is no user {options['user']!r}; name the account's owner.")
        strategy, until = _strategy(account, options), _moment(options["until"])
        what = "Code of the second factor" if factor_of(person) else "Password"
        prompt = f"{what} of {person.get_username()}: "
        proof = getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
        grant(account, strategy, person, Confirmation(options["confirm"], proof), until, now)


def _turn_off(account: TradingAccount, options: dict[str, Any], now: datetime) -> None:
    by, reason = machine_account(), options["reason"].strip()
    if options["all"]:
        end_all(account, by, reason, now)
    else:
        end(account, _strategy(account, options), by, reason, now)


def _strategy(account: TradingAccount, options: dict[str, Any]) -> Strategy | None:
    if options["by_hand"]:
        return None
    usable = Strategy.objects.filter(Q(owner=None) | Q(owner=account.owner)).order_by("pk")
    named = list(usable.filter(name=options["strategy"]))
    if len(named) == 2:  # one's own before the system's of that name
        named = [each for each in named if each.owner_id is not None]
    if len(named) != 1:
        listed = ", ".join(each.name for each in usable) or "none"
        raise CommandError(f"{account.owner} has no strategy {options['strategy']!r}; there are {listed}.")
    return named[0]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text[:40]!r} is no time; write 2026-08-05 or 2026-08-05T15:30.") from None
    if len(text) == len("2026-08-05"):
        moment = datetime.combine(moment.date(), time(23, 59, 59))
    return moment if moment.tzinfo else moment.replace(tzinfo=IST)


def _status(account: TradingAccount | None, now: datetime) -> dict[str, Any]:
    accounts = [account] if account else list(TradingAccount.objects.filter(kind="live", is_active=True).order_by("pk"))
    on = [row for each in accounts for row in permissions_in_force(each, now)]
    ended = LivePermission.objects.filter(account__in=accounts, ended_at__isnull=False).select_related(
        "account", "strategy", "given_by"
    )
    return {
        "refused_here": installation.refusals(),
        "on": [_row(row) for row in on],
        "ended": [_row(row) | {"ended_at": _time(row.ended_at), "ended_by": row.ended_by} for row in ended[:_SHOWN]],
    }


def _row(row: LivePermission) -> dict[str, Any]:
    return {
        "account": row.account_id,
        "name": row.account.name,
        "strategy": row.strategy.name if row.strategy else "by hand",
        "given_by": row.given_by.get_username(),
        "given_at": _time(row.given_at),
        "until": _time(row.until),
        "release": row.release,
    }


def _time(moment: datetime | None) -> str:
    return moment.astimezone(IST).isoformat(timespec="seconds") if moment else ""


def _text(answer: dict[str, Any]) -> str:
    lines = [f"Refused here: {sentence}" for sentence in answer["refused_here"]]
    lines += [
        f"On: {row['name']}, {row['strategy']}, until {row['until']}, by {row['given_by']}." for row in answer["on"]
    ]
    lines += [
        f"Ended: {row['name']}, {row['strategy']}, {row['ended_at']}: {row['ended_by']}." for row in answer["ended"]
    ]
    return "\n".join(lines if answer["on"] else ["Live trading is off.", *lines])
