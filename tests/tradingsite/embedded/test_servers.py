"""The real embedded servers in folders of their own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from tradingsite.embedded import files as embedded_files
from tradingsite.embedded import servers as embedded
from tradingsite.embedded.files import EmbeddedServerError, make_directory, remove_directory, socket_directory
from tradingsite.embedded.servers import EmbeddedPostgres, EmbeddedServers, EmbeddedValkey

HOLD = """
import sys
from pathlib import Path
from tradingsite.embedded.servers import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
server.acquire()
print(server.url("shared"), flush=True)
sys.stdin.read()
"""


def postmaster(directory: Path) -> psutil.Process:
    return psutil.Process(int((directory / "postgres" / "postmaster.pid").read_text().splitlines()[0]))


def holder(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_both_servers_live_as_long_as_the_block(place: Path):
    with EmbeddedServers(place, durable=False) as servers:
        server = postmaster(place)
        with psycopg.connect(servers.postgres.url("some_market")) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("some_market",)
        assert servers.valkey.url is not None
        with redis.Redis.from_url(servers.valkey.url) as client:
            assert client.ping()
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    assert servers.valkey.url is None


def test_data_survive_a_restart_of_the_server(initialised: Path):
    with (
        EmbeddedServers(initialised, durable=False, with_valkey=False) as servers,
        psycopg.connect(servers.postgres.url("kept")) as connection,
    ):
        connection.execute("CREATE TABLE bars AS SELECT 7 AS close")
    with (
        EmbeddedServers(initialised, durable=False, with_valkey=False) as servers,
        psycopg.connect(servers.postgres.url("kept")) as connection,
    ):
        assert connection.execute("SELECT close FROM bars").fetchone() == (7,)


def test_processes_share_one_server_and_the_last_one_stops_it(initialised: Path):
    first, second = holder(initialised), holder(initialised)
    try:
        assert read_line(first) == read_line(second)
        server = postmaster(initialised)
        first.communicate("")
        assert server.is_running()
        second.communicate("")
        assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    finally:
        first.kill()
        second.kill()


@pytest.mark.crash
def test_a_killed_process_does_not_keep_the_server_up(initialised: Path):
    killed, other = holder(initialised), holder(initialised)
    try:
        read_line(killed), read_line(other)
        server = postmaster(initialised)
        killed.kill()
        killed.communicate()
        other.communicate("")
        assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    finally:
        killed.kill()
        other.kill()


@pytest.mark.crash
@pytest.mark.parametrize("children_too", [False, True])
def test_a_killed_server_is_restarted(initialised: Path, children_too: bool):
    with EmbeddedServers(initialised, durable=False, with_valkey=False) as servers:
        with psycopg.connect(servers.postgres.url("kept")) as connection:
            connection.execute("CREATE TABLE bars AS SELECT 7 AS close")
        killed = postmaster(initialised)
        for process in [killed, *(killed.children() if children_too else ())]:
            process.kill()
        while servers.postgres.is_running():
            time.sleep(0.05)
        assert servers.revive() == ["PostgreSQL"]
        assert servers.revive() == []
        with psycopg.connect(servers.postgres.url("kept")) as connection:
            assert connection.execute("SELECT close FROM bars").fetchone() == (7,)


@pytest.mark.crash
def test_a_stop_during_crash_recovery_is_carried_out(initialised: Path):
    with EmbeddedServers(initialised, durable=False, with_valkey=False):
        server = postmaster(initialised)
        server.children()[0].kill()
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE


def test_a_stale_pid_file_with_a_foreign_pid_is_ignored(initialised: Path):
    with EmbeddedServers(initialised, durable=False, with_valkey=False):
        lines = (initialised / "postgres" / "postmaster.pid").read_text().splitlines()
    lines[0] = str(os.getpid())
    (initialised / "postgres" / "postmaster.pid").write_text("\n".join(lines) + "\n")
    server = EmbeddedPostgres(initialised, durable=False)
    assert not server.is_running()
    server.acquire()
    assert postmaster(initialised).pid != os.getpid()
    server.release()


def test_a_forked_child_does_not_stop_the_server(initialised: Path):
    with EmbeddedServers(initialised, durable=False, with_valkey=False) as servers:
        child = os.fork()
        if child == 0:
            servers.postgres.release()
            os._exit(0)
        os.waitpid(child, 0)
        assert servers.postgres.is_running()


@pytest.mark.parametrize("name", ["₹ with blank, and comma " + "deep" * 25, pytest.param("₹", marks=pytest.mark.long)])
def test_an_awkward_folder_gets_short_sockets(place: Path, name: str):
    directory = make_directory(place / name / "var")
    sockets = socket_directory(directory)
    assert len(str(sockets)) < 90
    assert socket_directory(directory) == sockets
    with EmbeddedServers(directory, durable=False) as servers:
        psycopg.connect(servers.postgres.url("deep")).close()
        with redis.Redis.from_url(str(servers.valkey.url)) as client:
            assert client.ping()
    remove_directory(directory)
    assert not sockets.exists()


@pytest.mark.long
def test_two_folders_do_not_interfere(place: Path):
    with (
        EmbeddedServers(place / "one", durable=False) as first,
        EmbeddedServers(place / "two", durable=False) as second,
    ):
        assert first.postgres.url("same") != second.postgres.url("same")
        assert first.valkey.url != second.valkey.url
        assert postmaster(place / "one").pid != postmaster(place / "two").pid


def test_valkey_is_owned_by_its_starter_and_ignores_the_terminals_interrupt(place: Path):
    valkey = EmbeddedValkey(place)
    valkey.start()
    assert valkey._process is not None
    assert os.getpgid(valkey._process.pid) != os.getpgrp()
    os.kill(valkey._process.pid, signal.SIGKILL)
    valkey._process.wait()
    assert not valkey.is_running()
    valkey.start()
    assert EmbeddedValkey(place).url == valkey.url
    valkey.stop()
    assert valkey.url is None


def test_a_missing_wheel_is_refused_in_a_sentence(place: Path, monkeypatch: pytest.MonkeyPatch):
    for module in (embedded, embedded_files):
        monkeypatch.setattr(module, "find_spec", lambda _name: None)
    with pytest.raises(EmbeddedServerError, match="Set DATABASE_URL"):
        EmbeddedPostgres(place).acquire()
    with pytest.raises(EmbeddedServerError, match="extra `embedded`"):
        EmbeddedValkey(place).start()


def test_data_of_an_unknown_version_are_refused(place: Path):
    make_directory(place / "postgres")
    (place / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedServerError, match="was created by PostgreSQL 9"):
        EmbeddedPostgres(place).acquire()


def test_a_server_that_does_not_start_shows_its_log(initialised: Path):
    with EmbeddedServers(initialised, durable=False, with_valkey=False):
        pass
    with (initialised / "postgres" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedServerError, match="no_such_setting"):
        EmbeddedPostgres(initialised).acquire()


OTHER_ACCOUNT = """
import os, sys
from pathlib import Path
from tradingsite.embedded.servers import EmbeddedPostgres, EmbeddedServerError
os.setuid(65534)
try:
    EmbeddedPostgres(Path(sys.argv[1])).acquire()
except EmbeddedServerError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try another account")
def test_another_account_is_refused_in_a_sentence(initialised: Path):
    with EmbeddedServers(initialised, durable=False, with_valkey=False):
        pass
    initialised.parent.chmod(0o755)
    command = [sys.executable, "-c", OTHER_ACCOUNT, str(initialised)]
    assert "belongs to another account" in subprocess.check_output(command, text=True)
