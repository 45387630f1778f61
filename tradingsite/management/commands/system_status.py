"""`manage.py system_status`: the state of data, jobs, clusters, models and picks on one screen."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from market_data.runs.pending_migrations import apply_pending_migrations
from tradingsite.monitoring.readiness import readiness
from tradingsite.monitoring.status import system_status
from tradingsite.monitoring.status_screen import print_screen
from tradingsite.operations.home import current_verdict


class Command(BaseCommand):
    help = "Show the state of data, jobs, clusters, models and picks on one screen."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: object, **options: Any) -> None:
        apply_pending_migrations(self.stderr)
        now = timezone.now()
        status = system_status(now) | {"parts": readiness(now), "verdict": asdict(current_verdict(now))}
        if options["json"]:
            self.stdout.write(json.dumps(status, default=str))
        else:
            print_screen(status, self.stdout)
