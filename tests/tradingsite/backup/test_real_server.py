"""Back up from the embedded server and restore into one reached over TCP, by the commands; with kills midway."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from brokers.models import BrokerConfiguration
from ml.models import TrainedModel
from tests.locks import WAITING_SESSIONS
from tests.state_hash import MARKET_TABLES, contract_hash
from tests.tables import fill_every_table
from tradingsite.backup.archive import ArchiveReader
from tradingsite.embedded.files import ensure_server_account, make_private_directory, program_directory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.crash]
PRINT_HASH = f"""
import django, json
django.setup()
from tests.state_hash import contract_hash
print(json.dumps(contract_hash({[*MARKET_TABLES, "users", "orders", "broker_configurations", "pipeline_runs"]!r})))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address, without a database name, of a second PostgreSQL that listens on loopback only."""
    directory = Path(tempfile.mkdtemp(prefix="nse-tcp-"))
    directory.chmod(0o755)
    data, account = directory / "data", ensure_server_account()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    make_private_directory(data, account)

    def run(program: str, *arguments: str) -> None:
        identity: dict[str, Any] = {"user": account[0], "group": account[1], "extra_groups": []} if account else {}
        command = [str(program_directory(data) / program), "-D", str(data), *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **identity)

    run("initdb", "--auth=trust", "--username=trader", "--no-sync", "--encoding=UTF8", "--locale=C")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    run("pg_ctl", "start", "--wait", "-o", options, "-l", str(data / "server.log"))
    try:
        yield f"postgresql://trader@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "stop", "--wait", "-m", "immediate")
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """The environment of the system that is backed up: one row in every table, a model with its file."""
    fill_every_table()
    TrainedModel.objects.update(path="m", files={"price_0.txt": "0" * 64})
    (tmp_path / "models" / "m").mkdir(parents=True)
    (tmp_path / "models" / "m" / "price_0.txt").write_bytes(b"tree")
    url = os.environ["DATABASE_URL"].replace("/trading_system", f"/{connection.settings_dict['NAME']}")
    return dict(os.environ) | {
        "DATABASE_URL": url,
        "MODELS_DIR": str(tmp_path / "models"),
        "BACKUP_DIR": str(tmp_path / "backups"),
        "CREDENTIAL_KEYS": settings.CREDENTIAL_KEYS[0],
    }


def manage(environment: dict[str, str], *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=environment,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )


def hashes(environment: dict[str, str]) -> dict[str, str]:
    result = subprocess.run(
        [sys.executable, "-c", PRINT_HASH], cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, check=True
    )
    digests: dict[str, str] = json.loads(result.stdout.splitlines()[-1])
    return digests


def create_database(server: str, name: str) -> str:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as plain:
        plain.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"{server}/{name}"


def test_from_the_embedded_server_into_a_real_one(server: str, places: dict[str, str], tmp_path: Path) -> None:
    result = manage(places, "backup", "--json")
    assert result.returncode == 0, result.stderr
    path = json.loads(result.stdout)["summary"]["file"]
    target = places | {
        "DATABASE_URL": create_database(server, "fresh"),
        "MODELS_DIR": str(tmp_path / "there"),
        "CREDENTIAL_KEYS": "another",
    }
    foreign = manage(target, "restore", path)
    assert foreign.returncode == 1
    assert "is signed by none of our keys" in foreign.stderr
    result = manage(target, "restore", path, "--json", "--unsigned", typed=f"{Path(path).name}\n")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["equal"]
    notes = "\n".join(report["notes"])
    assert f"The secrets of {BrokerConfiguration.objects.count()} broker accounts cannot be read" in notes
    assert f"1 models are in {tmp_path / 'there'}" in notes
    assert "MODELS_DIR was" in notes
    assert (tmp_path / "there" / "m" / "price_0.txt").read_bytes() == b"tree"
    assert hashes(target)["stocks"] == contract_hash()["stocks"]
    # The back-up holds its own run as still running; everything else is equal.
    here = hashes(places)
    assert {table for table, digest in hashes(target).items() if digest != here[table]} == {"pipeline_runs"}
    ours = target | {"CREDENTIAL_KEYS": f"another,{places['CREDENTIAL_KEYS']}"}
    refused = manage(ours, "restore", path)
    assert refused.returncode == 1
    assert "is not empty" in refused.stderr
    replacing = manage(ours, "restore", path, "--replace", "--json")
    assert replacing.returncode == 0, replacing.stderr
    assert "The previous database is kept as fresh_before_" in json.loads(replacing.stdout)["notes"][0]
    assert hashes(target)["stocks"] == here["stocks"]


def kill_while_waiting(environment: dict[str, str], blocked_by: str, lock: str, *arguments: str) -> None:
    """Run a command until it waits for a lock held by this process, and kill it."""
    with psycopg.connect(blocked_by) as blocker, psycopg.connect(blocked_by, autocommit=True) as watcher:
        blocker.execute(lock.encode())
        child = subprocess.Popen([sys.executable, "manage.py", *arguments], cwd=settings.BASE_DIR, env=environment)
        try:
            deadline = time.monotonic() + 120
            while (watcher.execute(WAITING_SESSIONS.encode()).fetchone() or (0,))[0] == 0:
                assert child.poll() is None, "it ended without waiting"
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()


def test_a_killed_back_up_leaves_no_file_and_the_next_one_cleans_up(places: dict[str, str], tmp_path: Path) -> None:
    folder, model = tmp_path / "backups", tmp_path / "models" / "m" / "price_0.txt"
    os.truncate(model, 2 << 30)  # a sparse file: takes no space, and seconds to read
    child = subprocess.Popen([sys.executable, "manage.py", "backup"], cwd=settings.BASE_DIR, env=places)
    while not (folder.is_dir() and any(folder.iterdir())):
        assert child.poll() is None
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert [path.suffix for path in folder.iterdir()] == [".unfinished"]
    os.truncate(model, 10)
    with connection.cursor() as cursor:  # the killed worker's lease ends
        cursor.execute("UPDATE pipeline_execution_tracking SET lease_until = now() - interval '1 minute'")
    result = manage(places, "backup")
    assert result.returncode == 0, result.stderr
    assert "was left unfinished" in result.stderr
    (path,) = folder.iterdir()
    assert list(ArchiveReader(path).check())


def test_a_killed_restoration_stores_nothing_and_can_be_repeated(
    server: str, places: dict[str, str], tmp_path: Path
) -> None:
    path = json.loads(manage(places, "backup", "--json").stdout)["summary"]["file"]
    url = create_database(server, "killed")
    target = places | {"DATABASE_URL": url, "MODELS_DIR": str(tmp_path / "there")}
    assert manage(target, "migrate").returncode == 0
    kill_while_waiting(target, url, "LOCK TABLE trades IN ACCESS SHARE MODE", "restore", path)
    with psycopg.connect(url) as plain:
        assert plain.execute("SELECT (SELECT count(*) FROM stocks), (SELECT count(*) FROM users)").fetchone() == (0, 0)
    result = manage(target, "restore", path)
    assert result.returncode == 0, result.stderr
    assert "all equal" in result.stdout
