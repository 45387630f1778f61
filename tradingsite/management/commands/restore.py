"""`manage.py restore FILE`: restore a back-up into the database in use, or verify that it can be restored."""

import hashlib
import json
import sys
import time
from argparse import ArgumentParser
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from brokers.accounts import unreadable_secrets
from brokers.models import BrokerConfiguration
from tradingsite.backup import configuration, databases, model_files, restoration
from tradingsite.backup.archive import ArchiveReader, BackupError
from tradingsite.backup.restoration import RestoredCounts
from tradingsite.backup.signature import Origin


class Command(BaseCommand):
    help = (
        "Restore a back-up into the database in use, which must be empty; --replace renames a database that is not"
        " empty. --verify restores into a scratch database on the same server, compares every row, and drops it."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the back-up")
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--verify", action="store_true", help="restore into a scratch database only; change nothing")
        mode.add_argument("--replace", action="store_true", help="rename the database in use and take its place")
        parser.add_argument(
            "--unsigned",
            action="store_true",
            help="accept a back-up that none of CREDENTIAL_KEYS signed, once its name has been typed",
        )
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object on standard output and nothing else"
        )

    def handle(self, *_: object, **options: Any) -> None:
        """Check the file, restore it, compare, and print what is left to do.

        Raises
        ------
        CommandError
            When the back-up cannot be restored; the database in use is then unchanged.
        """
        started = time.monotonic()
        notes: list[str] = []
        try:
            reader = ArchiveReader(options["file"])
            if reader.origin is not Origin.OURS:
                self._confirm_foreign(reader, allowed=options["unsigned"])
            restoration.check_compatible(reader, connection)
            self.stderr.write(f"Reading {reader.path} (written {reader.manifest['made_at']}) …")
            for _done in reader.check():
                pass
            if options["verify"]:
                restored = self._verify(reader)
            else:
                restored, notes = self._restore(reader, replace=options["replace"])
        except BackupError as error:
            raise CommandError(str(error)) from error
        report = {
            "file": str(options["file"]),
            "made_at": reader.manifest["made_at"],
            "tables": restored.tables,
            "rows": restored.rows,
            "seconds": round(time.monotonic() - started, 1),
            "equal": True,
            "notes": notes,
        }
        self.stdout.write(json.dumps(report) if options["json"] else _text(report, verify=options["verify"]))

    def _confirm_foreign(self, reader: ArchiveReader, *, allowed: bool) -> None:
        """Raise BackupError unless --unsigned is given and the name of a back-up that is not ours is typed."""
        path = reader.path
        if not allowed:
            raise BackupError(
                f"{path} is {reader.origin.value}: anybody may have written it, and whoever did decides who can log in"
                " and what the data are. If another system of yours wrote it, put its CREDENTIAL_KEYS (or, where it was"
                " not set, its SECRET_KEY) into the environment. Otherwise compare the file with the original, and"
                " restore it with --unsigned."
            )
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self.stderr.write(
            f"{path} is {reader.origin.value}. Its SHA-256 is {digest}: compare it with `sha256sum` of the original."
            f"\nType its name ({path.name}) to restore it:"
        )
        if sys.stdin.readline().strip() != path.name:
            raise BackupError(f"The name {path.name} was not typed. Nothing was changed.")

    def _verify(self, reader: ArchiveReader) -> RestoredCounts:
        with databases.scratch_database(connection) as scratch:
            return restoration.restore_backup(reader, scratch, self.stderr.write)

    def _restore(self, reader: ArchiveReader, *, replace: bool) -> tuple[RestoredCounts, list[str]]:
        market = reader.manifest["market"]
        if market != settings.PROVIDER_KIND:
            raise BackupError(
                f"{reader.path} holds a {market} market, and MARKET_DATA_PROVIDER={settings.MARKET_DATA_PROVIDER} is"
                f" {settings.PROVIDER_KIND}: set the provider to one of that kind, then restore."
            )
        filled = restoration.nonempty_tables(connection)
        if filled and not replace:
            raise BackupError(
                f"The database {connection.settings_dict['NAME']} is not empty ({', '.join(filled[:5])} …). Restore"
                " into an empty one, or add --replace: the database in use is then kept under another name."
            )
        notes = []
        with model_files.staged_model_files(reader, settings.MODELS_DIR) as put_models_in_place:
            if filled:
                with databases.scratch_database(connection) as scratch:
                    restored = restoration.restore_backup(reader, scratch, self.stderr.write)
                    before = databases.take_over(scratch, connection, timezone.localtime())
                notes.append(
                    f"The previous database is kept as {before}; drop it with: psql -c 'DROP DATABASE \"{before}\"'"
                )
            else:
                restored = restoration.restore_backup(reader, connection, self.stderr.write)
            notes.append(f"{put_models_in_place()} models are in {settings.MODELS_DIR}.")
        call_command("sync_schedules", stdout=StringIO())
        return restored, [*notes, *_follow_ups(reader)]


def _follow_ups(reader: ArchiveReader) -> list[str]:
    notes = [*configuration.changed_settings(reader)]
    notes += [
        f"The back-up was written without a model file that was missing: {path}."
        for path in reader.manifest["missing_models"]
    ]
    unreadable = sum(
        bool(unreadable_secrets(account)) for account in BrokerConfiguration.objects.select_related("user")
    )
    if unreadable:
        notes.append(
            f"The secrets of {unreadable} broker accounts cannot be read: put the CREDENTIAL_KEYS (or, where it was not"
            " set, the SECRET_KEY) of the backed-up system into the environment, or enter the secrets again."
        )
    return notes


def _text(report: dict[str, Any], *, verify: bool) -> str:
    outcome = "can be restored" if verify else "was restored"
    counts = f"{report['rows']:,} rows of {report['tables']} tables, all equal ({report['seconds']} s)"
    return "\n".join([f"{report['file']} {outcome}: {counts}.", *report["notes"]])
