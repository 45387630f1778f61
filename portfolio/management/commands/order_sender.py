"""`manage.py order_sender [--account A] [--once]`: sends the orders that are queued.

Without an account it watches over all of them and has a process for each with work; it is started by `./run.sh dev`
and by the containers.
"""

import os
import signal
import threading
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from brokers.protocol import IST, BrokerError
from market_data.tasks import record_heartbeat
from portfolio.accounts.names import UnknownAccount, account_named
from portfolio.models import TradingAccount
from portfolio.sending.dispatch import Dispatcher
from portfolio.sending.lock import AnotherSender, LockLost
from portfolio.sending.service import accounts_with_work, serve


class Command(BaseCommand):
    help = "Send the orders that are queued, take their states and fills from the brokers' books, and reconcile."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", metavar="A", help="number or name: be the sender of this account alone")
        parser.add_argument("--once", action="store_true", help="one turn of each account with work, then end")
        # Ends with the process that started it, also when that is killed.
        parser.add_argument("--watched", action="store_true", help=SUPPRESS)

    def handle(self, *_: object, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        wait = _waiting(stop, watched=options["watched"])
        if options["account"]:
            _serve(_account(options["account"]), wait, once=options["once"])
        elif options["once"]:
            for account in accounts_with_work(_now()):
                _serve(account, wait, once=True)
        else:
            Dispatcher(_now, wait, record_heartbeat).run()


def _serve(account: TradingAccount, wait: Callable[[float], bool], *, once: bool) -> None:
    try:
        serve(account, _now, wait, once=once)
    except (AnotherSender, LockLost) as error:
        raise CommandError(str(error)) from error
    except BrokerError as error:
        raise CommandError(f"Account {account.pk} cannot be served: {error}") from error


def _waiting(stop: threading.Event, *, watched: bool) -> Callable[[float], bool]:
    """Wait so many seconds; whether to stop: by a signal, or because the process that watches has ended."""
    watcher = os.getppid()

    def wait(seconds: float) -> bool:
        return stop.wait(seconds) or (watched and os.getppid() != watcher)

    return wait


def _now() -> datetime:
    return timezone.now().astimezone(IST)


def _account(wanted: str) -> TradingAccount:
    try:
        return account_named(wanted)
    except UnknownAccount as error:
        raise CommandError(str(error)) from error
