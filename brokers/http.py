"""A deadline for a whole HTTP response, for every client of an exchange or a broker.

A socket's time-out counts from the last byte, so a server that sends one byte a second never reaches it. The deadline
therefore keeps track of its session's sockets and shuts them down when the time is up, which wakes the reader with an
error.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class ResponseDeadline:
    """Shuts down the sockets of one session when a response takes too long."""

    def __init__(self) -> None:
        self.has_passed = False
        self._sockets: list[socket.socket] = []

    def watch(self, connected: socket.socket) -> None:
        """Add a socket, and drop closed ones."""
        self._sockets = [active for active in self._sockets if active.fileno() >= 0]
        self._sockets.append(connected)

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Shut down all sockets when the block takes longer."""
        self.has_passed = False
        timer = threading.Timer(seconds, self._shut_down)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def check(self) -> None:
        """Raise TimeoutError once the time is up: a socket that was shut down may look like the end of a response."""
        if self.has_passed:
            raise TimeoutError("the time for one response is up")

    def close(self) -> None:
        """Drop the sockets; their session closes them."""
        self._sockets.clear()

    def _shut_down(self) -> None:
        self.has_passed = True
        for connected in self._sockets:
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)


class DeadlineAdapter(HTTPAdapter):
    """Keeps one connection per host, reports each socket to a deadline, and never retries by itself."""

    def __init__(self, deadline: ResponseDeadline) -> None:
        self._deadline = deadline
        super().__init__(pool_connections=2, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools open watched connections."""
        super().init_poolmanager(*arguments, **options)
        deadline = self._deadline

        class WatchedHTTPConnection(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                deadline.watch(self.sock)

        class WatchedHTTPSConnection(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                deadline.watch(self.sock)

        class WatchedHTTPPool(HTTPConnectionPool):
            ConnectionCls = WatchedHTTPConnection

        class WatchedHTTPSPool(HTTPSConnectionPool):
            ConnectionCls = WatchedHTTPSConnection

        self.poolmanager.pool_classes_by_scheme = {"http": WatchedHTTPPool, "https": WatchedHTTPSPool}
