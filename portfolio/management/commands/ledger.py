"""`manage.py ledger`: imports a file into an account's ledger, and shows what the account owns."""

import json
from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from brokers.files.csv_rows import CsvError, file_content, iso_day
from brokers.protocol import IST
from market_data.calendar_sources import CalendarExhausted
from portfolio.accounts.imports import import_ledger
from portfolio.accounts.names import UnknownAccount, account_named
from portfolio.accounts.readings import AccountReading
from portfolio.ledger.entries import COLUMNS, LedgerError
from portfolio.models import LedgerEntry, TradingAccount

_BAD: Final = CsvError, LedgerError, UnknownAccount, CalendarExhausted


class Command(BaseCommand):
    help = "Import a file into an account's ledger, all rows or none and each once, or show what the account owns."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        importing = actions.add_parser("import", help="enter the rows of a file")
        importing.add_argument("file", metavar="FILE", help=f"CSV with {', '.join(COLUMNS)}, oldest row first")
        importing.add_argument("--dry-run", action="store_true", help="check everything and enter nothing")
        showing = actions.add_parser("show", help="print entries, holdings, cash, value and profit")
        showing.add_argument("--date", metavar="DAY", help="as of a day (default: today)")
        for command in (importing, showing):
            command.add_argument("--account", required=True, metavar="A", help="number or name of an account")
            command.add_argument("--json", action="store_true", help="print one JSON object, amounts as text")

    def handle(self, *_: object, **options: Any) -> None:
        today = timezone.now().astimezone(IST).date()
        try:
            account = account_named(options["account"])
            if options["action"] == "import":
                dry_run = options["dry_run"]
                imported = import_ledger(account, file_content(options["file"]), today, dry_run=dry_run)
                answer = {"account": account.pk, "dry_run": dry_run, "rows": imported.rows, "new": imported.new}
            else:
                answer = _shown(account, iso_day(options["date"]) if options["date"] else today)
        except _BAD as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(answer) if options["json"] else _text(answer))


def _shown(account: TradingAccount, day: Any) -> dict[str, Any]:
    reading = AccountReading(account, day)
    cash, value, profit = reading.cash(), reading.value, reading.profit()
    return {
        "account": account.pk,
        "date": day.isoformat(),
        "cash": f"{cash.total:.2f}",
        "usable": f"{cash.usable:.2f}",
        "value": f"{value.total:.2f}",
        "unpriced": list(value.unpriced),
        "profit": {name: "" if amount is None else f"{amount:.2f}" for name, amount in vars(profit).items()},
        "holdings": [
            {
                "symbol": symbol,
                "quantity": held.quantity,
                "arriving": held.arriving,
                "bonus_due": held.bonus_due,
                "sellable": held.sellable,
                "average_price": "" if held.average_price is None else str(held.average_price),
            }
            for symbol, held in reading.holdings().items()
        ],
        "entries": [
            {
                "day": row.day.isoformat(),
                "kind": row.kind,
                "symbol": row.symbol,
                "isin": row.isin,
                "quantity": row.quantity,
                "amount": str(row.amount),
                "reference": row.reference,
                "reason": row.reason,
            }
            for row in LedgerEntry.objects.filter(account=account, day__lte=day)
        ],
    }


def _text(answer: dict[str, Any]) -> str:
    if "rows" in answer:
        verb = "would be entered" if answer["dry_run"] else "are entered"
        return f"{answer['new']} of {answer['rows']} rows {verb}; the others stand in the ledger already."
    lines = [f"Cash ₹{answer['cash']} (usable {answer['usable']}), value ₹{answer['value']} on {answer['date']}."]
    lines += [f"No close is known of {', '.join(answer['unpriced'])}." for _ in answer["unpriced"][:1]]
    lines += [f"{name}: ₹{amount or ' not known'}" for name, amount in answer["profit"].items()]
    for title in ("holdings", "entries"):
        lines += [f"{title}: {len(answer[title]) or 'none'}"]
        lines += ["  " + "  ".join(str(cell) for cell in row.values()) for row in answer[title]]
    return "\n".join(lines)
