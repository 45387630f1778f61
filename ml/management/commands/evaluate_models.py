"""`manage.py evaluate_models`: compute, store and print the walk-forward report."""

import json
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market_data.runs.command import parse_date, requested_session
from market_data.runs.pending_migrations import apply_pending_migrations
from ml import datasets
from ml.champions.queries import champion, earlier_champion
from ml.evaluation import figures, report
from ml.evaluation.ablations import LINEAR_PART, random_groups
from ml.evaluation.records import record_evaluation
from ml.evaluation.report import PredictionStore
from ml.evaluation.report_text import report_text
from ml.evaluation.stored_report import NothingToReport, stored_past
from ml.learning.calibration import Chances
from ml.learning.estimators import ESTIMATORS, Estimator, UnknownEstimator, estimator
from ml.learning.parallel import ClusterUnusable, on_cluster
from ml.learning.samples import Samples
from ml.learning.walk_forward import TooLittleHistory
from stocks.picks.selection_queries import share_groups

# With all of its trees the contract's forest would take hours.
FOREST_SIZE, FOREST_EVERY = 0.1, 5


class Command(BaseCommand):
    help = (
        "Evaluate an estimator walk-forward, beside baselines, shuffled controls and ablations, and store the report;"
        " what was computed is reused."
    )
    compares = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--date", metavar="YYYY-MM-DD", help="last session of the data (default: the latest)")
        parser.add_argument(
            "--first-test", metavar="YYYY-MM-DD", help="first tested day (default: after one year of data)"
        )
        parser.add_argument("--estimator", default=settings.ESTIMATOR, help="estimator to evaluate")
        parser.add_argument("--afresh", action="store_true", help="recompute everything and keep nothing")
        parser.add_argument(
            "--json", action="store_true", help="one JSON object on standard output, nothing else there"
        )
        if not self.compares:
            parser.add_argument(
                "--compare", action="store_true", help="evaluate every estimator too; the contract's forest thinned"
            )
            parser.add_argument("--controls", type=int, default=3, help="number of shuffled controls (default: 3)")
            parser.add_argument(
                "--ablations", action="store_true", help="leave out each group of features, and draw sectors at random"
            )

    def handle(self, *_: object, **options: Any) -> None:
        apply_pending_migrations(self.stderr)
        session, started = requested_session(options["date"]), time.monotonic()
        first = parse_date(options["first_test"]) if options["first_test"] else None
        if first is not None and first > session:
            raise CommandError(f"--first-test {first} is after the last session of the data, {session}.")
        if options.get("controls", 0) < 0:
            raise CommandError(f"--controls {options['controls']} is not a number of controls; pass 0 or more.")
        try:
            default = estimator(options["estimator"], settings.TRAINING_LOOKBACK_DAYS)
            with on_cluster(settings.DASK_SCHEDULER_ADDRESS):
                content, parameters = self._report(session, default, first, options)
        except (UnknownEstimator, TooLittleHistory, ClusterUnusable) as error:
            raise CommandError(str(error)) from error
        seconds = round(time.monotonic() - started, 1)
        if not self.compares:
            record_evaluation(content, as_of=session, estimator=default.name, parameters=parameters, seconds=seconds)
        if options["json"]:
            self.stdout.write(json.dumps(content | {"as_of": session.isoformat(), "seconds": seconds}))
            return
        self.stdout.write(report_text(content))
        counts = f"{content['entries_computed']} computed, {content['entries_reused']} reused, {seconds:.0f} s"
        self.stdout.write(counts if self.compares else f"{counts}; stored")

    def _report(
        self, session: date, default: Estimator, first: date | None, options: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        on_progress = self._progress(options["json"])
        data = datasets.training_samples(session, default)
        if first is not None and first < data.sessions[0].date():
            raise CommandError(f"--first-test {first} lies before the data, which begin on {data.sessions[0].date()}.")
        on_progress(f"{len(data)} samples of {len(data.features)} features")
        span = report.span_of_tests(data, None if first is None else pd.Timestamp(first))
        entries = [(default, data)]
        if self.compares or options["compare"]:
            entries += [(other, _samples(other, *entries[0], session)) for other in _others(default)]
        first_day, last_day = (data.sessions[position].date() for position in (span.first, span.last))
        terms = report.Terms(
            data=_samples(report.PLAIN, *entries[0], session),
            span=span,
            rule=figures.cost_rule(pd.Timestamp(session)),
            store=PredictionStore(None if options["afresh"] else settings.VAR_DIR / "folds"),
            market=datasets.outcomes_between(first_day, last_day, session)[0],
            chances=Chances(settings.TARGET_PROBABILITY, settings.STOP_PROBABILITY),
            on_progress=on_progress,
        )
        extras = report.Extras(
            controls=options.get("controls", 0),
            ablations=options.get("ablations", False),
            placebo=lambda: datasets.training_samples(session, LINEAR_PART, random_groups(share_groups())),
            last_model=_last_model(default, terms, session),
        )
        return report.report(entries, terms, extras), {chosen.name: chosen.as_json() for chosen, _ in entries}

    def _progress(self, is_quiet: bool) -> Callable[[str], None]:
        started = time.monotonic()

        def print_progress(line: str) -> None:
            if not is_quiet:
                self.stderr.write(f"{time.monotonic() - started:6.0f} s  {line}")

        return print_progress


def _others(default: Estimator) -> list[Estimator]:
    return [other for other in map(_thinned, ESTIMATORS.values()) if other.name != default.name]


def _last_model(default: Estimator, terms: report.Terms, session: date) -> pd.DataFrame | None:
    """Stored predictions of the champion, or of the one before where that is the estimator evaluated; None without."""
    current = champion(session)
    last = earlier_champion(session) if current and current.recipe == default.recipe else current
    if last is None:
        return None
    sessions = terms.data.sessions
    first_day, last_day = (sessions[position].date() for position in (terms.span.first, terms.span.last))
    try:
        past = stored_past(last.recipe, first_day, last_day, session).frame
    except NothingToReport:
        return None
    position = sessions.get_indexer(pd.DatetimeIndex(past["date"])).astype("int64")
    return past.assign(position=position).drop(columns=["late_entry_return", "atr_pct"])


def _samples(chosen: Estimator, loaded: Estimator, data: Samples, session: date) -> Samples:
    """Samples of an estimator's features: those that are loaded already, if they are."""
    return data if chosen.feature_set == loaded.feature_set else datasets.training_samples(session, chosen)


def _thinned(chosen: Estimator) -> Estimator:
    """The contract's forest with a tenth of its trees, fitted on every fifth session; others as they are."""
    if chosen.feature_set != "contract":
        return chosen
    thinned = chosen.with_members(size=FOREST_SIZE, every=FOREST_EVERY)
    return replace(thinned, note=f"{chosen.note}: a tenth of its trees, every fifth session")
