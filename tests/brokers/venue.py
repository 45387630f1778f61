"""A loopback server that plays a broker's vendor: routes with answers, faults, and a record of what arrived."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

JSON = "application/json"


@dataclass
class Request:
    """What arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What goes back; `fault` names a way to spoil it."""

    status: int = 200
    body: bytes = b""
    content_type: str | None = JSON
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""


def json_answer(content: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(
        status, json.dumps(content).encode(), headers={name.replace("_", "-"): v for name, v in headers.items()}
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    venue: "Venue"


class Venue:
    """Routes by method and path; `spoil` is asked first for each request."""

    def __init__(self) -> None:
        self.routes: dict[tuple[str, str], Callable[[Request], Answer]] = {}
        self.requests: list[Request] = []
        self.spoil: Callable[[Request, Answer], Answer] = lambda _request, answer: answer
        self.released = threading.Event()
        """Set when slow answers may end."""
        self.root = ""

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        route = self.routes.get((request.method, request.path))
        if route is None:
            for (method, path), candidate in self.routes.items():
                if path.endswith("*") and method == request.method and request.path.startswith(path[:-1]):
                    route = candidate
        normal = route(request) if route else json_answer({"message": "no such route"}, 404)
        return self.spoil(request, normal)

    def sent(self, method: str) -> list[Request]:
        return [request for request in self.requests if request.method == method]


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: Any) -> None: ...

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = dict(self.headers.items())
        request = Request(self.command, parts.path, parse_qs(parts.query), headers, body)
        answer = self.server.venue.answer(request)
        try:
            self._send(answer)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  # http.server's names

    def _send(self, answer: Answer) -> None:
        released = self.server.venue.released
        if answer.fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        if answer.fault == "slow":
            released.wait(30)
            self.close_connection = True
            return
        self.send_response(answer.status)
        if answer.content_type is not None:
            self.send_header("Content-Type", answer.content_type)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) + (7 if answer.fault == "cut" else 0)))
        self.end_headers()
        if answer.fault == "dripping":
            for byte in answer.body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if released.wait(0.02):
                    break
            self.close_connection = True
            return
        self.wfile.write(answer.body)
        if answer.fault == "cut":
            self.close_connection = True


@contextmanager
def serving() -> Iterator[Venue]:
    """A venue on a free port of 127.0.0.1."""
    server = _Server(("127.0.0.1", 0), _Connection)
    server.venue = venue = Venue()
    venue.root = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield venue
    finally:
        venue.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
