"""A client that costs little: a few keep-alive connections in one thread, each asking again when it was answered."""

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

_HEAD_END = b"\r\n\r\n"
_BLOCK = 1 << 18


class Burst(NamedTuple):
    """What a burst of requests took."""

    requests: int
    seconds: float
    latencies: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def p99(self) -> float:
        """Seconds that 99 of 100 requests stayed under."""
        return sorted(self.latencies)[int(0.99 * (len(self.latencies) - 1))]


def joined(bursts: Sequence[Burst]) -> Burst:
    """Several bursts as one."""
    latencies = tuple(latency for burst in bursts for latency in burst.latencies)
    return Burst(len(latencies), sum(burst.seconds for burst in bursts), latencies)


@dataclass
class _Connection:
    """One connection, the answer it is waiting for, and when it asked."""

    socket: socket.socket
    asked_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)
    wanted: int = 0

    def ask(self, request: bytes) -> None:
        self.received.clear()
        self.wanted = 0
        self.asked_at = time.perf_counter()
        self.socket.sendall(request)

    def is_answered(self) -> bool:
        """Take what has arrived; tell whether the answer is whole."""
        block = self.socket.recv(_BLOCK)
        if not block:
            raise ConnectionError("The server closed the connection.")
        self.received += block
        if not self.wanted:
            end = self.received.find(_HEAD_END)
            if end < 0:
                return False
            self.wanted = end + len(_HEAD_END) + _length(bytes(self.received[:end]))
        return len(self.received) >= self.wanted


def _length(head: bytes) -> int:
    status, *lines = head.split(b"\r\n")
    if status.split()[1] not in (b"200", b"304"):
        raise RuntimeError(f"The server answered {status.decode()}.")
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


class Client:
    """Keep-alive connections to one server on loopback.

    Parameters
    ----------
    port
        Where it listens on 127.0.0.1.
    connections
        How many ask at the same time.
    """

    def __init__(self, port: int, connections: int) -> None:
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._connections = [_Connection(socket.create_connection(("127.0.0.1", port))) for _ in range(connections)]
        for connection in self._connections:
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for connection in self._connections:
            connection.socket.close()

    def burst(self, path: str, requests: int, seconds: float, header: str = "") -> Burst:
        """Ask for a path again and again, at most so many times and so long."""
        request = f"GET {path} HTTP/1.1\r\nHost: localhost:{self._port}\r\nAccept: */*\r\n{header}\r\n".encode()
        latencies: list[float] = []
        begun, requests_sent = time.perf_counter(), 0
        for connection in self._connections:
            connection.ask(request)
            requests_sent += 1
        while len(latencies) < requests_sent:
            for key, _ in self._selector.select(timeout=30):
                connection = key.data
                if not connection.is_answered():
                    continue
                now = time.perf_counter()
                latencies.append(now - connection.asked_at)
                if requests_sent < requests and now - begun < seconds:
                    connection.ask(request)
                    requests_sent += 1
        return Burst(requests_sent, time.perf_counter() - begun, tuple(latencies))
