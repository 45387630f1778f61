"""`manage.py rotate_credential_keys`: seals all brokers' secrets by the first of CREDENTIAL_KEYS."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from brokers.rotation import first_key_id, rotate


class Command(BaseCommand):
    help = "Seal all brokers' secrets by the first of CREDENTIAL_KEYS, so that the others can be taken out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count only, store nothing")
        parser.add_argument("--json", action="store_true")

    def handle(self, *_: object, dry_run: bool, **options: Any) -> None:
        counted, key = rotate(dry_run=dry_run), first_key_id()
        if options["json"]:
            self.stdout.write(json.dumps({"key_id": key, "dry_run": dry_run, **counted._asdict()}))
        else:
            would_be = "would be" if dry_run else "were"
            self.stdout.write(
                f"{counted.resealed:,} accounts {would_be} sealed anew by key {key}; {counted.current:,} were so"
                f" before, {counted.unreadable:,} cannot be opened, {counted.empty:,} have no secrets."
            )
        if counted.unreadable:
            raise CommandError(
                f"{counted.unreadable:,} accounts have a secret that does not open; Broker configurations in the admin"
                " say which and why. Keep every key of CREDENTIAL_KEYS until that is settled."
            )
