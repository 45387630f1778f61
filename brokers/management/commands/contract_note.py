"""`manage.py contract_note`: a broker's contract note beside the charges computed, line by line."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from brokers.charges import BROKERS, ChargesError
from brokers.files.contract_notes import COLUMNS, compared, contract_note
from brokers.files.csv_rows import CsvError, file_content, iso_day


class Command(BaseCommand):
    help = "Compare a broker's contract note with the charges computed from its fills, line by line; stores nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--broker", required=True, metavar="NAME", help=", ".join(BROKERS))
        parser.add_argument("--date", required=True, metavar="YYYY-MM-DD", help="session of the note")
        parser.add_argument("--file", required=True, metavar="FILE", help=f"CSV with {', '.join(COLUMNS)}")
        parser.add_argument("--json", action="store_true", help="print one JSON object, amounts as text")

    def handle(self, *_: object, **options: Any) -> None:
        try:
            note = contract_note(file_content(options["file"]))
            lines = compared(options["broker"], iso_day(options["date"]), note)
        except (ChargesError, CsvError) as error:
            raise CommandError(str(error)) from error
        rows = [
            {name: f"{getattr(line, name):.2f}" for name in ("stated", "computed", "difference")} | {"line": line.name}
            for line in lines
        ]
        if options["json"]:
            self.stdout.write(json.dumps({"number": note.number, "lines": rows, "surplus": f"{note.surplus:.2f}"}))
            return
        self.stdout.write(f"{'Note ' + note.number:<28} {'stated':>14} {'computed':>14}")
        for row, line in zip(rows, lines, strict=True):
            verdict = f"differs by ₹{row['difference']}" if line.difference else "equal"
            self.stdout.write(f"{row['line']:<28} {row['stated']:>14} {row['computed']:>14}  {verdict}")
        if note.surplus:
            self.stdout.write(f"The note's total exceeds the sum of its own lines by ₹{note.surplus:.2f}.")
