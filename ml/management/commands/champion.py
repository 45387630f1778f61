"""`manage.py champion`: which recipe picks, its challenger and the latest decisions; puts an earlier champion back."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from market_data.runs.pending_migrations import apply_pending_migrations
from market_data.runs.workers import machine_account
from ml.champions import queries, writer
from ml.models import ChampionChange

_DECISIONS = 10


class Command(BaseCommand):
    help = "Print the champion, its challenger and the latest decisions; or put an earlier champion back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        action = parser.add_mutually_exclusive_group()
        action.add_argument("--revert", action="store_true", help="put the earlier champion back")
        action.add_argument("--put", metavar="RECIPE", help="make a recipe champion of which an accepted model exists")
        parser.add_argument("--reason", metavar="TEXT", default="", help="why; needed by --put")
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")

    def handle(self, *_: object, **options: Any) -> None:
        apply_pending_migrations(self.stderr)
        if options["put"] is not None and not options["reason"].strip():
            raise CommandError("--put needs --reason TEXT: it is kept beside the decision.")
        if options["revert"] or options["put"] is not None:
            self._put_back(options["put"] or "", options["reason"].strip())
        elif options["reason"]:
            raise CommandError("--reason belongs to --revert or --put.")
        state = _state()
        self.stdout.write(json.dumps(state, default=str) if options["json"] else _text(state))

    def _put_back(self, recipe: str, reason: str) -> None:
        try:
            plan = writer.put_back_plan(recipe)
            if plan.warning:
                self.stderr.write(plan.warning)
            change = writer.put_back(plan.model.recipe, machine_account(), reason)
        except writer.NotPutBack as error:
            raise CommandError(str(error)) from error
        self.stderr.write(change.reason)


def _state() -> dict[str, Any]:
    champion, challenger = queries.champion(), queries.challenger()
    return {
        "champion": _row(champion) if champion else None,
        "challenger": challenger and challenger.as_json(),
        "decisions": [_row(change) for change in queries.decisions(_DECISIONS)],
    }


def _row(change: ChampionChange) -> dict[str, Any]:
    columns = ("session", "kind", "estimator", "recipe", "champion_recipe", "challenger_recipe", "compared_sessions")
    return {name: getattr(change, name) for name in (*columns, "figures", "reason", "operator", "run_id", "decided_at")}


def _text(state: dict[str, Any]) -> str:
    champion, challenger = state["champion"], state["challenger"]
    if champion is None:
        return "There is no champion yet: the first accepted training makes one (train_models)."
    lines = [f"champion    {champion['estimator']} {champion['recipe']}, since {champion['session']}"]
    if challenger:
        lines.append(f"challenger  {challenger['estimator']} {challenger['recipe']}. {challenger['standing']}")
    else:
        lines.append("challenger  none: the settings want the champion")
    lines.append("decisions")
    for row in state["decisions"]:
        by = f" ({row['operator']})" if row["operator"] else ""
        lines.append(f"  {row['session']}  {row['kind']:<8}  {row['reason']}{by}")
    return "\n".join(lines)
