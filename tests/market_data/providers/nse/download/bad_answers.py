"""Bad answers of the exchange, or of a proxy in front of it."""

import gzip
import io
import zipfile
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from tests.market_data.providers.nse.download.exchange_server import LAST_MODIFIED, Fault, Handler

HTML = b"<!DOCTYPE html><html><body>Service is busy</body></html>"
ETAG = {"ETag": '"abc"', "Last-Modified": LAST_MODIFIED}


def answers(status: int, body: bytes = HTML, **headers: object) -> Fault:
    """A plain answer with a status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, _: handler.send(status, body, named)


def sends(change: Callable[[bytes], bytes], **headers: object) -> Fault:
    """Status 200 with a changed content."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, content: handler.send(200, change(content), named)


def broken_off(handler: Handler, content: bytes) -> None:
    """Half of what was announced."""
    handler.send(200, content[: len(content) // 2], {"Content-Length": len(content), **ETAG})
    handler.hang_up()


def too_little_announced(handler: Handler, content: bytes) -> None:
    """A length in the middle of a line, and the rest after it."""
    handler.send(200, content, {"Content-Length": len(content) * 2 // 3 + 7})
    handler.hang_up()


def at_a_line_without_length(handler: Handler, content: bytes) -> None:
    """No length, and a twentieth lost exactly at the end of a line."""
    kept = content[: content.rindex(b"\n", 0, len(content) * 19 // 20) + 1]
    handler.send(200, kept, {"Content-Length": None})


def dripping(handler: Handler, content: bytes) -> None:
    """A byte now and then: never silent, never done."""
    handler.send(200, b"", {"Content-Length": len(content)})
    for place in range(len(content)):
        if handler.exchange.stop.wait(0.05):
            return
        handler.wfile.write(content[place : place + 1])


def dripping_headers(handler: Handler, _: bytes) -> None:
    """Headers without end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.exchange.stop.wait(0.05):
        handler.wfile.write(b"a")


def silent(handler: Handler, _: bytes) -> None:
    """Nothing at all."""
    handler.exchange.stop.wait(5)
    handler.hang_up()


def silent_in_the_middle(handler: Handler, content: bytes) -> None:
    """Half, then nothing."""
    handler.send(200, content[: len(content) // 2], {"Content-Length": len(content)})
    handler.wfile.flush()
    handler.exchange.stop.wait(5)
    handler.hang_up()


def hangs_up(handler: Handler, _: bytes) -> None:
    """Not even a status."""
    handler.hang_up()


def no_http(handler: Handler, _: bytes) -> None:
    """Another protocol."""
    handler.wfile.write(b"220 ftp.example ready\r\n")
    handler.hang_up()


def endless_header(handler: Handler, _: bytes) -> None:
    """A header longer than any reader takes."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 70_000 + b"\r\n\r\n")
    handler.hang_up()


def broken_chunks(handler: Handler, content: bytes) -> None:
    """Chunks whose last one never comes."""
    handler.send(200, b"", {"Content-Length": None, "Transfer-Encoding": "chunked"})
    half = content[: len(content) // 2]
    handler.wfile.write(f"{len(half):x}\r\n".encode() + half + b"\r\n")
    handler.hang_up()


def nonsense_chunks(handler: Handler, _: bytes) -> None:
    """A chunk whose length is no number."""
    handler.send(200, b"zz\r\nabc\r\n0\r\n\r\n", {"Content-Length": None, "Transfer-Encoding": "chunked"})


def endless_chunks(handler: Handler, _: bytes) -> None:
    """A body that goes on for ever."""
    handler.send(200, b"", {"Content-Length": None, "Transfer-Encoding": "chunked"})
    block = b"SYMBOL," * 10_000
    while not handler.exchange.stop.is_set():
        handler.wfile.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")


def circle(handler: Handler, _: bytes) -> None:
    """A redirect to itself."""
    handler.send(302, b"", {"Location": handler.path})


def to_a_login(handler: Handler, _: bytes) -> None:
    """A redirect on the same host, to a page."""
    handler.send(302, b"", {"Location": "/login"})


def unasked_part(handler: Handler, content: bytes) -> None:
    """A part although the whole was asked for."""
    half = len(content) // 2
    handler.send(206, content[half:], {"Content-Range": f"bytes {half}-{len(content) - 1}/{len(content)}"})


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip of these members."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


@cache
def gzip_bomb(_: bytes) -> bytes:
    """30 MB of zeros in 30 KB."""
    return gzip.compress(b"\0" * 30_000_000, 1)


@cache
def zip_bomb(_: bytes) -> bytes:
    """70 MB of zeros in 70 KB."""
    return zipped({"a.csv": b"\0" * 70_000_000})


def without_last_lines(share: float) -> Callable[[bytes], bytes]:
    """The first lines only."""

    def cut(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        return b"".join(lines[: int(len(lines) * share)])

    return cut


def negative_prices(content: bytes) -> bytes:
    """Every price with a minus."""
    head, *rows = content.decode().splitlines() or [""]
    fields = [row.split(",") for row in rows]
    changed = [",".join([*row[:4], *(f" -{part.strip()}" for part in row[4:9]), *row[9:]]) for row in fields]
    return "\n".join([head, *changed]).encode() + b"\n"


class BadAnswer(NamedTuple):
    """A fault and a pattern of the resulting message."""

    fault: Fault
    message: str


CSV = {
    "no such file": BadAnswer(answers(404), "does not have it"),
    "gone": BadAnswer(answers(410), "does not have it"),
    "unauthorised": BadAnswer(answers(401), "New cookies did not help"),
    "forbidden": BadAnswer(answers(403), "New cookies did not help"),
    "bad request": BadAnswer(answers(400), "answers 400"),
    "teapot": BadAnswer(answers(418), "answers 418"),
    "too many, wait an hour": BadAnswer(answers(429, Retry_After="3600"), "wait 3600 seconds"),
    "too many, again and again": BadAnswer(answers(429), "answers 429.*requested 2 times"),
    "error": BadAnswer(answers(500), "answers 500.*requested 2 times"),
    "bad gateway": BadAnswer(answers(502), "answers 502"),
    "unavailable": BadAnswer(answers(503), "answers 503"),
    "gateway time-out": BadAnswer(answers(504), "answers 504"),
    "unavailable until a date": BadAnswer(
        answers(503, Date="Mon, 11 Mar 2024 13:00:00 GMT", Retry_After="Mon, 11 Mar 2024 14:00:00 GMT"),
        "wait 3600 seconds",
    ),
    "no content": BadAnswer(answers(204, b""), "answers 204"),
    "unasked: not modified": BadAnswer(answers(304, b""), "answers 304"),
    "unasked part": BadAnswer(unasked_part, "answers 206"),
    "broken off": BadAnswer(broken_off, "broke off after"),
    "too little announced": BadAnswer(too_little_announced, "middle of a line|truncated"),
    "lost tail without a length": BadAnswer(at_a_line_without_length, "truncated"),
    "dripping": BadAnswer(dripping, "broke off"),
    "dripping headers": BadAnswer(dripping_headers, "does not answer|broke off after 0 bytes"),
    "silent": BadAnswer(silent, "does not answer"),
    "silent in the middle": BadAnswer(silent_in_the_middle, "broke off"),
    "hangs up": BadAnswer(hangs_up, "does not answer"),
    "another protocol": BadAnswer(no_http, "does not answer"),
    "endless header": BadAnswer(endless_header, "does not answer"),
    "broken chunks": BadAnswer(broken_chunks, "broke off"),
    "nonsense chunks": BadAnswer(nonsense_chunks, "broke off"),
    "endless chunks": BadAnswer(endless_chunks, "grows beyond"),
    "enormous": BadAnswer(sends(lambda _: b"", Content_Length=10**12), "1,000,000,000,000 bytes"),
    "circle of redirects": BadAnswer(circle, "circle"),
    "redirect elsewhere": BadAnswer(
        answers(302, b"", Location="http://other.example/x?session=abc"), r"to other\.example"
    ),
    "redirect to another port": BadAnswer(answers(301, b"", Location="http://127.0.0.1:9/x"), "elsewhere"),
    "redirect to a login page": BadAnswer(to_a_login, "web page|does not have it"),
    "web page with status 200": BadAnswer(answers(200), "web page"),
    "JSON error with status 200": BadAnswer(answers(200, b'{"error": "busy"}'), "error message"),
    "empty": BadAnswer(answers(200, b""), "is empty"),
    "blanks": BadAnswer(answers(200, b" \r\n \r\n"), "is empty"),
    "header only": BadAnswer(sends(lambda content: content.partition(b"\n")[0] + b"\n"), "no rows"),
    "half the lines": BadAnswer(sends(without_last_lines(0.5)), "truncated"),
    "middle of a line": BadAnswer(
        sends(lambda content: content[: len(content) // 2 + 9]), "middle of a line|truncated"
    ),
    "another table": BadAnswer(answers(200, b"SYMBOL,NAME OF COMPANY\nAAA,A Limited\n"), "lacks the columns"),
    "negative prices": BadAnswer(sends(negative_prices), "were rejected"),
    "random bytes": BadAnswer(answers(200, bytes(range(256)) * 40), "holds NUL bytes"),
    "damaged gzip": BadAnswer(
        sends(lambda content: gzip.compress(content)[:-40] + b"x" * 40, Content_Encoding="gzip"),
        "middle of a line|truncated|broke off",
    ),
    "no gzip at all": BadAnswer(sends(lambda content: content, Content_Encoding="gzip"), "broke off"),
    "gzip bomb": BadAnswer(sends(gzip_bomb, Content_Encoding="gzip"), "grows beyond"),
    "a zip under the name of a csv": BadAnswer(sends(lambda content: zipped({"a.csv": content})), "holds NUL bytes"),
}

ZIP = {
    "truncated zip": BadAnswer(sends(lambda content: content[:-200]), "not a readable zip"),
    "damaged zip": BadAnswer(sends(lambda content: content[:400] + bytes(64) + content[464:]), "not a readable zip"),
    "empty zip": BadAnswer(sends(lambda _: zipped({})), "0 csv files"),
    "zip with two files": BadAnswer(sends(lambda _: zipped({"a.csv": b"a", "b.csv": b"b"})), "2 csv files"),
    "zip bomb": BadAnswer(sends(zip_bomb), "holds more than 67,108,864 bytes"),
    "zip in a zip": BadAnswer(sends(lambda content: zipped({"a.csv": content})), "holds NUL bytes"),
    "web page for a zip": BadAnswer(answers(200), "not a readable zip"),
    "csv for a zip": BadAnswer(answers(200, b"SYMBOL,SERIES\nA,EQ\n"), "not a readable zip"),
    "nothing for a zip": BadAnswer(answers(200, b""), "not a readable zip"),
    "zip broken off": BadAnswer(broken_off, "broke off"),
}
