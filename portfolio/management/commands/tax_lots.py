"""`manage.py tax_lots`: open lots, disposals and the tax of each year from a ledger file, or an account's ledger."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from brokers.files.csv_rows import CsvError, file_content
from portfolio.accounts.names import UnknownAccount, account_named
from portfolio.accounts.tax import statement_of_account
from portfolio.ledger.entries import COLUMNS, LedgerError, entries_of
from portfolio.ledger.statement import NOTES, Statement, as_object, statement_of


class Command(BaseCommand):
    help = "Print a ledger's open lots and disposals, first in, first out, and the capital gains tax by year, in ₹."

    def add_arguments(self, parser: ArgumentParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--ledger", metavar="FILE", help=f"CSV with {', '.join(COLUMNS)}")
        source.add_argument("--account", metavar="A", help="number or name of an account")
        parser.add_argument("--json", action="store_true", help="print one JSON object, amounts as text")

    def handle(self, *_: object, **options: Any) -> None:
        try:
            statement = as_object(_statement(options["ledger"], options["account"]))
        except (CsvError, LedgerError, UnknownAccount) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(statement))
            return
        self._write_rows("Disposals", statement["disposals"])
        self._write_rows("Open lots", statement["lots"])
        years = statement["years"].items()
        self._write_rows("Years, gains by rate in percent", [{"year": name} | _flat(year) for name, year in years])
        self.stdout.write("\n".join(NOTES))

    def _write_rows(self, title: str, rows: list[dict[str, Any]]) -> None:
        self.stdout.write(f"{title}: {len(rows) or 'none'}")
        if rows:
            widths = {name: max(len(str(row[name])) for row in [*rows, {name: name}]) for name in rows[0]}
            for row in [{name: name for name in widths}, *rows]:
                self.stdout.write("  ".join(f"{row[name]!s:>{width}}" for name, width in widths.items()))
        self.stdout.write("")


def _statement(file: str | None, account: str | None) -> Statement:
    if account is not None:
        return statement_of_account(account_named(account))
    return statement_of(entries_of(file_content(file or "")))


def _flat(year: dict[str, Any]) -> dict[str, str]:
    """A year with its gains by rate as one text."""
    return {
        name: value if isinstance(value, str) else ", ".join(f"{rate}: {amount}" for rate, amount in value.items())
        for name, value in year.items()
    }
