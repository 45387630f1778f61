"""`manage.py fill_gaps --symbol S --from D --to D`: bars that a share lacks, from a broker's history."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from market_data.runs.command import JobCommand, parse_date


class Command(JobCommand):
    help = (
        "Fill sessions without a bar of a share from the history of QUOTES_PROVIDER (fyers or zerodha), as provisional"
        " bars; refused where an event lies between the gap and today."
    )
    job = "fill_gaps"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--symbol", action="append", required=True, metavar="SYMBOL", help="may be repeated")
        parser.add_argument("--from", dest="first", required=True, metavar="YYYY-MM-DD")
        parser.add_argument("--to", dest="last", required=True, metavar="YYYY-MM-DD")

    def run_options(self, options: dict[str, Any]) -> dict[str, Any]:
        first, last = parse_date(options["first"]), parse_date(options["last"])
        if first > last:
            raise CommandError(f"--from {first} lies after --to {last}.")
        return {"symbols": options["symbol"], "first": first.isoformat(), "last": last.isoformat()}
