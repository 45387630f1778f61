"""Known secrets are used, at both vendors and with every fault, and then looked for in all that leaves the process."""

import hashlib
import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest
from django.conf import settings as own_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client
from structlog.stdlib import ProcessorFormatter

from brokers.accounts import SECRETS, secret_of
from brokers.models import BrokerConfiguration
from portfolio.models import User
from tests.architecture.sources import ROOT
from tests.brokers.accounts import VENUES
from tests.brokers.fyers_venue import AUTH_CODE
from tests.brokers.kite_venue import APP_SECRET, REQUEST_TOKEN
from tests.brokers.test_log_in import CODES, state_of
from tests.brokers.venue import Answer, Request, Venue, json_answer
from tradingsite.backup.archive import ArchiveReader
from tradingsite.logs import logging_settings

FIRST_TOKEN = "first-t0ken-of-the-day"
HALF_TOKEN = "t0ken-in-half-an-answer"
DATABASE_TOKENS = "SELECT api_secret, access_token FROM broker_configurations"
CODE = {"zerodha": REQUEST_TOKEN, "fyers": AUTH_CODE}
PROOF = {
    "zerodha": hashlib.sha256(f"app-100{REQUEST_TOKEN}{APP_SECRET}".encode()).hexdigest(),
    "fyers": hashlib.sha256(f"app-100:{APP_SECRET}".encode()).hexdigest(),
}
ACCOUNT = {"app_key": "app-100", "client_id": "AB1234", "api_secret": APP_SECRET, "access_token": FIRST_TOKEN}


@dataclass
class Evidence:
    """What was shown, by the place, and the secrets that were in use, by their names."""

    secrets: dict[str, str]
    shown: dict[str, str] = field(default_factory=dict)

    def add(self, place: str, text: str) -> None:
        self.shown[place] = self.shown.get(place, "") + text

    def leaks(self) -> list[tuple[str, str]]:
        return [(place, name) for place, text in self.shown.items() for name, it in self.secrets.items() if it in text]


def echoes(request: Request, answer: Answer) -> dict[str, Answer]:
    """Faults whose answers repeat what the vendor was sent."""
    proofs = [proof for proof in PROOF.values() if proof in request.body.decode()]
    sent = f"{request.headers.get('Authorization', '')} {request.body.decode()} {proofs}"
    words = {"status": "error", "s": "error", "error_type": "TokenException", "code": -16, "message": sent}
    return {
        "error": json_answer(words, 403),
        "success": json_answer(words | {"s": "ok", "status": "success", "data": sent}),
        "HTML": Answer(502, f"<html>{sent}".encode(), "text/html"),
        "half": Answer(200, f'{{"access_token": "{HALF_TOKEN}", "data": {{"access_token": "{HALF_TOKEN}'.encode()),
        "cut": Answer(200, json.dumps(words).encode(), fault="cut"),
        "redirect": Answer(307, headers={"Location": f"http://127.0.0.1:1/?{urlencode({'access_token': sent})}"}),
        "list": json_answer([sent]),
        "reset": Answer(fault="reset"),
    }


FAULTS = ("error", "success", "HTML", "half", "cut", "redirect", "list", "reset")


@pytest.fixture(params=["zerodha", pytest.param("fyers", marks=pytest.mark.long)])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def venue(name: str, settings: Any) -> Iterator[Venue]:
    with VENUES[name]() as venue:
        settings.KITE_API_ROOT = settings.FYERS_API_ROOT = settings.FYERS_PUBLIC_ROOT = venue.root
        yield venue
    with closing(connection.copy()) as other, other.cursor() as cursor:  # where the limiter committed
        cursor.execute("DELETE FROM broker_calls")


@contextmanager
def logs_at_debug() -> Iterator[io.StringIO]:
    """What our log files would hold if every logger spoke of everything."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    options = logging_settings("DEBUG", Path("app.log"), cluster="", to_console=False)["formatters"]["json"]
    handler.setFormatter(ProcessorFormatter(**{key: value for key, value in options.items() if key != "()"}))
    loggers = [logging.getLogger(name) for name in ("", "urllib3", "django", "kiteconnect")]
    loggers.append(logging.getLogger("django.template"))
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    # Thousands of lines on absent variables, which cost more than all else here: the next test has them.
    loggers[-1].setLevel(logging.INFO)
    loggers[0].addHandler(handler)
    try:
        yield text
    finally:
        loggers[0].removeHandler(handler)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def run(evidence: Evidence, command: str, *arguments: str, typed: str = "") -> str:
    """Run a command as a person does, and keep what it prints."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stdin", io.StringIO(typed))
        try:
            call_command(command, *arguments, stdout=out, stderr=err)
        except (CommandError, SystemExit) as error:
            err.write(f"{error}")
    evidence.add(f"output of {command}", out.getvalue() + err.getvalue())
    return out.getvalue()


def log_in(evidence: Evidence, broker: str) -> None:
    """By the command; its code comes from standard input."""
    begun = json.loads(run(evidence, "broker_connect", broker, "--user", "asha", "--json"))
    query = urlencode(CODES[broker] | {"state": state_of(begun["login_url"])})
    run(evidence, "broker_connect", broker, "--user", "asha", "--redirected-to", "-", "--json", typed=f"/?{query}")


def use_everything(evidence: Evidence, broker: str, venue: Venue) -> None:
    """Store, log in, call; then the same with answers that repeat what they were sent."""
    run(evidence, "broker_account", "set", broker, "--user", "asha", "--json", typed=json.dumps(ACCOUNT))
    calls = ("broker_check", broker, "--symbols", "SBIN", "--history", "SBIN", "2026-11-26", "2026-11-27")
    run(evidence, *calls)
    log_in(evidence, broker)
    account = BrokerConfiguration.objects.get()
    token = secret_of(account, "access_token")
    assert token not in ("", FIRST_TOKEN)
    run(evidence, "broker_check", broker, "--calls", "profile")
    evidence.secrets["new token"] = token
    evidence.secrets |= {f"sealed {column}": getattr(account, column) for column in SECRETS}
    for fault in FAULTS:
        venue.spoil = lambda request, answer, fault=fault: echoes(request, answer)[fault]  # type: ignore[misc]
        run(evidence, "broker_check", broker, "--calls", "profile,orders,symbol_master")
        log_in(evidence, broker)
    venue.spoil = lambda _request, answer: answer
    run(evidence, "broker_account", "set", broker, "--user", "asha", typed=json.dumps(ACCOUNT | {"pin": APP_SECRET}))
    run(evidence, "rotate_credential_keys")
    assert token == secret_of(BrokerConfiguration.objects.get(), "access_token")


def secrets_of(broker: str) -> dict[str, str]:
    known = {"api_secret": APP_SECRET, "first token": FIRST_TOKEN, "half token": HALF_TOKEN}
    return known | {"code": CODE[broker], "checksum or appIdHash": PROOF[broker]}


def were_used(evidence: Evidence, venue: Venue) -> set[str]:
    """The secrets that did reach the vendor, so that they can have leaked on the way."""
    sent = "".join(f"{request.headers}{request.body.decode()}" for request in venue.requests)
    return {name for name, secret in evidence.secrets.items() if secret in sent}


def rows_of_all_tables(without: tuple[str, ...] = ()) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()")
        tables = [table for (table,) in cursor.fetchall() if table not in without]
        texts = {}
        for table in tables:
            cursor.execute(f"SELECT string_agg(t::text, E'\\n') FROM {connection.ops.quote_name(table)} t")
            texts[f"table {table}"] = cursor.fetchone()[0] or ""
    return texts


PAGES = (
    *("/", "/brokers/", "/brokers/readiness/", "/status/", "/metrics", "/api/schema/", "/state/"),
    *("/admin/", "/admin/brokers/brokerconfiguration/", "/admin/brokers/brokerconfiguration/{key}/change/"),
    *("/admin/brokers/brokerconfiguration/{key}/history/", "/admin/brokers/brokerconfiguration/{key}/delete/"),
    *("/admin/brokers/brokerconfiguration/export/", "/admin/tradingsite/auditentry/", "/admin/portfolio/user/"),
)


def open_everything(evidence: Evidence, client: Client, broker: str) -> None:
    account = BrokerConfiguration.objects.get()
    form = {"user": account.user_id, "broker": broker, "new_api_secret": APP_SECRET, "registered_ips": "no address"}
    change = f"/admin/brokers/brokerconfiguration/{account.pk}/change/"
    answers = {path: client.get(path.format(key=account.pk)) for path in PAGES}
    answers[f"{change} refused"] = client.post(change, form)
    answers["check"] = client.post(f"/brokers/{broker}/check/", follow=True)
    answers["forged callback"] = client.get("/brokers/callback/", CODES[broker] | {"state": "forged"})
    for path, answer in answers.items():
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
        evidence.add(f"page {path}", content.decode() + str(dict(answer.headers)))


def break_pages(evidence: Evidence, client: Client, broker: str) -> None:
    """A fault of ours where secrets are stored: they are variables of several frames, and in what was sent."""
    client.raise_request_exception = False
    begun = client.post(f"/brokers/{broker}/connect/")
    account = BrokerConfiguration.objects.get()
    form = {"user": account.user_id, "broker": broker, "new_api_secret": APP_SECRET, "new_access_token": FIRST_TOKEN}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("brokers.sealing.os.urandom", lambda _count: 1 // 0)
        query = CODES[broker] | {"state": state_of(begun.context["login_url"])}
        answers = [
            client.get("/brokers/callback/", query),
            client.post(f"/admin/brokers/brokerconfiguration/{account.pk}/change/", form),
            client.post(
                f"/admin/brokers/brokerconfiguration/{account.pk}/change/", form, headers={"Accept": "text/plain"}
            ),
        ]
    for answer in answers:
        assert answer.status_code == 500
        evidence.add("error page", answer.content.decode())
    assert all("ZeroDivisionError" in answer.content.decode() for answer in answers[1:])


@pytest.mark.django_db
def test_no_secret_is_shown_logged_or_stored_in_the_clear(
    client: Client, name: str, venue: Venue, settings: Any
) -> None:
    settings.DEBUG = True  # error pages show the variables of each frame then
    client.force_login(User.objects.create_superuser("asha"))
    evidence = Evidence(secrets_of(name))
    with logs_at_debug() as logs:
        use_everything(evidence, name, venue)
        open_everything(evidence, client, name)
        break_pages(evidence, client, name)
    evidence.add("logs", logs.getvalue())
    assert were_used(evidence, venue) >= {"first token", "new token", "code", "checksum or appIdHash"}
    assert "urllib3" in evidence.shown["logs"]
    assert "AB1234" in evidence.shown["output of broker_check"]
    assert "AB1234" in evidence.shown["page /brokers/"]
    assert evidence.leaks() == []
    # In the tables nothing is in the clear; what is sealed is in the account's row alone.
    plain = Evidence(secrets_of(name) | {"new token": evidence.secrets["new token"]}, rows_of_all_tables())
    assert "AB1234" in plain.shown["table broker_configurations"]
    assert "(another secret)" in plain.shown["table audit_log"]
    assert plain.leaks() == []
    elsewhere = rows_of_all_tables(without=("broker_configurations",))
    assert Evidence(evidence.secrets, elsewhere).leaks() == []


# --- processes and files --------------------------------------------------------------------------------------------
class ProcessList:
    """The arguments of all processes that we start, looked at all the time."""

    def __init__(self) -> None:
        self.lines: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._ended.wait(0.01):
            for process in psutil.Process().children(recursive=True):
                try:
                    self.lines.add(" ".join(process.cmdline()))
                except psutil.Error:
                    continue

    def __enter__(self) -> "ProcessList":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


SERVE = """
import sys
from django.core.management import execute_from_command_line
from django.test import Client
import django
django.setup()
from portfolio.models import User
from tests.brokers.test_no_secret_anywhere import PAGES
from brokers.models import BrokerConfiguration
client = Client(SERVER_NAME="localhost")
client.force_login(User.objects.get(username="asha"))
for path in PAGES:
    answer = client.get(path.format(key=BrokerConfiguration.objects.get().pk))
    sys.stdout.buffer.write(b"".join(answer.streaming_content) if answer.streaming else answer.content)
"""


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_nor_by_processes_log_files_and_back_ups(name: str, venue: Venue, tmp_path: Path) -> None:
    user = User.objects.create_superuser("asha")
    evidence = Evidence(secrets_of(name) | {"hash of the password": user.password})
    log = tmp_path / "logs" / "app.log"
    environment = os.environ | {
        "DATABASE_URL": os.environ["DATABASE_URL"].replace("/trading_system", f"/{connection.settings_dict['NAME']}"),
        **dict.fromkeys(("KITE_API_ROOT", "FYERS_API_ROOT", "FYERS_PUBLIC_ROOT"), venue.root),
        "DEBUG": "1",
        "LOG_LEVEL": "DEBUG",
        "LOG_FILE": str(log),
        "BACKUP_DIR": str(tmp_path / "backups"),
    }

    def manage(*arguments: str, typed: str = "", code: int = 0) -> str:
        command = [sys.executable, *(("-c", SERVE) if arguments == ("pages",) else ("manage.py", *arguments))]
        done = subprocess.run(
            command, env=environment, cwd=ROOT, input=typed, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        evidence.add(f"output of {arguments[0]}", done.stdout + done.stderr)
        return done.stdout

    with ProcessList() as processes:
        manage("broker_account", "set", name, "--user", "asha", "--json", typed=json.dumps(ACCOUNT))
        manage("broker_account", "set", name, "--user", "asha", typed=json.dumps(ACCOUNT)[:-1], code=1)
        manage("broker_check", name)
        begun = json.loads(manage("broker_connect", name, "--user", "asha", "--json"))
        query = urlencode(CODES[name] | {"state": state_of(begun["login_url"])})
        manage("broker_connect", name, "--user", "asha", "--redirected-to", "-", typed=f"/?{query}")
        venue.spoil = lambda request, answer: echoes(request, answer)["error"]
        manage("broker_check", name, code=1)
        manage("rotate_credential_keys")
        manage("pages")
        report = json.loads(manage("backup", "--json"))
    account = BrokerConfiguration.objects.get()
    evidence.secrets["new token"] = secret_of(account, "access_token")
    evidence.add("process list", "\n".join(processes.lines))
    evidence.add("logs", "".join(path.read_text() for path in log.parent.iterdir()))
    assert were_used(evidence, venue) >= {"first token", "new token", "code", "checksum or appIdHash"}
    assert "broker_account set" in evidence.shown["process list"]
    assert "backed up" in evidence.shown["logs"]
    assert "AB1234" in evidence.shown["output of pages"]
    assert evidence.leaks() == []
    # A back-up has the tables: what is sealed stays sealed, by keys that are not in it.
    reader = ArchiveReader(Path(report["summary"]["file"]))
    backup = b"".join(reader.content(member) for member in reader.members).decode(errors="replace")
    keys = {"SECRET_KEY": own_settings.SECRET_KEY, "key": own_settings.CREDENTIAL_KEYS[0]}
    kept = Evidence(evidence.secrets | keys, {"back-up": backup})
    assert account.api_secret in backup
    assert [secret for _, secret in kept.leaks()] == ["hash of the password"]
