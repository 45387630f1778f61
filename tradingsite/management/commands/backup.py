"""`manage.py backup [--to DIR]`: writes a back-up of database, models and settings."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from market_data.runs.command import JobCommand


class Command(JobCommand):
    """Writes a back-up as a run of the job `backup`."""

    help = (
        "Write a back-up (database, models, settings without secrets) into BACKUP_DIR, where the last BACKUPS_KEPT"
        " stay, or into another folder, where all stay."
    )
    job = "backup"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--to` to what every job's command takes."""
        super().add_arguments(parser)
        parser.add_argument("--to", type=Path, help="folder to write into (default: BACKUP_DIR)")

    def run_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Keep the folder, absolute: whoever goes on with the run may stand elsewhere."""
        if options["to"] is None and settings.BACKUPS_KEPT == 0:
            raise CommandError("Back-ups are switched off (BACKUPS_KEPT=0): set it, or name a folder with --to.")
        return {"to": str(options["to"].resolve())} if options["to"] else {}
