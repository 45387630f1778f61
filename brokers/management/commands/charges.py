"""`manage.py charges`: what an order costs at a broker on a day."""

import json
from argparse import ArgumentParser
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from brokers.charges import BROKERS, Charges, ChargesError, Fill, Kind, Product, Side, order_charges

_LABELS = {
    "turnover": "Turnover",
    "brokerage": "Brokerage",
    "stt": "Securities transaction tax",
    "exchange": "Exchange",
    "ipft": "Investor protection fund",
    "sebi": "SEBI",
    "stamp_duty": "Stamp duty",
    "gst": "GST",
    "total": "Total on the contract note",
    "dp": "DP charge, on the ledger",
}


class Command(BaseCommand):
    help = "Print what an equity order costs: brokerage, taxes and fees, line by line in ₹."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--broker", required=True, metavar="NAME", help=", ".join(BROKERS))
        parser.add_argument("--date", required=True, metavar="YYYY-MM-DD", help="session of the trade")
        parser.add_argument("--product", required=True, choices=[*Product], help="cnc: delivery; mis: intraday")
        parser.add_argument("--side", required=True, choices=[*Side])
        parser.add_argument("--quantity", required=True, metavar="SHARES")
        parser.add_argument("--price", required=True, metavar="RUPEES")
        parser.add_argument("--kind", default=Kind.SHARE, choices=[*Kind], help="what is traded (default: share)")
        parser.add_argument("--json", action="store_true", help="print one JSON object, amounts as text")

    def handle(self, *_: object, **options: Any) -> None:
        try:
            order = Fill(
                order="1",
                symbol="1",
                side=Side(options["side"]),
                quantity=_whole(options["quantity"]),
                price=_decimal(options["price"]),
                product=Product(options["product"]),
                kind=Kind(options["kind"]),
            )
            charges = order_charges(options["broker"], _day(options["date"]), order)
        except ChargesError as error:
            raise CommandError(str(error)) from error
        lines = {name: _text(charges, name) for name in _LABELS}
        if options["json"]:
            self.stdout.write(json.dumps(lines))
            return
        for name, label in _LABELS.items():
            self.stdout.write(f"{label:<28} {lines[name]:>14}")


def _text(charges: Charges, name: str) -> str:
    amount: Decimal = getattr(charges, name)
    return f"{amount:.2f}" if name != "turnover" else format(amount, "f")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ChargesError(f"quantity {text[:40]!r} is not a whole number of shares.") from error


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ChargesError(f"price {text[:40]!r} is not an amount in ₹.") from error


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError as error:
        raise ChargesError(f"date {text[:40]!r} is not a date; write it as YYYY-MM-DD.") from error
