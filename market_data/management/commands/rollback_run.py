"""`manage.py rollback_run RUN`: restores the tables to what they were before a run."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from market_data.runs import lifecycle, rollback
from market_data.runs.pending_migrations import apply_pending_migrations
from market_data.runs.saga import SagaError


class Command(BaseCommand):
    help = (
        "Roll a run back: remove the rows it inserted, restore those it changed or deleted; refused when a later run"
        " built on it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", help="id of the run, or one of its retry_… aliases")
        parser.add_argument("--dry-run", action="store_true", help="count the rows that would change, change none")
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object on standard output and nothing else there"
        )

    def handle(self, *_: object, **options: Any) -> None:
        apply_pending_migrations(self.stderr)
        dry = options["dry_run"]
        try:
            run = lifecycle.find_run(options["run"])
            tables = rollback.planned_rollback(run.id) if dry else rollback.roll_back(run.id, triggered_by="command")
        except SagaError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"run": run.id, "dry_run": dry, "tables": tables}))
            return
        self.stdout.write(f"{run.id} {'would be' if dry else 'was'} rolled back:")
        for table, (removed, restored) in tables.items():
            self.stdout.write(f"  {table:<24} {removed:>10,} rows removed {restored:>10,} rows restored")
        if dry:
            self.stdout.write("Dry run: nothing was changed.")
