"""`manage.py pick_history`: fill the history of the lists' places."""

import json
import time
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count, Max, Min

from market_data.runs.command import parse_date
from market_data.runs.pending_migrations import apply_pending_migrations
from ml.evaluation.stored_report import subject
from ml.learning.estimators import UnknownEstimator
from ml.models import PickPlace
from ml.pick_history import filling, queries
from ml.predictions import predicted_span
from stocks.picks import screening
from stocks.picks.filters import FiltersInvalid

_SECONDS_BETWEEN_LINES = 10


class Command(BaseCommand):
    help = (
        "Store the place that each share would have had in a list on every session that has predictions, and those of"
        " published lists; what is stored is not computed again, and an interrupted fill goes on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--strategy", default="all", help=f"one of {', '.join(screening.STRATEGIES)}, or all (default)"
        )
        parser.add_argument("--from", metavar="YYYY-MM-DD", help="first session (default: the first predicted one)")
        parser.add_argument("--to", metavar="YYYY-MM-DD", help="last session (default: the last predicted one)")
        parser.add_argument("--recipe", help="recipe of the predictions (default: the champion's)")
        parser.add_argument("--afresh", action="store_true", help="compute what is stored, too")
        parser.add_argument(
            "--json", action="store_true", help="one JSON object on standard output, nothing else there"
        )

    def handle(self, *_: object, **options: Any) -> None:
        apply_pending_migrations(self.stderr)
        strategies, recipe = _strategies(options["strategy"]), options["recipe"] or _recipe_in_use()
        first, last = _span(options["from"], options["to"], recipe)
        started, self._next_line = time.monotonic(), 0.0
        try:
            filled = filling.fill(strategies, recipe, first, last, self._report, afresh=options["afresh"])
        except FiltersInvalid as error:
            raise CommandError(str(error)) from error
        result = {
            "recipe": recipe,
            "from": first.isoformat(),
            "to": last.isoformat(),
            **filled._asdict(),
            "seconds": round(time.monotonic() - started, 1),
            "lists": {name: _figures(name, recipe, first, last) for name in strategies},
        }
        if options["json"]:
            self.stdout.write(json.dumps(result))
            return
        self._print(result)

    def _report(self, done: int, total: int) -> None:
        if done == total or time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
            self.stderr.write(f"{done} of {total} sessions")

    def _print(self, result: dict[str, Any]) -> None:
        for name, row in result["lists"].items():
            since = f"since {row['since']}" if row["since"] else "none"
            self.stdout.write(
                f"{name:10} {row['rows']:>8,} places on {row['sessions']} sessions, {since};"
                f" {row['without']} sessions without"
            )
        self.stdout.write(
            f"{result['sessions']} sessions computed, {result['publications']} published lists added,"
            f" {result['rows']:,} rows written, {result['removed']:,} removed, {result['seconds']} s"
        )


def _strategies(name: str) -> list[str]:
    if name == "all":
        return list(screening.STRATEGIES)
    if name not in screening.STRATEGIES:
        raise CommandError(f"There is no strategy {name!r}; choose from {', '.join(screening.STRATEGIES)}, or all.")
    return [name]


def _recipe_in_use() -> str:
    """The champion's; before the first one that of the estimator in use."""
    try:
        return subject().recipe
    except UnknownEstimator as error:
        raise CommandError(str(error)) from error


def _span(first: str | None, last: str | None, recipe: str) -> tuple[date, date]:
    """The span within the sessions that have predictions; raises CommandError where there are none in it."""
    predicted = predicted_span(recipe)
    if predicted is None:
        raise CommandError(f"There are no predictions of the recipe {recipe}; train_models makes them.")
    start = parse_date(first) if first else predicted[0]
    end = parse_date(last) if last else predicted[1]
    if start > end:
        raise CommandError(f"--from {start} is after --to {end}.")
    if start > predicted[1] or end < predicted[0]:
        raise CommandError(
            f"No session from {start} to {end} has predictions of the recipe {recipe}: they reach from"
            f" {predicted[0]} to {predicted[1]}."
        )
    return start, end


def _figures(strategy: str, recipe: str, first: date, last: date) -> dict[str, Any]:
    rows = PickPlace.objects.filter(
        strategy=strategy, recipe=recipe, source=PickPlace.Source.WALK_FORWARD, session__range=(first, last)
    ).aggregate(rows=Count("pk"), sessions=Count("session", distinct=True), since=Min("session"), until=Max("session"))
    for name in ("since", "until"):
        rows[name] = rows[name].isoformat() if rows[name] else None
    return rows | {"without": len(queries.sessions_without_places(strategy, recipe, first, last))}
