"""Picks from the cache, against an empty page of the same site under the same server."""

import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

from stocks.models import Stock
from stocks.picks.screening import STRATEGIES
from tests.benchmarks.market import Market
from tests.benchmarks.measuring import Figure
from tests.benchmarks.place import ROOT, Place
from tests.benchmarks.web_client import Burst, Client, joined
from tests.published import pick, publish

_PICKS = "/api/suggested-stocks/?strategy=balanced"
_SEARCHED = "/api/suggested-stocks/?strategy=balanced&search=S4&limit=7"
_GZIP = "Accept-Encoding: gzip\r\n"
_CONNECTIONS = 8
_REQUESTS, _SECONDS = 500, 4.0
_SLICES = 8
"""A round alternates so many short bursts of each, so that what else the machine does meets both alike."""
_START_SECONDS = 180.0


class Server(NamedTuple):
    """How gunicorn is started: as the image's command does, and as development does."""

    name: str
    options: tuple[str, ...]


_SERVERS = (
    Server("production", ("--workers", "2", "--threads", "8")),
    Server("development", ("--threads", "8")),
)


def figures(place: Place, market: Market, rounds: int) -> list[Figure]:
    """Fifty picks of one strategy; once with a search, which is filtered at each request."""
    place.use("bench_picks")
    # As many as a market has: the latest session listed is looked up among them.
    listed = date(2026, 4, 30)
    Stock.objects.bulk_create(
        Stock(symbol=f"S{number}", kind="share", last_seen=listed) for number in range(market.symbols)
    )
    for strategy in STRATEGIES:
        publish(strategy, [pick(f"S{number}") for number in range(50)])
    figures = []
    for server in _SERVERS:
        with _running(place, server) as port, Client(port, _CONNECTIONS) as client:
            figures += _against_empty(place, client, server, rounds, _PICKS, "picks")
            if server is _SERVERS[0]:
                figures += _against_empty(place, client, server, rounds, _SEARCHED, "picks with search=", bound=False)
                figures += _against_empty(place, client, server, rounds, _PICKS, "picks, compressed", header=_GZIP)
    return figures


def _against_empty(
    place: Place,
    client: Client,
    server: Server,
    rounds: int,
    path: str,
    what: str,
    *,
    bound: bool = True,
    header: str = "",
) -> list[Figure]:
    for warm in (path, "/empty/"):
        client.burst(warm, 200, _SECONDS, header)
    ours, empty = [], []
    for number in range(1, rounds + 1):
        pairs = [
            (client.burst(path, _REQUESTS, _SECONDS, header), client.burst("/empty/", _REQUESTS, _SECONDS, header))
            for _ in range(_SLICES)
        ]
        ours.append(joined([mine for mine, _ in pairs]))
        empty.append(joined([theirs for _, theirs in pairs]))
        place.say(f"{what}, {server.name}, round {number}: {ours[-1].rate:.0f}/s against {empty[-1].rate:.0f}/s")
    where = (
        f"gunicorn {' '.join(server.options)}, {_CONNECTIONS} keep-alive connections,"
        f" {_SLICES} × {_REQUESTS} requests of each a round"
    )
    return [
        Figure(
            f"{what}, {server.name}: rate / empty page",
            tuple(a.rate / b.rate for a, b in zip(ours, empty, strict=True)),
            f"{_median_rate(ours):.0f}/s",
            f"{_median_rate(empty):.0f}/s",
            target=0.5 if bound else None,
            aim=0.8 if bound else None,
            note=f"{where}; the empty page goes through the same middleware.",
        ),
        Figure(
            f"{what}, {server.name}: p99 / empty page",
            tuple(a.p99 / b.p99 for a, b in zip(ours, empty, strict=True)),
            f"{1000 * statistics.median(burst.p99 for burst in ours):.1f} ms",
            f"{1000 * statistics.median(burst.p99 for burst in empty):.1f} ms",
            target=1.5 if bound else None,
            at_least=False,
            note="Slowest of 99 in 100 requests, of the same bursts.",
        ),
    ]


def _median_rate(bursts: Sequence[Burst]) -> float:
    return statistics.median(burst.rate for burst in bursts)


@contextmanager
def _running(place: Place, server: Server) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "gunicorn", "tradingsite.wsgi", "--bind", f"127.0.0.1:{port}", *server.options]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.benchmarks.server_settings"}
    with (place.directory / "gunicorn.out").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--log-level", "warning"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        _await(port, process, place.directory / "gunicorn.out")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=40)


def _await(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/empty/", timeout=5).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"gunicorn did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.2)
        else:
            return
