"""`manage.py broker_connect`: log a person's account in at its broker, from a terminal."""

import json
import sys
from argparse import ArgumentParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from brokers import log_in
from brokers.connections import foreign_roots
from brokers.models import BrokerConfiguration
from brokers.protocol import IST
from brokers.registry import WITH_LOG_IN
from brokers.sealing import SecretUnreadable


class Command(BaseCommand):
    help = "Log an account in: print the address of the broker's page, then take the address that it comes back with."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("broker", choices=WITH_LOG_IN)
        parser.add_argument("--user", required=True, metavar="NAME", help="whose account")
        parser.add_argument(
            "--redirected-to",
            metavar="ADDRESS",
            help="where the broker's page redirected to, in quotes; only its query is read. -: from standard input",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    @sensitive_variables()
    def handle(self, *_: object, **options: Any) -> None:
        try:
            account = _account(options["broker"], options["user"])
            report = (
                _begin(account) if options["redirected_to"] is None else _complete(account, options["redirected_to"])
            )
        except (log_in.LogInRefused, SecretUnreadable) as error:
            raise CommandError(str(error)) from None
        for name, root in foreign_roots().items():
            self.stderr.write(f"{name} is {root}, which is not the vendor's: its calls go to this machine.")
        if options["json"]:
            self.stdout.write(json.dumps(report))
        else:
            self.stdout.writelines(f"{name}: {value}\n" for name, value in report.items())


def _account(broker: str, username: str) -> BrokerConfiguration:
    account = BrokerConfiguration.objects.filter(broker=broker, user__username=username).select_related("user").first()
    if account is None:
        raise log_in.LogInRefused(
            f"{username} has no account at {broker}:"
            f" enter it by `manage broker_account set {broker} --user {username}`."
        )
    return account


def _begin(account: BrokerConfiguration) -> dict[str, Any]:
    begun = log_in.begin(account, log_in.COMMAND, log_in.site_address())
    return {"login_url": begun.login_url, "expires_at": begun.expires_at.astimezone(IST).isoformat(timespec="seconds")}


@sensitive_variables()
def _complete(account: BrokerConfiguration, address: str) -> dict[str, Any]:
    address = sys.stdin.read() if address == "-" else address
    try:
        query = parse_qs(urlsplit(address.strip()).query, max_num_fields=50)
    except ValueError:
        raise log_in.LogInRefused("This is no address with a query: nothing was sent. Connect again.") from None
    connected = log_in.complete(query, account.user, log_in.COMMAND, timezone.now, account.broker)
    return {
        "connected": True,
        "client_id": connected.client_id,
        "token_expires_at": connected.token_expires_at.astimezone(IST).isoformat(timespec="seconds"),
    }
