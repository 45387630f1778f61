"""A loopback server that serves a folder as the exchange does, or gives the bad answers it is configured for."""

import gzip
import hashlib
import io
import re
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Fault = Callable[["Handler", bytes], None]
"""Answers a request badly; gets what a good answer would hold (nothing when there is no such file)."""

LAST_MODIFIED = "Mon, 11 Mar 2024 13:00:00 GMT"


@dataclass
class Request:
    """One request: path, headers, and how many others were being answered at that moment."""

    path: str
    headers: dict[str, str]
    at_once: int
    at: float


@dataclass
class Exchange:
    """The server's state: what it serves, what it wants, the requests it received."""

    folder: Path
    address: str = ""
    wants_cookies: bool = True
    zips: bool = False
    token: int = 1
    faults: dict[str, Fault | list[Fault]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    active: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def requests_for(self, part: str) -> list[Request]:
        """The requests whose path contains a text."""
        return [request for request in self.requests if part in request.path]

    def fault_for(self, path: str) -> Fault | None:
        for pattern, fault in self.faults.items():
            if re.search(pattern, path):
                if isinstance(fault, list):
                    return fault.pop(0) if fault else None
                return fault
        return None

    def content(self, path: str) -> bytes | None:
        """What a good answer holds."""
        parts = urlsplit(path)
        name = parts.path.rpartition("/")[2]
        if parts.path.startswith("/api/corporates"):
            return self._actions(parse_qs(parts.query))
        if parts.path.startswith("/api/holiday"):
            return next(iter(sorted((self.folder / "lists").glob("nse-holidays-*.json")))).read_bytes()
        if name.startswith("PR") and name.endswith(".zip"):
            return self._reports(datetime.strptime(name[2:8], "%d%m%y").date())
        places = (self.folder / "bhavcopy", self.folder / "lists", *sorted((self.folder / "reports").glob("*")))
        return next(((place / name).read_bytes() for place in places if name and (place / name).is_file()), None)

    def _reports(self, day: date) -> bytes | None:
        pack = self.folder / "reports" / day.isoformat()
        if not pack.is_dir():
            return None
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(pack.glob("*.csv")):
                if path.name.startswith(("mcap", "pd")):
                    archive.writestr(zipfile.ZipInfo(path.name.upper(), (2024, 1, 1, 0, 0, 0)), path.read_bytes())
            archive.writestr("readme.txt", "about these files")
        return packed.getvalue()

    def _actions(self, query: dict[str, list[str]]) -> bytes:
        first, last = (datetime.strptime(query[name][0], "%d-%m-%Y") for name in ("from_date", "to_date"))
        head, *rows = (self.folder / "lists" / "CF-CA-equities.csv").read_text(encoding="utf-8-sig").splitlines()
        kept = [
            row
            for row in rows
            if first <= datetime.strptime(re.findall(r"\d\d-\w{3}-\d{4}", row)[0], "%d-%b-%Y") <= last
        ]
        return ("\n".join([head.replace('"SYMBOL"', '"SYMBOL \n"'), *kept]) + "\n").encode("utf-8-sig")


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    exchange: Exchange

    def do_GET(self) -> None:
        exchange = self.exchange
        exchange.active += 1
        exchange.requests.append(Request(self.path, dict(self.headers), exchange.active, time.monotonic()))
        try:
            self._answer()
        finally:
            exchange.active -= 1

    def _answer(self) -> None:
        exchange = self.exchange
        content = exchange.content(self.path)
        fault = exchange.fault_for(self.path)
        if fault is not None:
            fault(self, content or b"")
        elif self.path == "/":
            cookie = f"nsit=secret-{exchange.token}; Path=/; HttpOnly"
            self.send(200, b"<html>The exchange</html>", {"Set-Cookie": cookie, "Content-Type": "text/html"})
        elif not self._is_welcome():
            self.send(403, b"<html>Access Denied</html>")
        elif content is None:
            self.send(404, b"<html>Not found</html>")
        else:
            self._file(content)

    def _is_welcome(self) -> bool:
        cookie = f"nsit=secret-{self.exchange.token}"
        has_cookie = not self.exchange.wants_cookies or cookie in self.headers.get("Cookie", "")
        return has_cookie and "Mozilla" in self.headers.get("User-Agent", "")

    def _file(self, content: bytes) -> None:
        tag = f'"{hashlib.sha256(content).hexdigest()[:12]}"'
        versions = {"ETag": tag, "Last-Modified": LAST_MODIFIED}
        if self.headers.get("If-None-Match") == tag:
            self.send(304, b"", versions)
        elif self.exchange.zips:
            self.send(200, gzip.compress(content), versions | {"Content-Encoding": "gzip"})
        else:
            self.send(200, content, versions)

    def send(self, status: int, body: bytes = b"", headers: dict[str, Any] | None = None) -> None:
        """Send a whole answer; a header given as None is left out."""
        self.send_response_only(status)
        fields = {"Content-Length": len(body)} | (headers or {})
        for name, value in fields.items():
            if value is not None:
                self.send_header(name, str(value))
        if fields["Content-Length"] is None:
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        """Close the connection."""
        self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no error here."""


@contextmanager
def serving(folder: Path) -> Iterator[Exchange]:
    """Serve a folder on loopback."""
    exchange = Exchange(folder)
    handler = type("OwnHandler", (Handler,), {"exchange": exchange})
    with _Server(("127.0.0.1", 0), handler) as server:
        exchange.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield exchange
        finally:
            exchange.stop.set()
            server.shutdown()
            thread.join()


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%d-%b-%Y")
