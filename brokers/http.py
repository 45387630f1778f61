"""A deadline for a whole HTTP response, for all clients of exchanges and brokers, and the guard of a broker's session.

A socket's time-out counts from the last byte, so a server that sends one byte a second never reaches it. The deadline
therefore keeps track of its session's sockets and shuts them down when the time is up, which wakes the reader with an
error.

The brokers' own libraries follow redirects with their bodies, let `~/.netrc` replace the credentials, wait for ever and
report a lost answer as a rejection. `GuardedAdapter` does the transport in their place and remembers what the wire did.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_BLOCK: Final = 64 * 1024


class ResponseDeadline:
    """Shuts down the sockets of one session when a response takes too long."""

    def __init__(self) -> None:
        self.has_passed = False
        self.has_sent = False
        """Whether a request went out on a connection; whoever asks sets it back before the request."""
        self._sockets: list[socket.socket] = []

    def watch(self, connected: socket.socket) -> None:
        """Add a socket, and drop closed ones."""
        self._sockets = [active for active in self._sockets if active.fileno() >= 0]
        self._sockets.append(connected)
        if self.has_passed:
            self._shut_down()

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

            def putrequest(self, *arguments: Any, **options: Any) -> None:
                if self.sock is None:
                    self.connect()  # as http.client would with the first byte: from here on it may have been sent
                deadline.has_sent = True
                super().putrequest(*arguments, **options)

        class WatchedHTTPSConnection(WatchedHTTPConnection, HTTPSConnection):
            """Connects as HTTPS does: urllib3's class for it derives from that for HTTP."""

        class WatchedHTTPPool(HTTPConnectionPool):
            ConnectionCls = WatchedHTTPConnection

        class WatchedHTTPSPool(HTTPSConnectionPool):
            ConnectionCls = WatchedHTTPSConnection

        self.poolmanager.pool_classes_by_scheme = {"http": WatchedHTTPPool, "https": WatchedHTTPSPool}


class AnswerTooLarge(Exception):
    """More bytes than any documented answer has."""


class ForeignAddress(Exception):
    """A request to another host than the session's own, which was not sent."""


@dataclass(frozen=True)
class AnswerLimits:
    """How long the server may be silent, how long a whole answer may take, and how large it may be once unpacked."""

    silence_seconds: float = 7.0
    answer_seconds: float = 20.0
    max_bytes: int = 32 * 1024 * 1024


@dataclass(frozen=True)
class Exchange:
    """What the wire did with one request: an answer, or a failure and perhaps the beginning of one."""

    was_sent: bool
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    failure: Exception | None = None


Turn = Callable[[str], AbstractContextManager[None]]
"""Waits until a call of a bucket may be sent; the context ends with the answer."""


def no_turn(_bucket: str) -> AbstractContextManager[None]:
    """A turn at nothing, for addresses without limits."""
    return contextlib.nullcontext()


class GuardedAdapter(DeadlineAdapter):
    """The transport of one session to one root address, for one thread.

    `exchanges` are those since `forget()`; `bucket` is what the next request counts as at the limiter. A body arrives
    whole or not at all; the headers that libraries would follow to other hosts are never acted upon (`guard_session`).
    """

    def __init__(self, root: str, limits: AnswerLimits, turn: Turn = no_turn) -> None:
        self.root, self.limits, self.bucket = root, limits, ""
        self.exchanges: list[Exchange] = []
        self._turn, self._answer_deadline = turn, ResponseDeadline()
        super().__init__(self._answer_deadline)

    def forget(self) -> None:
        """Start a new call."""
        self.exchanges = []

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        """Send a request and read its whole answer; what happens is recorded, and errors are raised on."""
        deadline = self._answer_deadline
        deadline.has_sent = False
        response: requests.Response | None = None
        try:
            if not (request.url or "").startswith(f"{self.root}/"):
                raise ForeignAddress(f"a request of the session for {self.root} went elsewhere and was not sent")
            with self._turn(self.bucket), deadline.limit(self.limits.answer_seconds):
                response = super().send(
                    request,
                    stream=True,
                    timeout=(self.limits.silence_seconds, self.limits.silence_seconds),
                    verify=options.get("verify", True),
                    cert=options.get("cert"),
                )
                body = self._body(response)
        except Exception as error:
            status = response.status_code if response is not None else None
            self.exchanges.append(Exchange(deadline.has_sent, status, failure=error))
            if response is not None:
                response.close()
            if isinstance(error, urllib3.exceptions.HTTPError):
                raise requests.ConnectionError(type(error).__name__, request=request) from error
            raise
        self.exchanges.append(Exchange(True, response.status_code, response.headers, body))
        response._content, response._content_consumed = body, True  # type: ignore[attr-defined]  # for the library
        return response

    def _body(self, response: requests.Response) -> bytes:
        blocks, size = [], 0
        while block := response.raw.read1(_BLOCK, decode_content=True):
            self._answer_deadline.check()
            blocks.append(block)
            size += len(block)
            if size > self.limits.max_bytes:
                raise AnswerTooLarge(f"more than {self.limits.max_bytes:,} bytes")
        self._answer_deadline.check()
        return b"".join(blocks)


def guard_session(session: requests.Session, adapter: GuardedAdapter) -> None:
    """Put a session behind an adapter: no redirects, and nothing from the environment (`.netrc`, proxies)."""
    session.max_redirects = 0
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
