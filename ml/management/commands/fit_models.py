"""`manage.py fit_models`: fit and save one bundle in this process; the training step runs it as a child."""

import json
import os
import threading
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market_data.runs.command import parse_date, requested_session
from market_data.runs.pending_migrations import apply_pending_migrations
from ml import datasets
from ml.learning import artifacts
from ml.learning.estimators import UnknownEstimator, estimator
from ml.learning.training import fit_bundle
from ml.learning.walk_forward import TooLittleHistory


class Command(BaseCommand):
    """Writes files only; prints the row to store as one JSON object."""

    help = (
        "Fit the models of one session into MODELS_DIR and print the row to record"
        " (train_models runs this and records it)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--date", required=True, metavar="YYYY-MM-DD", help="last session whose facts may be used")
        parser.add_argument("--estimator", default=settings.ESTIMATOR, help="name of a registered estimator")
        parser.add_argument(
            "--lookback", type=int, default=settings.TRAINING_LOOKBACK_DAYS, help="calendar days to train on"
        )
        parser.add_argument(
            "--with-parent",
            action="store_true",
            help="started by a run, which has checked the session: exit when standard input closes",
        )

    def handle(self, *_: object, **options: Any) -> None:
        if options["with_parent"]:
            threading.Thread(target=_exit_with_parent, name="parent", daemon=True).start()
        if options["lookback"] < 1:
            raise CommandError(f"--lookback {options['lookback']} is not a number of days; pass 1 or more.")
        apply_pending_migrations(self.stderr)

        session = (parse_date if options["with_parent"] else requested_session)(options["date"])
        started = time.monotonic()
        try:
            chosen = estimator(options["estimator"])
            self._report_progress(5)
            data = datasets.training_samples(session, options["lookback"], chosen)
            self._report_progress(40)
            bundle = fit_bundle(data, chosen, session, options["lookback"])
        except (UnknownEstimator, TooLittleHistory) as error:
            raise CommandError(str(error)) from error
        self._report_progress(95)
        card = artifacts.save_bundle(bundle, settings.MODELS_DIR)
        self.stdout.write(json.dumps(card | {"seconds": round(time.monotonic() - started, 1)}, default=str))

    def _report_progress(self, percent: int) -> None:
        self.stderr.write(f"{datasets.PROGRESS}{percent}")
        self.stderr.flush()


def _exit_with_parent() -> None:
    """Block on a pipe that the parent never writes to: the kernel closes it however the parent dies."""
    while os.read(0, 1):  # not sys.stdin: a daemon thread holding its lock aborts the interpreter's shutdown
        pass
    os._exit(1)
