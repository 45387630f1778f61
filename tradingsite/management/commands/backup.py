"""`manage.py backup [--to DIR]`: back up database, models and settings."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from market_data.runs.command import JobCommand


class Command(JobCommand):
    help = (
        "Write a back-up (database, models, settings without secrets) into BACKUP_DIR, which keeps the last"
        " BACKUPS_KEPT, or into another folder, which keeps all."
    )
    job = "backup"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--to", type=Path, help="folder to write into (default: BACKUP_DIR)")

    def run_options(self, options: dict[str, Any]) -> dict[str, Any]:
        # Absolute: the process that continues the run may have another working directory.
        if options["to"] is None and settings.BACKUPS_KEPT == 0:
            raise CommandError("Back-ups are disabled (BACKUPS_KEPT=0): set it, or name a folder with --to.")
        return {"to": str(options["to"].resolve())} if options["to"] else {}
