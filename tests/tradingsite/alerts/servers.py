"""Loopback servers that take alerts: one for HTTP with programmable answers, one for mail."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class WebSink(ThreadingHTTPServer):
    """Records requests and answers with `codes`, repeating the last; a 0 never answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _WebHandler)
        self.codes = [200]
        self.location = ""
        self.requests: list[tuple[str, str, Any]] = []
        self.go_on = threading.Event()

    @property
    def address(self) -> str:
        """URL it listens at."""
        return f"http://127.0.0.1:{self.server_port}"


class _WebHandler(BaseHTTPRequestHandler):
    server: WebSink

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sink = self.server
        sink.requests.append((self.command, self.path, json.loads(body) if body else None))
        code = sink.codes.pop(0) if len(sink.codes) > 1 else sink.codes[0]
        if code == 0:
            sink.go_on.wait(20)
            return
        self.send_response(code)
        if sink.location:
            self.send_header("Location", sink.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _answer  # noqa: N815  # the library's names

    def log_message(self, *_: Any) -> None:
        """Keep the terminal quiet."""


@contextmanager
def web_sink() -> Iterator[WebSink]:
    """Serve until the block ends."""
    with WebSink() as sink:
        thread = threading.Thread(target=sink.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield sink
        sink.go_on.set()
        sink.shutdown()
        thread.join()


class MailSink(socketserver.ThreadingTCPServer):
    """Records mails; with `refuses` it accepts no recipient."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MailHandler)
        self.refuses = False
        self.mails: list[str] = []
        self.recipients: list[str] = []


class _MailHandler(socketserver.StreamRequestHandler):
    server: MailSink

    def handle(self) -> None:
        """Speak the part of SMTP that a client needs."""
        self._say("220 sink")
        for line in self.rfile:
            word = line.decode().strip().upper()
            if word.startswith("QUIT"):
                self._say("221 bye")
                return
            if word == "DATA":
                self._say("354 go on")
                self.server.mails.append(self._mail())
            if word.startswith("RCPT"):
                self.server.recipients.append(line.decode().strip())
                if self.server.refuses:
                    self._say("550 no such mailbox")
                    continue
            self._say("250 ok")

    def _mail(self) -> str:
        lines = []
        for line in self.rfile:
            if line.strip() == b".":
                break
            lines.append(line.decode())
        return "".join(lines)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    """Serve until the block ends."""
    with MailSink() as sink:
        thread = threading.Thread(target=sink.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield sink
        sink.shutdown()
        thread.join()
