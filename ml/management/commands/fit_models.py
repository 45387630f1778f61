"""`manage.py fit_models`: fit and save one bundle in this process; the training step runs it as a child."""

import json
import os
import threading
import time
from argparse import ArgumentParser
from datetime import date
from typing import Any

import pandas as pd
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market_data.runs.command import parse_date, requested_session
from market_data.runs.pending_migrations import apply_pending_migrations
from ml import datasets, predictions
from ml.champions.queries import models_of
from ml.champions.recipes import RecipeRetired, stored_estimator
from ml.evaluation import figures, noise
from ml.evaluation.in_sample import in_sample_r2
from ml.evaluation.tranches import Rule
from ml.learning import artifacts
from ml.learning.calibration import Chances
from ml.learning.estimators import Estimator, UnknownEstimator, estimator
from ml.learning.parallel import ClusterUnusable, on_cluster
from ml.learning.samples import Samples
from ml.learning.training import Night, fit_night
from ml.learning.walk_forward import TooLittleHistory
from ml.models import ChampionChange
from ml.registry import acceptance
from stocks.storage.durable_files import replace_file, sha256_of


class Command(BaseCommand):
    """Writes files only; prints the row to store, and the file of new predictions, as one JSON object."""

    help = (
        "Fit the models of one session into MODELS_DIR and print the row to record"
        " (train_models runs this and records it)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--date", required=True, metavar="YYYY-MM-DD", help="last session whose facts may be used")
        parser.add_argument("--estimator", default=settings.ESTIMATOR, help="name of a registered estimator")
        parser.add_argument(
            "--lookback",
            type=int,
            default=settings.TRAINING_LOOKBACK_DAYS,
            help="calendar days to learn from; 0: all history",
        )
        parser.add_argument(
            "--recipe", metavar="RECIPE", help="fit a stored recipe as it was, whatever --estimator and --lookback say"
        )
        parser.add_argument(
            "--with-parent",
            action="store_true",
            help="started by a run, which has checked the session: exit when standard input closes",
        )

    def handle(self, *_: object, **options: Any) -> None:
        if options["with_parent"]:
            threading.Thread(target=_exit_with_parent, name="parent", daemon=True).start()
        if options["lookback"] < 0:
            raise CommandError(f"--lookback {options['lookback']} is not a number of days; pass 0 or more.")
        apply_pending_migrations(self.stderr)
        session = (parse_date if options["with_parent"] else requested_session)(options["date"])
        started = time.monotonic()
        try:
            with on_cluster(settings.DASK_SCHEDULER_ADDRESS):
                data, night = self._night(session, options)
                metrics = _metrics(data, night, figures.cost_rule(pd.Timestamp(session)))
        except (UnknownEstimator, RecipeRetired, TooLittleHistory, ClusterUnusable) as error:
            raise CommandError(str(error)) from error
        card = artifacts.save_bundle(night.bundle, settings.MODELS_DIR, settings.PROVIDER_KIND)
        accepted, reason = acceptance(metrics, is_calibrated=night.bundle.calibration is not None)
        card |= {"metrics": metrics, "status": "accepted" if accepted else "rejected", "reason": reason}
        card |= {"seconds": round(time.monotonic() - started, 1), "predictions": _keep(night, card["path"])}
        self.stdout.write(json.dumps(card, default=str))

    def _night(self, session: date, options: dict[str, Any]) -> tuple[Samples, Night]:
        chosen = (
            _stored(options["recipe"]) if options["recipe"] else estimator(options["estimator"], options["lookback"])
        )
        self._report_progress(3)
        data = datasets.training_samples(session, chosen)
        self._report_progress(15)
        stored = predictions.stored_predictions(chosen.recipe, before=pd.Timestamp(session))
        chances = Chances(settings.TARGET_PROBABILITY, settings.STOP_PROBABILITY)
        return data, fit_night(data, chosen, session, stored, chances, self._report_fits)

    def _report_fits(self, done: int, total: int) -> None:
        self._report_progress(15 + round(75 * done / total))

    def _report_progress(self, percent: int) -> None:
        self.stderr.write(f"{datasets.PROGRESS}{percent}")
        self.stderr.flush()


def _metrics(data: Samples, night: Night, rule: Rule) -> dict[str, Any]:
    """Figures of the recipe's walk-forward predictions, and what they are worth beyond tonight's controls."""
    controls = noise.noise(data, night.bundle.estimator, night.past, rule)
    skill = noise.skill_above_noise(night.past, controls)
    inner = {"r2_in_sample": in_sample_r2(night.bundle, data)}
    return figures.summary(night.past, rule) | {"noise": controls.as_json(), "skill_above_noise": skill} | inner


def _stored(recipe: str) -> Estimator:
    row = ChampionChange.objects.filter(recipe=recipe).first() or models_of(recipe).first()
    if row is None:
        raise CommandError(f"There is no champion and no model of recipe {recipe[:40]!r}.")
    return stored_estimator(row.estimator, recipe, row.parameters)


def _keep(night: Night, folder: str) -> dict[str, str]:
    """Write the new predictions beside the models, for the step that stores them; return the file and its SHA-256."""
    path = settings.MODELS_DIR / folder / datasets.PREDICTIONS_FILE
    with replace_file(path) as temporary:
        night.predictions.to_parquet(temporary)
    return {"path": str(path), "sha256": sha256_of(path)}


def _exit_with_parent() -> None:
    """Block on a pipe that the parent never writes to: the kernel closes it however the parent dies."""
    while os.read(0, 1):  # not sys.stdin: a daemon thread holding its lock aborts the interpreter's shutdown
        pass
    os._exit(1)
