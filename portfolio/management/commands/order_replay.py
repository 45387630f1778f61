"""`manage.py order_replay`: what a file of events makes of its orders."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portfolio.orders.events import LONGEST_LINE, EventError, events_of
from portfolio.orders.replay import as_object, replayed


class Command(BaseCommand):
    help = "Print state, filled quantity, average price (₹), pending request and alarms of each order of a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--events", required=True, metavar="FILE", help="JSON lines as in docs/ORDERS.md")
        parser.add_argument("--json", action="store_true", help="print one JSON object, amounts as text")

    def handle(self, *_: object, **options: Any) -> None:
        path: str = options["events"]
        try:
            answer = as_object(replayed(events_of(_lines(path))))
        except EventError as error:
            raise CommandError(str(error)) from error
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise CommandError(f"{path[:200]!r} cannot be read ({reason}); name a file of JSON lines.") from error
        if options["json"]:
            self.stdout.write(json.dumps(answer))
            return
        self.stdout.write(f"Orders: {len(answer['orders']) or 'none'}")
        for order, row in answer["orders"].items():
            texts = {name: ", ".join(value) if isinstance(value, list) else str(value) for name, value in row.items()}
            self.stdout.write(f"{order}: {'; '.join(f'{name} {text}' for name, text in texts.items() if text)}")


def _lines(path: str) -> Iterator[bytes]:
    """Of a line that is too long only so much that its length shows."""
    with Path(path).open("rb") as file:
        while line := file.readline(LONGEST_LINE + 1):
            yield line
