"""`manage.py rollback_run RUN`: puts the tables back as they were before a run."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from market_data.runs import lifecycle, rollback
from market_data.runs.pending_migrations import apply_pending_migrations
from market_data.runs.saga import SagaError


class Command(BaseCommand):
    """Rolls a run back, unless a later run built on it."""

    help = "Undo a run: remove what it inserted and put back what it changed; refused when a later run built on it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the run's id, `--dry-run` and `--json`."""
        parser.add_argument("run", help="id of the run, or one of its retry_… aliases")
        parser.add_argument("--dry-run", action="store_true", help="say how many rows would change, change none")
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object on standard output and nothing else there"
        )

    def handle(self, *_: object, **options: Any) -> None:
        """Roll back, or only count, and say how many rows changed."""
        apply_pending_migrations(self.stderr)
        dry = options["dry_run"]
        try:
            run = lifecycle.find_run(options["run"])
            undone = rollback.planned_rollback(run.id) if dry else rollback.roll_back(run.id, triggered_by="command")
        except SagaError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"run": run.id, "dry_run": dry, "tables": undone}))
            return
        self.stdout.write(f"{run.id} {'would be' if dry else 'was'} rolled back:")
        for table, (removed, restored) in undone.items():
            self.stdout.write(f"  {table:<24} {removed:>10,} rows removed {restored:>10,} rows restored")
        if dry:
            self.stdout.write("Dry run: nothing was changed.")
