"""`manage.py evaluate_models`: the walk-forward report, computed, shown and stored."""

import json
import time
from argparse import ArgumentParser
from datetime import date
from typing import Any

import pandas as pd
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market_data.runs.command import parsed_date, requested_session
from market_data.runs.pending_migrations import apply_pending_migrations
from ml import datasets, evaluation, evaluation_records
from ml.estimators import ESTIMATORS, Estimator, UnknownEstimator, estimator
from ml.evaluation import Entry, FoldStore
from ml.samples import Samples
from ml.walk_forward import TooLittleHistory

# A lookback that no market's history is longer than: the report learns from all there is.
ALL_HISTORY_DAYS = 365 * 40


class Command(BaseCommand):
    """Judges the models on sessions they had not seen, beside baselines and shuffled controls."""

    help = "Walk-forward report of the models, beside baselines and shuffled controls; its folds are kept and reused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the session, the estimators and the form of the answer."""
        parser.add_argument("--date", metavar="YYYY-MM-DD", help="last session of the data (default: the latest)")
        parser.add_argument(
            "--first-test", metavar="YYYY-MM-DD", help="first tested day (default: after one year of data)"
        )
        parser.add_argument("--estimator", default=settings.ESTIMATOR, help="the model that the report is about")
        parser.add_argument("--without-forest", action="store_true", help="leave the contract's forest out")
        parser.add_argument("--afresh", action="store_true", help="compute every fold again and keep none")
        parser.add_argument(
            "--json", action="store_true", help="one JSON object on standard output, nothing else there"
        )

    def handle(self, *_: object, **options: Any) -> None:
        """Compute, store, show."""
        apply_pending_migrations(self.stderr)
        session, begun = requested_session(options["date"]), time.monotonic()
        first = parsed_date(options["first_test"]) if options["first_test"] else None
        if first is not None and first > session:
            raise CommandError(f"--first-test {first} lies after the last session of the data, {session}.")
        try:
            chosen = estimator(options["estimator"])
            content, parameters = self._report(session, chosen, first, options)
        except (UnknownEstimator, TooLittleHistory) as error:
            raise CommandError(str(error)) from error
        seconds = round(time.monotonic() - begun, 1)
        evaluation_records.record_evaluation(
            content, as_of=session, estimator=chosen.name, parameters=parameters, seconds=seconds
        )
        if options["json"]:
            self.stdout.write(json.dumps(content | {"as_of": session.isoformat(), "seconds": seconds}))
            return
        self.stdout.write(evaluation.table(content))
        self.stdout.write(
            f"{content['folds_computed']} folds computed, {content['folds_reused']} reused, {seconds:.0f} s; stored"
        )

    def _report(
        self, session: date, chosen: Estimator, first: date | None, options: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        told = (lambda line: None) if options["json"] else self._told
        plain = datasets.training_samples(session, ALL_HISTORY_DAYS, ESTIMATORS["lightgbm"])
        told(f"{len(plain)} samples of {len(plain.features)} features")
        entries = [(Entry(chosen.name, chosen, note="default"), self._samples(session, chosen, plain))]
        if not options["without_forest"] and chosen.name != "random_forest":
            forest = evaluation.FOREST_ENTRY
            entries.append((forest, self._samples(session, forest.estimator, plain)))
        layout = evaluation.fold_layout(plain, None if first is None else pd.Timestamp(first))
        store = FoldStore(None if options["afresh"] else settings.VAR_DIR / "folds")
        content = evaluation.report(plain, entries, layout, store, told)
        return content, {entry.name: entry.as_json() for entry, _ in entries}

    def _samples(self, session: date, wanted: Estimator, plain: Samples) -> Samples:
        if wanted.feature_set == "scale_free":
            return plain
        return datasets.training_samples(session, ALL_HISTORY_DAYS, wanted)

    def _told(self, line: str) -> None:
        self.stderr.write(line)
