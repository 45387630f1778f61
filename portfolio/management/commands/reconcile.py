"""`manage.py reconcile [--account A] [--json]`: compares accounts with their brokers, and says what blocks.

Ends with 0 when every account was compared and nothing blocks, with 2 when something blocks, and with 1 for bad input
or when a broker did not answer: then nobody knows whether there are differences.
"""

import json
import sys
from argparse import ArgumentParser
from datetime import datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from brokers.protocol import IST, BrokerError
from portfolio.accounts.names import UnknownAccount, account_named
from portfolio.models import Difference, Order, TradingAccount
from portfolio.orders.projection import State
from portfolio.reconciliation.account import reconcile
from portfolio.reconciliation.blocks import blocked_shares, blocks_of, open_alarms, open_differences
from portfolio.reconciliation.moments import moment_of
from portfolio.sending.venues import venue_of

SOMETHING_BLOCKS: Final = 2
NOT_COMPARED: Final = 1


class Command(BaseCommand):
    help = "Compare accounts with their brokers' books. Ends with 2 when something blocks, with 1 without an answer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", metavar="A", help="number or name of one account (default: all active ones)")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: object, **options: Any) -> None:
        now = timezone.now().astimezone(IST)
        accounts = [_compared(account, moment_of(account, now)) for account in _accounts(options["account"])]
        if options["json"]:
            self.stdout.write(json.dumps({"at": now.isoformat(), "accounts": accounts}))
        else:
            self.stdout.write("\n".join(map(_text, accounts)) or "There is no account to reconcile.")
        if any(account["blocks"] or account["unknown_orders"] or account["blocked_shares"] for account in accounts):
            sys.exit(SOMETHING_BLOCKS)
        if any(account["not_compared"] for account in accounts):
            sys.exit(NOT_COMPARED)


def _accounts(wanted: str | None) -> list[TradingAccount]:
    if wanted is None:
        return list(TradingAccount.objects.filter(is_replay=False, is_active=True).order_by("pk"))
    try:
        return [account_named(wanted)]
    except UnknownAccount as error:
        raise CommandError(str(error)) from error


def _compared(account: TradingAccount, at: datetime) -> dict[str, Any]:
    not_compared = ""
    try:
        with venue_of(account, lambda: at) as venue:
            rows = reconcile(account, venue, at)
    except BrokerError as error:
        not_compared, rows = str(error), list(open_differences(account))
    unknown = Order.objects.filter(account=account, status=State.UNKNOWN.value).order_by("pk")
    return {
        "account": account.pk,
        "name": account.name,
        "kind": account.kind,
        "at": at.isoformat(),
        "not_compared": not_compared,
        "differences": [_difference(row) for row in rows],
        "alarms": [
            {"order": row.order_id, "alarm": row.alarm, "since": _time(row.since)} for row in open_alarms(account)
        ],
        "unknown_orders": [{"order": row.pk, "tag": row.tag or "", "symbol": row.symbol} for row in unknown],
        "blocks": blocks_of(account),
        "blocked_shares": sorted(blocked_shares(account)),
    }


def _difference(row: Difference) -> dict[str, Any]:
    return {
        "class": row.kind,
        "subject": row.subject,
        "ours": row.ours,
        "theirs": row.theirs,
        "since": _time(row.since),
        "action": row.action,
        "closed_at": _time(row.closed_at) if row.closed_at else "",
        "closed_by": row.closed_by,
        "reason": row.reason,
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(IST).isoformat()


def _text(account: dict[str, Any]) -> str:
    lines = [f"{account['name']} ({account['kind']}, {account['account']})"]
    if account["not_compared"]:
        lines.append(f"  Not compared: {account['not_compared']}")
    lines += [f"  Order {each['order']} ({each['symbol']}) is of unknown fate." for each in account["unknown_orders"]]
    lines += [f"  Blocked by {reason}." for reason in account["blocks"]]
    lines += [
        f"  {each['class']}: {each['subject']}, here {each['ours']}, there {each['theirs']}. {each['action']}"
        for each in account["differences"]
    ]
    return "\n".join(lines if len(lines) > 1 else [f"{lines[0]}: both sides agree."])
