"""`manage.py backtest`: what a list would have earned."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from brokers.charges import BROKERS
from portfolio.backtest.content import backtest
from portfolio.backtest.parameters import REWEIGH, SETTLEMENT, BacktestError, Parameters, parameters
from portfolio.backtest.report_text import report_text
from portfolio.orders.limit_values import WORDS
from stocks.picks import screening

_LINE_EVERY = 100


class Command(BaseCommand):
    help = "Trade a list's past places and print what the account would have come to, after charges and impact."
    content: Callable[[Parameters, Callable[[int, int], None]], dict[str, Any]] = staticmethod(backtest)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--strategy", required=True, metavar="NAME", help=", ".join(screening.STRATEGIES))
        parser.add_argument("--from", required=True, dest="first", metavar="YYYY-MM-DD", help="start of the span")
        parser.add_argument("--to", required=True, dest="last", metavar="YYYY-MM-DD", help="end of the span")
        parser.add_argument("--capital", required=True, metavar="RUPEES")
        parser.add_argument("--holdings", metavar="N", help="shares held at most (20)")
        parser.add_argument("--keep", metavar="N", help="place down to which a held share stays (40)")
        parser.add_argument("--every", metavar="N", help="sessions from one decision to the next (10)")
        parser.add_argument("--reweigh", metavar="HOW", help=f"{' or '.join(REWEIGH)}: bring holdings to their slot")
        parser.add_argument("--settlement", metavar="HOW", help=f"{' or '.join(SETTLEMENT)}: when proceeds are usable")
        parser.add_argument("--broker", metavar="NAME", help=f"{', '.join(BROKERS)} (zerodha)")
        parser.add_argument("--no-charges", action="store_false", dest="charges", help="leave all charges out")
        parser.add_argument("--fractional", action="store_true", help="parts of shares; only with --no-charges")
        parser.add_argument("--no-impact", action="store_false", dest="impact", help="trade at the open itself")
        for name, words in WORDS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", metavar="LIMIT", help=words)
        parser.add_argument("--json", action="store_true", help="print one JSON object, amounts as text")

    def handle(self, *_: object, **options: Any) -> None:
        names = (
            "strategy", "first", "last", "capital", "holdings", "keep", "every", "reweigh", "settlement", "broker",
            "charges", "fractional", "impact",
        )  # fmt: skip
        try:
            limits = {name: options[name] for name in WORDS}
            terms = parameters({name: options.get(name) for name in names} | {"limits": limits})
            with _progress() as report:
                content = self.content(terms, report)
        except BacktestError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(content) if options["json"] else report_text(content))


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal's standard error, lines elsewhere."""
    is_terminal = sys.stderr.isatty()
    with Progress(console=Console(stderr=True), disable=not is_terminal, transient=True) as progress:
        bar = progress.add_task("sessions", total=None)

        def report(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)
            if not is_terminal and (done % _LINE_EVERY == 0 or done == total):
                sys.stderr.write(f"{done} of {total} sessions\n")

        yield report
