"""Root runs PostgreSQL under another account without opening a folder for it or following a link of it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tradingsite.embedded import reach
from tradingsite.embedded.files import (
    EmbeddedServerError,
    ensure_server_account,
    invalidate_pid_file,
    make_directory,
    make_private_directory,
    program_directory,
    remove_directory,
    socket_directory,
)
from tradingsite.embedded.servers import EmbeddedPostgres, EmbeddedServers

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL under another account")
STRANGER = 65534


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def a_stranger_can_list(folder: Path) -> bool:
    command = ["ls", str(folder)]
    listed = subprocess.run(
        command, user=STRANGER, group=STRANGER, extra_groups=[], cwd="/", capture_output=True, check=False
    )
    return listed.returncode == 0


@pytest.fixture
def closed() -> Iterator[Path]:
    """The folder of a checkout that only root may enter, as in /root."""
    with tempfile.TemporaryDirectory(prefix="nse-closed-") as directory:
        folder = Path(directory) / "checkout" / "var"
        folder.mkdir(parents=True)
        yield folder
        remove_directory(folder)


def test_a_server_of_a_closed_checkout_works_and_opens_nothing(closed: Path) -> None:
    above = list(closed.parents)
    before = [mode(path) for path in above]
    assert before[1] == 0o700
    with EmbeddedServers(closed, durable=False, with_valkey=False) as servers:
        assert [mode(path) for path in above] == before
        with psycopg.connect(servers.postgres.url("kept")) as connection:
            connection.execute("CREATE TABLE bars AS SELECT 7 AS close")
        place = (closed / "postgres").resolve().parent
        assert (place.parent, mode(place), place.stat().st_uid) == (reach.STATE, 0o710, 0)
        assert not a_stranger_can_list(place / "run")
    with (
        EmbeddedServers(closed, durable=False, with_valkey=False) as servers,
        psycopg.connect(servers.postgres.url("kept")) as connection,
    ):
        assert connection.execute("SELECT close FROM bars").fetchone() == (7,)
    assert [mode(path) for path in above] == before
    remove_directory(closed)
    assert not place.exists()


def test_a_data_folder_of_our_own_admits_the_account_alone(place: Path) -> None:
    make_directory(place).chmod(0o700)
    with EmbeddedServers(place, durable=False, with_valkey=False):
        assert (mode(place), (place / "postgres").is_symlink()) == (0o710, False)
        assert not a_stranger_can_list(place / "run")


def test_data_that_became_unreachable_are_refused_with_what_to_do(initialised: Path) -> None:
    initialised.parent.chmod(0o700)
    with pytest.raises(EmbeddedServerError, match=r"A folder above .*/postgres is closed .*chmod o\+x.*VAR_DIR"):
        EmbeddedPostgres(initialised, durable=False).acquire()
    assert mode(initialised.parent) == 0o700


def test_a_link_to_a_place_of_others_is_refused(place: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    make_directory(place)
    (place / "postgres").symlink_to(foreign / "postgres")
    for owner, bits in ((STRANGER, 0o700), (0, 0o777)):
        os.chown(foreign, owner, -1)
        foreign.chmod(bits)
        with pytest.raises(EmbeddedServerError, match="no folder into which this account alone writes"):
            EmbeddedPostgres(place).acquire()
    foreign.rmdir()
    with pytest.raises(EmbeddedServerError, match="is gone: restore it"):
        EmbeddedPostgres(place).acquire()


@pytest.mark.parametrize("name", ["postmaster.pid", "postmaster.pid.new"])
def test_no_link_of_the_account_is_followed(tmp_path: Path, name: str) -> None:
    account, data, victim = ensure_server_account(), tmp_path / "postgres", tmp_path / "victim"
    victim.write_text("4711\nroot:hush\n")
    make_private_directory(data, account)
    if name != "postmaster.pid":
        (data / "postmaster.pid").write_text("4711\n/data\n")
    (data / name).symlink_to(victim)
    invalidate_pid_file(data, tmp_path, account)
    assert victim.read_text() == "4711\nroot:hush\n"
    assert reach.own_lines(data / "postmaster.pid") == ([] if name == "postmaster.pid" else ["2147483647", "/data"])
    if name != "postmaster.pid":
        assert (data / "postmaster.pid").stat().st_uid == (account or (0,))[0]
    for other in ("server.log", "PG_VERSION"):
        (data / other).symlink_to(victim)
        assert reach.own_lines(data / other) == []
    os.mkfifo(data / "pipe")
    assert reach.own_lines(data / "pipe") == []
    (tmp_path / "link").symlink_to(data)
    with pytest.raises(EmbeddedServerError, match="is a link, which is not followed"):
        make_private_directory(tmp_path / "link", account)


@pytest.mark.parametrize(("owner", "bits"), [(STRANGER, 0o700), (0, 0o777), (0, 0o750)])
def test_a_socket_folder_that_others_made_is_not_taken(place: Path, owner: int, bits: int) -> None:
    directory = make_directory(place / ("deep" * 30))
    first = socket_directory(directory)
    assert socket_directory(directory) == first
    os.chown(first, owner, -1)
    first.chmod(bits)
    second = socket_directory(directory)
    assert second != first
    assert (mode(second), second.stat().st_uid) == (0o700, 0)
    first.rmdir()
    remove_directory(directory)


def test_programs_of_a_closed_checkout_are_copied_and_run(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account, wheel = ensure_server_account(), program_directory(closed / "none").parent
    package = closed / wheel.parent.name
    shutil.copytree(wheel, package / wheel.name, symlinks=True)
    shutil.copytree(wheel.parent.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs", symlinks=True)
    with tempfile.TemporaryDirectory(prefix="nse-state-") as state:
        Path(state).chmod(0o711)
        monkeypatch.setattr(reach, "STATE", Path(state) / "nse")
        for _ in range(2):
            programs = reach.reachable_programs(package / wheel.name / "bin", account)
            assert programs.is_relative_to(state)
            version = subprocess.check_output(
                [programs / "initdb", "--version"], user=account and account[0], group=account and account[1], cwd="/"
            )
            assert b"PostgreSQL" in version
        assert [path.name for path in (Path(state) / "nse").iterdir() if path.name.startswith(".")] == []
