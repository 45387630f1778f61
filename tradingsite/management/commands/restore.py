"""`manage.py restore FILE`: brings a back-up into the database in use, or rehearses that."""

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from brokers.credentials import SecretUnreadable
from brokers.models import BrokerConfiguration
from tradingsite.backup import configuration, model_files, restoration, targets
from tradingsite.backup.archive import ArchiveReader, BackupError
from tradingsite.backup.restoration import Restored


class Command(BaseCommand):
    """Restores a back-up and compares every row before it counts."""

    help = (
        "Restore a back-up into the database in use, which must be empty (--replace: which is put aside under another"
        " name). --verify restores into a scratch database on the same server, compares, and drops it."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file, `--verify`, `--replace` and `--json`."""
        parser.add_argument("file", type=Path, help="the back-up")
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--verify", action="store_true", help="rehearse in a scratch database; change nothing")
        mode.add_argument("--replace", action="store_true", help="put a filled database aside and take its place")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else there")

    def handle(self, *_: object, **options: Any) -> None:
        """Check the file, restore, compare, and say what is left to do.

        Raises
        ------
        CommandError
            With the sentence of what is wrong; the database in use is as it was then.
        """
        started = time.monotonic()
        notes: list[str] = []
        try:
            reader = ArchiveReader(options["file"])
            restoration.check_readable(reader, connection)
            self.stderr.write(f"Reading {reader.path} (made {reader.manifest['made_at']}) …")
            for _done in reader.check():
                pass
            if options["verify"]:
                done = self._rehearsed(reader)
            else:
                done, notes = self._restored(reader, replace=options["replace"])
        except BackupError as error:
            raise CommandError(str(error)) from error
        said = {
            "file": str(options["file"]),
            "made_at": reader.manifest["made_at"],
            "tables": done.tables,
            "rows": done.rows,
            "seconds": round(time.monotonic() - started, 1),
            "equal": True,
            "notes": notes,
        }
        self.stdout.write(json.dumps(said) if options["json"] else _text(said, verify=options["verify"]))

    def _rehearsed(self, reader: ArchiveReader) -> Restored:
        with targets.scratch(connection) as made:
            return restoration.restore(reader, made, self.stderr.write)

    def _restored(self, reader: ArchiveReader, *, replace: bool) -> tuple[Restored, list[str]]:
        market = reader.manifest["market"]
        if market != settings.PROVIDER_KIND:
            raise BackupError(
                f"{reader.path} holds a {market} market, and MARKET_DATA_PROVIDER={settings.MARKET_DATA_PROVIDER} is"
                f" {settings.PROVIDER_KIND}: set the provider to one of that kind, then restore."
            )
        filled = restoration.filled_tables(connection)
        if filled and not replace:
            raise BackupError(
                f"The database {connection.settings_dict['NAME']} is not empty ({', '.join(filled[:5])} …). Restore"
                " into an empty one, or add --replace: the present one then stays under another name."
            )
        notes = []
        if filled:
            with targets.scratch(connection) as made:
                done = restoration.restore(reader, made, self.stderr.write)
                models = model_files.restore(reader, settings.MODELS_DIR)
                before = targets.put_in_place(made, connection, timezone.localtime())
            notes.append(f"The database before stays as {before}; drop it with: psql -c 'DROP DATABASE \"{before}\"'")
        else:
            models = model_files.restore(reader, settings.MODELS_DIR)
            done = restoration.restore(reader, connection, self.stderr.write)
        notes.append(f"{models} models are in {settings.MODELS_DIR}.")
        return done, [*notes, *_left_to_do(reader)]


def _left_to_do(reader: ArchiveReader) -> list[str]:
    notes = [*configuration.changes(reader)]
    notes += [f"The file of a model was missing already: {path}." for path in reader.manifest["missing_models"]]
    unreadable = 0
    for key in BrokerConfiguration.objects.values_list("pk", flat=True):
        try:
            BrokerConfiguration.objects.get(pk=key)
        except SecretUnreadable:
            unreadable += 1
    if unreadable:
        notes.append(
            f"The secrets of {unreadable} broker accounts cannot be read: put the CREDENTIAL_KEYS (or, where it was not"
            " set, the SECRET_KEY) of the system that was backed up into the environment, or enter them anew."
        )
    return notes


def _text(said: dict[str, Any], *, verify: bool) -> str:
    done = "can be restored" if verify else "was restored"
    head = f"{said['file']} {done}: {said['rows']:,} rows of {said['tables']} tables, all equal ({said['seconds']} s)."
    return "\n".join([head, *said["notes"]])
