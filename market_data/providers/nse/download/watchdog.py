"""Ends a connection whose answer takes too long in all, which no time-out of a socket does.

A socket's time-out counts from the last byte: a server that sends one byte a second is never silent. The watchdog
therefore knows the sockets of the one session and shuts them when the time for an answer is over; whoever reads is
woken with an error.
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


class Watchdog:
    """Knows the open sockets, and shuts them when a limit passes."""

    def __init__(self) -> None:
        self.expired = False
        self._sockets: list[socket.socket] = []

    def watch(self, opened: socket.socket) -> None:
        """Remember a socket; there is one at a time, now and then a closed one before it."""
        self._sockets = [one for one in self._sockets if one.fileno() >= 0]
        self._sockets.append(opened)

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Shut all sockets when the block takes longer."""
        self.expired = False
        timer = threading.Timer(seconds, self._shut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def check(self) -> None:
        """Raise TimeoutError when the limit has passed: a shut socket may look like the end of an answer."""
        if self.expired:
            raise TimeoutError("the time for one answer is over")

    def close(self) -> None:
        """Forget the sockets; their session closes them."""
        self._sockets.clear()

    def _shut(self) -> None:
        self.expired = True
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class WatchedAdapter(HTTPAdapter):
    """Connects with one connection per host, and shows each socket to a watchdog; never retries by itself."""

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        super().__init__(pool_connections=2, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Let the pools open watched connections."""
        super().init_poolmanager(*arguments, **options)
        watchdog = self._watchdog

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                watchdog.watch(self.sock)

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                watchdog.watch(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
