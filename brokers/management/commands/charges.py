"""`manage.py charges`: what an order, or all fills of a session, cost at a broker on a day."""

import json
from argparse import ArgumentParser
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from brokers.charges import BROKERS, Charges, ChargesError, Fill, Kind, Product, Side, note_charges, order_charges
from brokers.files.csv_rows import CsvError, file_content, iso_day
from brokers.files.trade_files import COLUMNS, trades_of

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


_ORDER = ("product", "side", "quantity", "price")


class Command(BaseCommand):
    help = "Print what an equity order, or a session's fills together, cost: brokerage, taxes and fees by line in ₹."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--broker", required=True, metavar="NAME", help=", ".join(BROKERS))
        parser.add_argument("--date", required=True, metavar="YYYY-MM-DD", help="session of the trades")
        parser.add_argument("--product", choices=[*Product], help="cnc: delivery; mis: intraday")
        parser.add_argument("--side", choices=[*Side])
        parser.add_argument("--quantity", metavar="SHARES")
        parser.add_argument("--price", metavar="RUPEES")
        parser.add_argument("--kind", choices=[*Kind], help="what is traded (default: share)")
        parser.add_argument("--trades", metavar="FILE", help=f"instead of one order: a CSV of {', '.join(COLUMNS)}")
        parser.add_argument("--json", action="store_true", help="print one JSON object, amounts as text")

    def handle(self, *_: object, **options: Any) -> None:
        try:
            charges = _charges(options)
        except (ChargesError, CsvError) as error:
            raise CommandError(str(error)) from error
        lines = {name: _text(charges, name) for name in _LABELS}
        if options["json"]:
            self.stdout.write(json.dumps(lines))
            return
        for name, label in _LABELS.items():
            self.stdout.write(f"{label:<28} {lines[name]:>14}")


def _charges(options: dict[str, Any]) -> Charges:
    """The charges of the file's fills as one note, or of the order that the options describe."""
    day = iso_day(options["date"])
    if options["trades"] is not None:
        beside = [f"--{name}" for name in (*_ORDER, "kind") if options[name] is not None]
        if beside:
            raise ChargesError(f"--trades and {beside[0]} exclude each other; leave out {', '.join(beside)}.")
        return note_charges(options["broker"], day, trades_of(file_content(options["trades"])))
    missing = [f"--{name}" for name in _ORDER if options[name] is None]
    if missing:
        raise ChargesError(f"{', '.join(missing)} must be given, or --trades with a file of fills.")
    order = Fill(
        order="1",
        symbol="1",
        side=Side(options["side"]),
        quantity=_whole(options["quantity"]),
        price=_decimal(options["price"]),
        product=Product(options["product"]),
        kind=Kind(options["kind"] or Kind.SHARE),
    )
    return order_charges(options["broker"], day, order)


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
