"""`manage.py kill_switch on|off --reason TEXT`: stops all orders, or lets them go again."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from market_data.runs.workers import machine_account
from portfolio.orders.kill_switch import NotSwitched, SwitchState, kill_switch, switch


class Command(BaseCommand):
    help = "Switch all orders off: while it is on no order is sent. Without on or off, say how it is."
    requires_system_checks = ()  # nothing else need be in order

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("to", nargs="?", choices=("on", "off"), help="on: no order is sent from now on")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why; it is kept")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: object, **options: Any) -> None:
        try:
            if options["to"]:
                switch(on=options["to"] == "on", operator=machine_account(), reason=options["reason"])
            elif options["reason"]:
                raise CommandError("--reason belongs to on or off; say which.")
            state = kill_switch()
        except NotSwitched as refusal:
            raise CommandError(str(refusal)) from refusal
        except DatabaseError as error:
            raise CommandError(
                "The database does not answer. To stop all orders without it, make the file"
                f" {settings.KILL_SWITCH_FILE}."
            ) from error
        self.stdout.write(json.dumps(state.as_json()) if options["json"] else _text(state))


def _text(state: SwitchState) -> str:
    return f"The kill switch is on: {state.stopped_by}." if state.is_on else "The kill switch is off."
