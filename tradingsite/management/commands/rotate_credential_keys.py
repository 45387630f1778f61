"""`manage.py rotate_credential_keys`: seals brokers' and second factors' secrets by the first of CREDENTIAL_KEYS."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from brokers.rotation import first_key_id, rotate
from portfolio.identity import second_factor


class Command(BaseCommand):
    help = "Seal the secrets of brokers and second factors by the first of CREDENTIAL_KEYS; the others can go then."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count only, store nothing")
        parser.add_argument("--json", action="store_true")

    def handle(self, *_: object, dry_run: bool, **options: Any) -> None:
        counted, key = rotate(dry_run=dry_run), first_key_id()
        factors, closed = second_factor.reseal(dry_run=dry_run)
        if options["json"]:
            self.stdout.write(
                json.dumps({"key_id": key, "dry_run": dry_run, **counted._asdict()} | {"second_factors": factors})
            )
        else:
            would_be = "would be" if dry_run else "were"
            self.stdout.write(
                f"{counted.resealed:,} accounts {would_be} sealed anew by key {key}; {counted.current:,} were so"
                f" before, {counted.unreadable:,} cannot be opened, {counted.empty:,} have no secrets. Of second"
                f" factors {factors:,} {would_be} sealed anew, {closed:,} cannot be opened."
            )
        if counted.unreadable:
            raise CommandError(
                f"{counted.unreadable:,} accounts have a secret that does not open; Broker configurations in the admin"
                " say which and why. Keep every key of CREDENTIAL_KEYS until that is settled."
            )
        if closed:
            raise CommandError(
                f"{closed:,} second factors have a secret that does not open. Put back the key that sealed them, or"
                " have them set up anew: second_factor reset USER."
            )
