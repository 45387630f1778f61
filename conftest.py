"""Servers, tiers and network rules for every test.

One PostgreSQL and one Valkey are started for the run in a temporary directory, so that runs and checkouts do not meet;
each xdist worker has a database of its own on them. What is committed outlives a kill, not a crash of the machine.
"""

import fcntl
import gc
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import django
import hypothesis
import psutil
import psycopg
import pytest
import pytest_django
from django.conf import settings
from django.db import connection, connections

from tradingsite.embedded.files import remove_directory
from tradingsite.embedded.servers import EmbeddedServers

TIERS = {
    "drill": "plays the fault drill for half an hour",
    "real": "on the real sample (needs NSE_SAMPLE_DIR)",
    "crash": "kills processes and servers",
    "long": "takes minutes: every admin page in a browser, a whole evening by its command",
}

EXAMPLES = {"tests": 30, "many": 300, "long": 1000}
"""Hypothesis profiles: the examples of a property, or what `tests.examples` takes a share of."""

_PREFIX = "nse-tests-"
_MANY_BYTES = 4_194_304
_KEPT = ("django_content_type", "auth_permission")
"""Tables that Django would fill again after each test; TRUNCATE of what refers to them leaves them, too."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """One switch a tier."""
    for tier, meaning in TIERS.items():
        parser.addoption(f"--{tier}", action="store_true", help=f"run also the tests marked {tier}: {meaning}")
    parser.addoption("--pictures", action="store_true", help="let browser tests save screenshots in var/screenshots")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start the servers and say where they are, and only then let Django read its settings."""
    _open_new_folders()
    # Workers share the processors: more threads in each would only wait for one another, spinning.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        # xdist hands the options on, so that all workers draw the same examples.
        config.option.hypothesis_seed = config.option.hypothesis_seed or str(secrets.randbelow(2**32))
        _end_orphans()
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
        servers = EmbeddedServers(directory, durable=False)
        config.add_cleanup(lambda: remove_directory(directory))
        servers.__enter__()
        config.add_cleanup(lambda: servers.__exit__(None, None, None))
        _stop_analyzing(servers.postgres.url("postgres"))
        _isolate(directory)
        os.environ["DATABASE_URL"] = servers.postgres.url("trading_system")
        os.environ["REDIS_URL"] = f"{servers.valkey.url}?db=0"
    else:
        # Valkey has sixteen numbered databases; the workers must not share keys.
        base = os.environ["REDIS_URL"].rpartition("=")[0]
        os.environ["REDIS_URL"] = f"{base}={int(worker.removeprefix('gw')) + 1}"
    os.environ["DJANGO_SETTINGS_MODULE"] = "tradingsite.settings"
    django.setup()
    # An xdist worker has read its settings before this hook: from here on they are changed.
    settings.CACHES["default"]["LOCATION"] = os.environ["REDIS_URL"]
    # To hash a password is slow on purpose; no test is about that.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # To the reading limit all tests of a minute would be one reader.
    settings.API_READS_PER_MINUTE = 0
    # Tests play the system's part, and what a test wrote is emptied by TRUNCATE, the audit too.
    connections.databases["default"]["OPTIONS"]["options"] += (
        " -c audit.channel=system -c audit.path= -c audit.account= -c audit.maintenance=tests"
    )
    for profile, examples in EXAMPLES.items():
        hypothesis.settings.register_profile(profile, deadline=None, max_examples=examples)
    hypothesis.settings.load_profile("tests")


def pytest_runtest_setup() -> None:
    """Undo what importing `tradingsite.wsgi`, or an earlier test, did to the umask."""
    _open_new_folders()


def _open_new_folders() -> None:
    """Let the account that runs PostgreSQL reach the folders that tests make."""
    os.umask(0o022)


def pytest_report_header(config: pytest.Config) -> str:
    """Seed of this run's examples, to repeat a failure."""
    return f"hypothesis seed: --hypothesis-seed={config.option.hypothesis_seed}"


def _stop_analyzing(url: str) -> None:
    """Keep statistics away: taken while a test's rows were rolled back, they call the tables of the next one empty."""
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("ALTER SYSTEM SET autovacuum_analyze_threshold = 2147483647")
        session.execute("SELECT pg_reload_conf()")


def _end_orphans() -> None:
    """End the servers of test runs that were killed: the lock of their user is free."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            # Opened, never made: a run that is just starting has no such file yet.
            with (directory / "postgres.users").open("r+") as users:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # in use, just starting, or another account's
        for process in psutil.process_iter(["cmdline"]):
            if any(str(directory) in argument for argument in process.info["cmdline"] or ()):
                process.kill()
        remove_directory(directory)


def _isolate(directory: Path) -> None:
    """Forget the variables of this shell and of `.env`, so that everybody's tests see the defaults; write elsewhere."""
    example = Path(__file__).with_name(".env.example")
    for name in re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", example.read_text() if example.exists() else "", re.MULTILINE):
        if name != "NSE_SAMPLE_DIR":
            os.environ.pop(name, None)
    os.environ["IGNORE_DOTENV"] = "1"
    for name, folder in {"VAR_DIR": "var", "EXPORT_DIR": "exports", "LOG_FILE": "logs/app.log"}.items():
        os.environ[name] = str(directory / folder)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the tiers that were not requested, each with its reason, and give the heavy ones time."""
    for item in items:
        for tier in TIERS:
            if item.get_closest_marker(tier) is None:
                continue
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(1800))
            if not config.getoption(tier):
                item.add_marker(pytest.mark.skip(reason=f"runs with --{tier}"))
            elif tier == "real" and not os.environ.get("NSE_SAMPLE_DIR"):
                item.add_marker(pytest.mark.skip(reason="NSE_SAMPLE_DIR is not set: no real sample on this machine"))


def pytest_collection_finish() -> None:
    """Look for garbage less often, and never among the modules and tests: that took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True)
def _forget_kept_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers kept for a second would outlive the test before, and its secrets would be blotted out of the next one."""
    from brokers import redaction
    from tradingsite.monitoring import health, metrics

    monkeypatch.setattr(redaction, "_spellings", redaction._spellings)
    health.present_readiness.forget()
    metrics.present_metrics.forget()


@pytest.fixture(scope="session")
def sample_dir() -> Path:
    """Folder of the real sample; only for tests marked `real`."""
    return Path(os.environ["NSE_SAMPLE_DIR"])


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> Iterator[None]:
    """Empty the filled tables alone after a test that commits: to truncate all of them takes a quarter of a second."""
    emptying = pytest.MonkeyPatch()
    emptying.setattr(connection.ops, "sql_flush", _emptying_statements)
    yield
    emptying.undo()


def _emptying_statements(_: object, tables: Sequence[str], **__: bool) -> list[str]:
    """Return what empties the tables that have pages; triggers and foreign keys are not asked.

    TRUNCATE, which also frees the space of rows that were rolled back, waits for a page that a server still answers: it
    is for tables that have grown.
    """
    with connection.cursor() as cursor:
        emptied = [name for name in tables if name not in _KEPT]
        cursor.execute("SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relname = ANY(%s)", [emptied])
        sizes = dict(cursor.fetchall())
    small = [f"DELETE FROM {name}" for name, size in sizes.items() if 0 < size <= _MANY_BYTES]
    big = [f"TRUNCATE {name} CASCADE" for name, size in sizes.items() if size > _MANY_BYTES]
    return ["SET LOCAL session_replication_role = replica", *big, *small]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker) -> Iterator[None]:
    """Name the last query of a database session that a test left open, before the database is dropped under it."""
    yield
    query = (
        "SELECT query, state, backend_start, state_change FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    deadline = time.monotonic() + 10
    with django_db_blocker.unblock():
        while True:
            # The connection of a thread that has ended closes when it is collected.
            gc.collect()
            with connection.cursor() as cursor:
                cursor.execute(query)
                left = cursor.fetchall()
            if not left or time.monotonic() > deadline:
                break
            time.sleep(0.2)
    assert not left, f"a test left a database session open; its last query: {left}"
