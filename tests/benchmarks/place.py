"""Where benchmarks run: servers of their own in a temporary directory, and databases made from one migrated template.

Everything is gone afterwards; nothing of the checkout's own data is touched.
"""

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connection

from tests.benchmarks.measuring import peak_memory
from tradingsite.audit.origin import declare_service
from tradingsite.embedded.files import remove_directory
from tradingsite.embedded.servers import EmbeddedServers

ROOT = Path(__file__).parent.parent.parent
_PREFIX = "nse-bench-"
_TEMPLATE = "bench_template"


@dataclass
class Place:
    """The servers of one run of benchmarks.

    Attributes
    ----------
    directory
        Everything the benchmarks write.
    servers
        PostgreSQL and Valkey, durable as in development.
    say
        Shows a line of progress.
    peaks
        Largest memory of the commands run so far, bytes, by name.
    """

    directory: Path
    servers: EmbeddedServers
    say: Callable[[str], None]
    peaks: dict[str, int] = field(default_factory=dict)

    def use(self, database: str) -> None:
        """Let this process and those it starts work in a database; it is made, migrated and empty, when it is new."""
        connection.close()
        connection.settings_dict["NAME"] = "postgres"
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
            if cursor.fetchone() is None:
                cursor.execute(f'CREATE DATABASE "{database}" TEMPLATE "{_TEMPLATE}"')
        connection.close()
        connection.settings_dict["NAME"] = database
        os.environ["DATABASE_URL"] = self.servers.postgres.url(database)

    def manage(self, name: str, *arguments: str) -> str:
        """Run a command of the product to its end, keep its peak of memory under a name, return what it printed."""
        self.say(f"{name}: manage.py {' '.join(arguments)}")
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        self.peaks[name], output = peak_memory(command, dict(os.environ))
        return output


@contextmanager
def place(market_environment: dict[str, str], say: Callable[[str], None]) -> Iterator[Place]:
    """Start servers, let Django read its settings, make the template; stop and remove all at the end.

    Parameters
    ----------
    market_environment
        Variables that say which market it is.
    say
        Shows a line of progress.
    """
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        with EmbeddedServers(directory) as servers:
            _isolate(directory, market_environment)
            os.environ["DATABASE_URL"] = servers.postgres.url(_TEMPLATE)
            os.environ["REDIS_URL"] = f"{servers.valkey.url}?db=0"
            os.environ["DJANGO_SETTINGS_MODULE"] = "tradingsite.settings"
            declare_service()
            django.setup()
            call_command("migrate", interactive=False, verbosity=0)
            try:
                yield Place(directory, servers, say)
            finally:
                connection.close()
    finally:
        remove_directory(directory)


def _isolate(directory: Path, market_environment: dict[str, str]) -> None:
    """Forget the variables of this shell and of `.env`, so that everybody measures the defaults; write elsewhere."""
    names: Sequence[str] = re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    for name in names:
        os.environ.pop(name, None)
    folders = {"VAR_DIR": "var", "EXPORT_DIR": "exports", "LOG_FILE": "logs/app.log"}
    os.environ |= {name: str(directory / folder) for name, folder in folders.items()}
    os.environ |= {"IGNORE_DOTENV": "1", "LOG_LEVEL": "WARNING", **market_environment}
