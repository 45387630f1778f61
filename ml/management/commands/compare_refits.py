"""`manage.py compare_refits`: what a walk-forward loses by refitting less often than the night does."""

import json
from argparse import ArgumentParser
from typing import Any

import pandas as pd
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market_data.runs.command import parse_date, requested_session
from market_data.runs.pending_migrations import apply_pending_migrations
from ml import datasets
from ml.evaluation import figures
from ml.evaluation.numbers import interval, number
from ml.evaluation.refits import refits_compared
from ml.evaluation.report import PredictionStore, Span, span_of_tests
from ml.learning.estimators import UnknownEstimator, estimator
from ml.learning.walk_forward import TooLittleHistory


class Command(BaseCommand):
    help = (
        "Predict the sessions of a span by models refitted every night and by those of a walk-forward, and compare."
        " A quarter takes about half an hour; what was computed is reused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="first", required=True, metavar="YYYY-MM-DD", help="first session")
        parser.add_argument("--to", dest="last", required=True, metavar="YYYY-MM-DD", help="last session")
        parser.add_argument("--date", metavar="YYYY-MM-DD", help="last session of the data (default: the latest)")
        parser.add_argument("--estimator", default=settings.ESTIMATOR, help="name of a registered estimator")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *_: object, **options: Any) -> None:
        apply_pending_migrations(self.stderr)
        session = requested_session(options["date"])
        first, last = parse_date(options["first"]), parse_date(options["last"])
        if first > last:
            raise CommandError(f"--from {first} is after --to {last}.")
        try:
            chosen = estimator(options["estimator"], settings.TRAINING_LOOKBACK_DAYS)
            data = datasets.training_samples(session, chosen)
            span = span_of_tests(data, pd.Timestamp(first))
        except (UnknownEstimator, TooLittleHistory) as error:
            raise CommandError(str(error)) from error
        end = min(span.last, int(data.sessions.searchsorted(pd.Timestamp(last), side="right")) - 1)
        if end < span.first:
            raise CommandError(
                f"No session from {first} to {last} can be tested; the first is {data.sessions[span.first].date()}."
            )
        content = refits_compared(
            data,
            chosen,
            Span(span.first, end),
            figures.cost_rule(pd.Timestamp(session)),
            PredictionStore(settings.VAR_DIR / "folds"),
            self.stderr.write,
        )
        self.stdout.write(json.dumps(content) if options["json"] else _text(content))


def _text(content: dict[str, Any]) -> str:
    money, ranks = content["paired"]["net_excess_pct"], content["paired"]["rank_ic"]
    lines = [f"{content['first']} … {content['last']}, {content['sessions']} sessions"]
    for name in ("nightly", "folds"):
        row = content[name]
        lines.append(
            f"{name:8} rank IC {row['rank_ic']['mean']:.4f}, net {row['net_excess_pct']['mean']:.1f} % a year over the"
            " equal-weight market"
        )
    lines.append(
        f"nightly less folds: rank IC {_with_interval(ranks, 4)}, net {_with_interval(money, 1)} % a year;"
        f" scores agree by a rank correlation of {content['rank_correlation']:.3f}"
    )
    return "\n".join(lines)


def _with_interval(figure: dict[str, Any], digits: int) -> str:
    mean = number(figure["mean"], digits, signed=True)
    return mean if figure["low_90"] is None else f"{mean} {interval(figure, digits, signed=True)}"
