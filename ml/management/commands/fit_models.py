"""`manage.py fit_models`: fits and stores one bundle in this process; the training step runs it as a child."""

import json
import os
import threading
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market_data.runs.command import parsed_date, requested_session
from market_data.runs.pending_migrations import apply_pending_migrations
from ml import artifacts, datasets
from ml.estimators import UnknownEstimator, estimator
from ml.training import fit_bundle
from ml.walk_forward import TooLittleHistory


class Command(BaseCommand):
    """Fits the models of one session and prints the row to store as one JSON object; writes files, no table."""

    help = (
        "Fit the models of one session into MODELS_DIR and print what to record"
        " (train_models runs this and records it)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the session and the estimator."""
        parser.add_argument("--date", required=True, metavar="YYYY-MM-DD", help="last session whose facts may be used")
        parser.add_argument("--estimator", default=settings.ESTIMATOR, help="name in the registry of estimators")
        parser.add_argument(
            "--lookback", type=int, default=settings.TRAINING_LOOKBACK_DAYS, help="calendar days learnt from"
        )
        parser.add_argument(
            "--with-parent",
            action="store_true",
            help="for a run, which has checked the session: end when standard input does, it is gone then",
        )

    def handle(self, *_: object, **options: Any) -> None:
        """Fit, save, print."""
        if options["with_parent"]:
            threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
        if options["lookback"] < 1:
            raise CommandError(f"--lookback {options['lookback']} is no number of days to learn from; write 1 or more.")
        apply_pending_migrations(self.stderr)
        # The run that wants the models has had its session checked.
        session = (parsed_date if options["with_parent"] else requested_session)(options["date"])
        begun = time.monotonic()
        try:
            chosen = estimator(options["estimator"])
            self._say(5)
            data = datasets.training_samples(session, options["lookback"], chosen)
            self._say(40)
            bundle = fit_bundle(data, chosen, session, options["lookback"])
        except (UnknownEstimator, TooLittleHistory) as error:
            raise CommandError(str(error)) from error
        self._say(95)
        card = artifacts.save_bundle(bundle, settings.MODELS_DIR)
        self.stdout.write(json.dumps(card | {"seconds": round(time.monotonic() - begun, 1)}, default=str))

    def _say(self, percent: int) -> None:
        """Tell the process that started this one how far it has come: reading, fitting, saving."""
        self.stderr.write(f"{datasets.PROGRESS}{percent}")
        self.stderr.flush()


def _end_with_parent() -> None:
    """Wait for the end of a pipe that the parent never writes to; the kernel closes it however the parent ends."""
    while os.read(0, 1):  # not sys.stdin: its lock, held by a daemon thread, aborts the interpreter's end
        pass
    os._exit(1)
