"""Two hosts share an evening's work, and one of them dies in the middle of it.

A host is a set of queue clusters, `data` and `ml`, with a host name, processes and a network of its own (Linux
namespaces); both reach PostgreSQL over its Unix socket, and nothing else. Run with `-s` to see who did what.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1500)]

HOSTS = ("alpha", "beta")
LOADED, FIRST, SECOND = 160, date(2022, 8, 31), date(2022, 9, 1)
_EVENING = """
from datetime import date
from market_data import tasks
from market_data.runs import lifecycle
from tradingsite.schedule import evening_jobs
for saga in evening_jobs():
    tasks.deliver(lifecycle.create_run(saga.job, date.fromisoformat({session!r}), triggered_by="test",
                                       waits_for=saga.waits_for))
"""
_CALM = """
from datetime import date
from market_data.runs import engine, lifecycle
for job in ("pipeline", "fill_data", "business_logic"):
    engine.advance(lifecycle.create_run(job, date.fromisoformat({session!r}), triggered_by="test").id, wait=True)
"""
_TABLES = {
    "historical_data": "symbol, date, open, high, low, close, adj_close, volume",
    "technical_indicators": "symbol, date, rsi_14, macd, sma_20, sma_50, ema_26, atr_14, bollinger_upper",
    "stock_metrics": "symbol, date, current_price, market_cap, pe_ratio, roe, beta, tradable, exclusion",
}

Rows = list[tuple[Any, ...]]


def query_rows(environment: Mapping[str, str], query: str) -> Rows:
    """Ask the hosts' database."""
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        return connection.execute(query).fetchall()


def managed(environment: Mapping[str, str], *arguments: str) -> None:
    """Run a command beside the hosts; one that fails shows what it said."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture
def system(tmp_path: Path, django_db_setup: None) -> Iterator[dict[str, dict[str, str]]]:
    """Two empty databases with the settings of a small simulated market: one for the hosts, one without trouble."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(database(name, tmp_path)) for name in ("shared", "calm")}


@contextmanager
def database(name: str, folder: Path) -> Iterator[dict[str, str]]:
    parts = urlsplit(os.environ["DATABASE_URL"])
    server = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE two_hosts_{name}")
    environment = os.environ | {
        "DATABASE_URL": urlunsplit(parts._replace(path=f"/two_hosts_{name}")),
        "DJANGO_SETTINGS_MODULE": "tradingsite.settings",
        "SIMULATOR_SYMBOLS": "40",
        "SIMULATOR_SESSIONS": str(LOADED),
        "EXPORT_DIR": str(folder / name),
        "LOG_FILE": str(folder / f"{name}.log"),
    }
    try:
        managed(environment, "migrate")
        yield environment
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE two_hosts_{name} WITH (FORCE)")


@contextmanager
def host(name: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start both clusters of a host; whoever kills the process given kills everything on that host at once."""
    clusters = " & ".join(f"Q_CLUSTER_NAME={cluster} {sys.executable} manage.py qcluster" for cluster in ("data", "ml"))
    # With a /proc of its own: a worker looks itself up there by its process id.
    command = ["unshare", "--uts", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]
    started = subprocess.Popen(
        [*command, f"hostname {name}; {clusters} & wait"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.kill()
        started.wait()


def waited(environment: dict[str, str], query: str, seconds: float = 400) -> Rows:
    """Play the heartbeat of the clusters until a query returns rows."""
    deadline, beat = time.monotonic() + seconds, 0.0
    while not (rows := query_rows(environment, query)):
        assert time.monotonic() < deadline, shown(environment)
        if time.monotonic() > beat:
            beat = time.monotonic() + 15
            code = "from django_q.tasks import async_task\nfor name in ('data', 'ml'):\n"
            code += "    async_task('market_data.tasks.heartbeat', name, cluster=name)"
            managed(environment, "shell", "--no-imports", "-c", code)
        time.sleep(0.05)
    return rows


def evening(environment: dict[str, str], session: date) -> None:
    code = _EVENING.format(session=session.isoformat())
    managed(environment, "shell", "--no-imports", "-c", code)


def done(session: date) -> str:
    """Return the query that finds an evening of which nothing is left to do."""
    return f"SELECT 1 WHERE NOT EXISTS ({_runs(session)} AND r.status IN ('waiting', 'running'))"


def _runs(session: date) -> str:
    return f"SELECT r.id FROM pipeline_runs r WHERE r.session = '{session}'"


def steps(environment: dict[str, str], session: date) -> Rows:
    return query_rows(
        environment,
        "SELECT r.job, s.name, split_part(s.worker, ':', 1), s.attempts, s.status FROM pipeline_execution_tracking s"
        f" JOIN pipeline_runs r ON r.id = s.run_id WHERE r.session = '{session}' ORDER BY r.sequence, s.order",
    )


def shown(environment: dict[str, str]) -> str:
    rows = [row for session in (FIRST, SECOND) for row in steps(environment, session)]
    lines = [f"{job:<16}{name:<24}{who:<8}begun {begun}  {status}" for job, name, who, begun, status in rows]
    return "\n".join(["", *lines])


def contents(environment: dict[str, str]) -> dict[str, Rows]:
    """Return how many rows each table has, and a hash of what the contract calls its columns."""
    query = "SELECT count(*), md5(string_agg(t::text, '' ORDER BY symbol, date)) FROM (SELECT {} FROM {}) t"
    return {table: query_rows(environment, query.format(columns, table)) for table, columns in _TABLES.items()}


@pytest.mark.skipif(
    shutil.which("unshare") is None or os.geteuid() != 0, reason="a second host needs Linux namespaces and root"
)
def test_two_hosts_share_the_work_and_one_completes_it_alone(system):
    shared = system["shared"]
    with host("alpha", shared) as alpha, host("beta", shared) as beta:
        evening(shared, FIRST)
        at_work = (
            "SELECT split_part(worker, ':', 1) FROM pipeline_execution_tracking"
            " WHERE name = 'HISTORICAL_DATA' AND status = 'running' AND watermark <> ''"
        )
        victim = waited(shared, at_work)[0][0]
        survivor = next(name for name in HOSTS if name != victim)
        os.kill((alpha if victim == "alpha" else beta).pid, signal.SIGKILL)
        waited(shared, done(FIRST))
        with host(victim, shared):
            evening(shared, SECOND)
            waited(shared, done(SECOND))
    sys.stdout.write(shown(shared) + "\n")
    first = {(job, name): (who, begun, status) for job, name, who, begun, status in steps(shared, FIRST)}
    assert first["pipeline", "SYMBOL_MASTER"] == (victim, 1, "completed")
    assert first["pipeline", "HISTORICAL_DATA"] == (survivor, 2, "completed")
    after = [facts for step, facts in first.items() if step[0] != "pipeline"]
    assert {who for who, _, _ in after} == {survivor}
    second = steps(shared, SECOND)
    assert {who for _, _, who, _, _ in second} <= set(HOSTS)
    assert all(begun == 1 for _, _, _, begun, _ in second), "each step was done once"
    assert {status for job, _, _, _, status in second if job != "training"} == {"completed"}
    calm = system["calm"]
    for session in (FIRST, SECOND):
        managed(calm, "shell", "--no-imports", "-c", _CALM.format(session=session.isoformat()))
    assert contents(shared) == contents(calm)
    assert settings.CLUSTERS == ("data", "ml")
