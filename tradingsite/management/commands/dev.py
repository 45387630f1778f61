"""`./run.sh dev`: the whole system on one machine, from an empty folder to published picks."""

import io
import secrets
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from stocks.models import Publication
from tradingsite import env
from tradingsite.dev.single_start import AlreadySupervisedError, single_instance
from tradingsite.dev.supervisor import Service, Supervisor
from tradingsite.embedded.servers import VAR_DIR, EmbeddedServers
from tradingsite.fyers_keys import take_fyers_keys


class Command(BaseCommand):
    help = (
        "Run the whole system for development and small installations: embedded servers, web, clusters and the first"
        " nightly run; Ctrl-C stops all of it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-first-run", action="store_true", help="do not fill an empty database")

    def handle(self, *_args: Any, **options: Any) -> None:
        address = f"http://localhost:{settings.PORT}"
        # Until the supervisor takes over: leave through the context managers, which stop the servers.
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))
        try:
            with single_instance(VAR_DIR, address):
                _require_free_port(settings.PORT)
                postgres = not (env.text("DATABASE_URL") or env.text("POSTGRES_HOST"))
                valkey = not (env.text("REDIS_URL") or env.text("REDIS_HOST"))
                with EmbeddedServers(VAR_DIR, with_postgres=postgres, with_valkey=valkey) as servers:
                    self._prepare()
                    services = _services(first_run=not options["no_first_run"] and not Publication.objects.exists())
                    self._print(f"serving {address} (admin: {address}/admin/)")
                    sources = [path for path in settings.BASE_DIR.iterdir() if (path / "__init__.py").exists()]
                    sources += [path for name in ("templates", "config") if (path := settings.BASE_DIR / name).exists()]
                    Supervisor(services, servers, self._print, sources).run()
        except AlreadySupervisedError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("interrupted while starting") from None
        self._print("stopped")

    def _prepare(self) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        users = get_user_model().objects
        if not users.filter(is_superuser=True).exists():
            password = secrets.token_urlsafe(12)
            users.create_superuser("admin", password=password)
            self._print(f"created the user admin with the password {password} (shown only once)")
        if "sync_schedules" in get_commands():
            call_command("sync_schedules", stdout=io.StringIO())
        if warning := take_fyers_keys():
            self._print(warning)

    def _print(self, line: str) -> None:
        self.stdout.write(f"[{timezone.localtime():%H:%M:%S}] {line}")
        self.stdout.flush()


def _services(*, first_run: bool) -> list[Service]:
    python, manage = sys.executable, str(settings.BASE_DIR / "manage.py")
    gunicorn = (python, "-m", "gunicorn", "tradingsite.wsgi", "--config", "python:tradingsite.web.access_log")
    web = (*gunicorn, "--bind", f"127.0.0.1:{settings.PORT}", "--threads", "8")
    services = [
        Service(
            name="web",
            command=(*web, "--chdir", str(settings.BASE_DIR), "--graceful-timeout", "5", "--log-level", "warning"),
            reload_signal=signal.SIGHUP,
            log=_truncate(VAR_DIR / "web.out"),
        )
    ]
    for cluster in settings.CLUSTERS:
        services.append(
            Service(
                name=f"cluster {cluster}",
                command=(python, manage, "qcluster"),
                environment={"Q_CLUSTER_NAME": cluster},
                reload_signal=signal.SIGTERM,
                cluster=cluster,
                log=_truncate(VAR_DIR / f"cluster-{cluster}.out"),
            )
        )
    services.append(
        Service(
            name="order sender",
            command=(python, manage, "order_sender"),
            reload_signal=signal.SIGTERM,
            log=_truncate(VAR_DIR / "order-sender.out"),
        )
    )
    return [*services, _first_run()] if first_run else services


def _first_run() -> Service:
    address = f"http://localhost:{settings.PORT}"
    return Service(
        name="first run",
        command=(sys.executable, str(settings.BASE_DIR / "manage.py"), "run_all"),
        runs_once=True,
        # SIGINT, as Ctrl-C would send: the run is recorded as interrupted, and the next start continues it.
        stop_signal=signal.SIGINT,
        completed=f": the picks are at {address}/picks/, what was done at {address}/admin/",
        failed=f": {address}/admin/ says why and what to do",
    )


def _truncate(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def _require_free_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"Port {port} cannot be used ({error.strerror}). "
                f"Stop the program that uses it, or choose another: PORT={port + 1} ./run.sh dev"
            ) from error
