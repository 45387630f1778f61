"""`./run.sh psql`: a prompt on the database in use; Django's `dbshell` cannot find psql of the embedded server."""

import os
import shutil
import signal
import subprocess
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from tradingsite.embedded.files import EmbeddedServerError, program_directory
from tradingsite.embedded.servers import VAR_DIR

_VARIABLES = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}


class Command(BaseCommand):
    help = "Open a psql prompt on the database in use; arguments after -- go to psql."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("arguments", nargs="*", help="arguments for psql")

    def handle(self, *_: object, **options: Any) -> None:
        """Run psql and exit with its code."""
        parameters = connection.get_connection_params()
        # In the environment, not among the arguments, where every account of the machine could read the password.
        address = {name: str(parameters[key]) for key, name in _VARIABLES.items() if parameters.get(key)}
        address["PGOPTIONS"] = settings.AUDIT_SESSION_OPTIONS
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends a query, not the prompt
        command = [_psql(), *options["arguments"]]
        code = subprocess.run(command, env=os.environ | address, restore_signals=True, check=False).returncode
        if code:
            raise SystemExit(code)


def _psql() -> str:
    """The system's psql, otherwise that of the embedded PostgreSQL."""
    if installed := shutil.which("psql"):
        return installed
    try:
        return str(program_directory(VAR_DIR / "postgres") / "psql")
    except EmbeddedServerError as error:
        raise CommandError("psql is not installed (on Debian and Ubuntu: postgresql-client).") from error
