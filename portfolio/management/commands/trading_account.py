"""`manage.py trading_account`: makes and lists accounts, enters payments, sets limits and the right to sell."""

import json
from argparse import ArgumentParser
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from brokers.files.csv_rows import CsvError, iso_day
from brokers.protocol import IST, SellAuthorisation
from market_data.calendar_sources import CalendarError
from portfolio.accounts import entries
from portfolio.accounts.creation import LIVE_BROKERS, NotCreated, Wanted, create_account
from portfolio.accounts.names import UnknownAccount, account_named
from portfolio.accounts.readings import cash_of
from portfolio.live.permissions import permissions_in_force
from portfolio.models import TradingAccount, User
from portfolio.orders.limit_values import WORDS, LimitError
from portfolio.orders.limits import limits_of, set_limits

_BAD: Final = (CsvError, CalendarError, NotCreated, UnknownAccount, LimitError, entries.EntryError)
_UNSET: Final = "none"


class Command(BaseCommand):
    help = "Make and list trading accounts, enter payments, set limits, and say whether shares may be sold."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        creating = actions.add_parser("create", help="make an account; a live one trades nothing until it is turned on")
        creating.add_argument("name", metavar="NAME")
        creating.add_argument("--owner", required=True, metavar="USER")
        creating.add_argument("--kind", required=True, choices=TradingAccount.AccountKind.values)
        creating.add_argument("--broker", default="", metavar="B", help=f"of a live one: {', '.join(LIVE_BROKERS)}")
        creating.add_argument("--charges-of", default="", metavar="B", help="whose charges (zerodha, live: its broker)")
        creating.add_argument("--demat-id", default="", metavar="ID", help="16 characters")
        listing = actions.add_parser("list", help="accounts with cash, limits and whether they trade live")
        for name in ("deposit", "withdraw"):
            paying = actions.add_parser(name, help=f"enter a {name.replace('draw', 'drawal')}")
            paying.add_argument("--account", required=True, metavar="A", help="number or name of an account")
            paying.add_argument("--amount", required=True, metavar="RUPEES")
            paying.add_argument("--reference", required=True, metavar="TEXT", help="of the payment: it is entered once")
            paying.add_argument("--date", metavar="DAY", help="default: today")
            paying.add_argument("--json", action="store_true", help="print one JSON object, amounts as text")
        limiting = actions.add_parser("limits", help=f"show limits, or set those that are given ({_UNSET}: unset)")
        limiting.add_argument("--account", required=True, metavar="A", help="number or name of an account")
        for name, words in WORDS.items():
            limiting.add_argument(f"--{name.replace('_', '-')}", metavar="LIMIT", help=words)
        selling = actions.add_parser("right-to-sell", help="say whether shares can be sold without the owner")
        selling.add_argument("--account", required=True, metavar="A", help="number or name of an account")
        selling.add_argument("--is", required=True, dest="right", choices=[each.value for each in SellAuthorisation])
        selling.add_argument("--on", metavar="DAY", help="per_day: of the owner's eDIS authorisation (default: today)")
        for command in (creating, listing, limiting, selling):
            command.add_argument("--json", action="store_true", help="print one JSON object, amounts as text")

    def handle(self, *_: object, **options: Any) -> None:
        now = timezone.now().astimezone(IST)
        try:
            if options["action"] == "list":
                accounts = list(TradingAccount.objects.filter(is_replay=False).select_related("owner").order_by("pk"))
            else:
                accounts = [self._changed(options, now.date())]
            answer = [_as_json(account, now.date(), now) for account in accounts]
        except _BAD as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"accounts": answer} if options["action"] == "list" else answer[0]))
        else:
            self.stdout.write("\n".join(map(_text, answer)) or "There is no account.")

    def _changed(self, options: dict[str, Any], today: date) -> TradingAccount:
        if options["action"] == "create":
            owner = User.objects.filter(username=options["owner"], is_active=True).first()
            if owner is None:
                raise CommandError(f"There is no active user {options['owner']!r}; name one.")
            names = ("name", "kind", "broker", "charges_of", "demat_id")
            return create_account(owner, Wanted(**{name: options[name] for name in names}))
        account = account_named(options["account"])
        if options["action"] == "limits":
            given = {name: options[name] for name in WORDS if options[name] is not None}
            if given:
                set_limits(account, {name: None if value == _UNSET else value for name, value in given.items()})
        elif options["action"] == "right-to-sell":
            _set_right(account, options, today)
        else:
            _pay(account, options, today)
        return account


def _pay(account: TradingAccount, options: dict[str, Any], today: date) -> None:
    day = iso_day(options["date"]) if options["date"] else today
    if day > today:
        raise CommandError(f"{day} is still to come; enter a payment on its day.")
    try:
        amount = Decimal(options["amount"])
    except InvalidOperation:
        raise CommandError(f"{options['amount'][:40]!r} is no amount in ₹; write it as 100000.") from None
    reference = f"{options['action']} {options['reference']}"[:200]
    if options["action"] == "deposit":
        entries.deposit(account, day, amount, reference)
        return
    has_it = account.ledger.filter(kind="withdrawal", reference=reference).exists()
    total = cash_of(account, today).total
    if not has_it and amount.is_finite() and amount > total:
        raise CommandError(f"{account.name} has ₹{total:.2f} in cash; ₹{amount} cannot be paid out of it.")
    entries.withdraw(account, day, amount, reference)


def _set_right(account: TradingAccount, options: dict[str, Any], today: date) -> None:
    account.sell_authorisation = options["right"]
    if options["right"] == SellAuthorisation.PER_DAY:
        account.sell_authorised_on = iso_day(options["on"]) if options["on"] else today
        if account.sell_authorised_on > today:
            raise CommandError(f"{account.sell_authorised_on} is still to come; authorise on the day.")
    account.save(update_fields=["sell_authorisation", "sell_authorised_on"])


def _as_json(account: TradingAccount, today: date, now: Any) -> dict[str, Any]:
    cash = cash_of(account, today)
    return {
        "account": account.pk,
        "name": account.name,
        "owner": account.owner.get_username() if account.owner else "",
        "kind": account.kind,
        "broker": account.broker,
        "charges_of": account.charges_of,
        "demat_id": account.demat_id,
        "active": account.is_active,
        "cash": f"{cash.total:.2f}",
        "usable": f"{cash.usable:.2f}",
        "limits": limits_of(account).as_json(),
        "right_to_sell": account.sell_authorisation,
        "authorised_on": account.sell_authorised_on.isoformat() if account.sell_authorised_on else "",
        "live": [each.strategy.name if each.strategy else "by hand" for each in permissions_in_force(account, now)],
    }


def _text(account: dict[str, Any]) -> str:
    limits = ", ".join(f"{name} {value}" for name, value in account["limits"].items()) or "no limits"
    live = f"; trades live: {', '.join(account['live'])}" if account["live"] else ""
    return (
        f"{account['account']} {account['name']} ({account['kind']}, {account['broker']}) of {account['owner']}:"
        f" ₹{account['cash']} in cash, {limits}{live}"
    )
