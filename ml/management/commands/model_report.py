"""`manage.py model_report`: figures of stored predictions over any span; nothing is fitted."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market_data.runs.command import parse_date
from market_data.runs.pending_migrations import apply_pending_migrations
from market_data.storage import queries
from ml.evaluation.stored_report import NothingToReport, stored_report
from ml.evaluation.stored_text import stored_report_text
from ml.learning.calibration import Chances
from ml.learning.estimators import UnknownEstimator, estimator


class Command(BaseCommand):
    help = "Report the figures of the stored predictions of a span, from the database alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", metavar="YYYY-MM-DD", help="first session (default: the first predicted)")
        parser.add_argument("--to", metavar="YYYY-MM-DD", help="last session (default: the last predicted)")
        parser.add_argument("--estimator", default=settings.ESTIMATOR, help="estimator whose predictions are reported")
        parser.add_argument(
            "--json", action="store_true", help="one JSON object on standard output, nothing else there"
        )

    def handle(self, *_: object, **options: Any) -> None:
        apply_pending_migrations(self.stderr)
        first, last = (parse_date(options[name]) if options[name] else None for name in ("from", "to"))
        as_of = queries.latest_session()
        if as_of is None:
            raise CommandError("There are no bars; load a market first (run_all).")
        chances = Chances(settings.TARGET_PROBABILITY, settings.STOP_PROBABILITY)
        try:
            chosen = estimator(options["estimator"], settings.TRAINING_LOOKBACK_DAYS)
            content = stored_report(chosen, first, last, as_of, chances)
        except (UnknownEstimator, NothingToReport) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(content) if options["json"] else stored_report_text(content))
