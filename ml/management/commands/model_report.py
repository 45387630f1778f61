"""`manage.py model_report`: figures of stored predictions over any span; nothing is fitted."""

import json
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from market_data.runs.command import parse_date
from market_data.runs.pending_migrations import apply_pending_migrations
from ml.evaluation.records import record_stored_report
from ml.evaluation.stored_report import NothingToReport, stored_report, subject
from ml.evaluation.stored_text import stored_report_text
from ml.learning.estimators import UnknownEstimator


class Command(BaseCommand):
    help = (
        "Report the figures of the stored predictions of a span, from the database alone; a report of all of them is"
        " stored."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", metavar="YYYY-MM-DD", help="first session (default: the first predicted)")
        parser.add_argument("--to", metavar="YYYY-MM-DD", help="last session (default: the last predicted)")
        parser.add_argument("--estimator", help="estimator whose predictions are reported (default: the champion's)")
        parser.add_argument(
            "--json", action="store_true", help="one JSON object on standard output, nothing else there"
        )

    def handle(self, *_: object, **options: Any) -> None:
        apply_pending_migrations(self.stderr)
        first, last = (parse_date(options[name]) if options[name] else None for name in ("from", "to"))
        started = time.monotonic()
        try:
            content = stored_report(subject(options["estimator"]), first, last)
        except (UnknownEstimator, NothingToReport) as error:
            raise CommandError(str(error)) from error
        if first is None and last is None:
            record_stored_report(content, round(time.monotonic() - started, 1))
        self.stdout.write(json.dumps(content) if options["json"] else stored_report_text(content))
