"""`manage.py evaluate_models`: compute, store and print the walk-forward report."""

import json
import time
from argparse import ArgumentParser
from datetime import date
from typing import Any

import pandas as pd
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market_data.runs.command import parse_date, requested_session
from market_data.runs.pending_migrations import apply_pending_migrations
from ml import datasets
from ml.evaluation import records as evaluation_records
from ml.evaluation import report as evaluation
from ml.evaluation.report import Entry, FoldStore
from ml.learning.estimators import ESTIMATORS, Estimator, UnknownEstimator, estimator
from ml.learning.samples import Samples
from ml.learning.walk_forward import TooLittleHistory

# Longer than any market's history: the report trains on all there is.
ALL_HISTORY_DAYS = 365 * 40


class Command(BaseCommand):
    help = "Evaluate the models walk-forward, beside baselines and shuffled controls; computed folds are reused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--date", metavar="YYYY-MM-DD", help="last session of the data (default: the latest)")
        parser.add_argument(
            "--first-test", metavar="YYYY-MM-DD", help="first tested day (default: after one year of data)"
        )
        parser.add_argument("--estimator", default=settings.ESTIMATOR, help="estimator to evaluate")
        parser.add_argument("--without-forest", action="store_true", help="skip the contract's random forest")
        parser.add_argument("--afresh", action="store_true", help="recompute every fold and store none")
        parser.add_argument(
            "--json", action="store_true", help="one JSON object on standard output, nothing else there"
        )

    def handle(self, *_: object, **options: Any) -> None:
        apply_pending_migrations(self.stderr)
        session, started = requested_session(options["date"]), time.monotonic()
        first = parse_date(options["first_test"]) if options["first_test"] else None
        if first is not None and first > session:
            raise CommandError(f"--first-test {first} is after the last session of the data, {session}.")
        try:
            default = estimator(options["estimator"])
            content, parameters = self._report(session, default, first, options)
        except (UnknownEstimator, TooLittleHistory) as error:
            raise CommandError(str(error)) from error
        seconds = round(time.monotonic() - started, 1)
        evaluation_records.record_evaluation(
            content, as_of=session, estimator=default.name, parameters=parameters, seconds=seconds
        )
        if options["json"]:
            self.stdout.write(json.dumps(content | {"as_of": session.isoformat(), "seconds": seconds}))
            return
        self.stdout.write(evaluation.report_text(content))
        self.stdout.write(
            f"{content['folds_computed']} folds computed, {content['folds_reused']} reused, {seconds:.0f} s; stored"
        )

    def _report(
        self, session: date, default: Estimator, first: date | None, options: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        def print_progress(line: str) -> None:
            if not options["json"]:
                self.stderr.write(line)

        scale_free = datasets.training_samples(session, ALL_HISTORY_DAYS, ESTIMATORS["lightgbm"])
        print_progress(f"{len(scale_free)} samples of {len(scale_free.features)} features")

        def samples(estimator: Estimator) -> Samples:
            if estimator.feature_set == "scale_free":
                return scale_free
            return datasets.training_samples(session, ALL_HISTORY_DAYS, estimator)

        entries = [(Entry(default.name, default, note="default"), samples(default))]
        if not options["without_forest"] and default.name != "random_forest":
            forest = evaluation.FOREST_ENTRY
            entries.append((forest, samples(forest.estimator)))
        layout = evaluation.fold_layout(scale_free, None if first is None else pd.Timestamp(first))
        store = FoldStore(None if options["afresh"] else settings.VAR_DIR / "folds")
        content = evaluation.report(scale_free, entries, layout, store, print_progress)
        return content, {entry.name: entry.as_json() for entry, _ in entries}
