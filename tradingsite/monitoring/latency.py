"""How long answers take: a histogram by route, kept per process or, where PROMETHEUS_MULTIPROC_DIR is set, shared.

Several gunicorn processes answer in turn: without the shared folder (files mapped into memory, one a process) each
scrape would show another one's counts. The image sets it; the one process of `./run.sh dev` needs none.
"""

import time
from collections.abc import Callable, Iterable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from prometheus_client import CollectorRegistry, Histogram, Metric
from prometheus_client.multiprocess import MultiProcessCollector

if settings.METRICS_DIR:
    settings.METRICS_DIR.mkdir(parents=True, exist_ok=True)

_OWN = CollectorRegistry()
SECONDS = Histogram(
    "trading_http_request_seconds",
    "Time until an answer was ready, in seconds",
    ("route", "method", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0),
    registry=_OWN,
)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def measure_latency(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that notes each answer's time."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = get_response(request)
        method = request.method if request.method in _METHODS else "other"
        labels = (_route(request), method, f"{response.status_code // 100}xx")
        SECONDS.labels(*labels).observe(time.perf_counter() - began)
        return response

    return respond


def collected() -> Iterable[Metric]:
    """Return what was measured, of all processes where they share a folder."""
    if not settings.METRICS_DIR:
        return _OWN.collect()
    every: Iterable[Metric] = MultiProcessCollector(CollectorRegistry(), str(settings.METRICS_DIR)).collect()  # type: ignore[no-untyped-call]
    return every


def _route(request: HttpRequest) -> str:
    """Return the API's route, or the part of the site: never a path, of which there is no end."""
    match = request.resolver_match
    if match is None:
        return "none"
    if match.route.startswith("api/"):
        return f"/{match.route}"
    return "/admin/" if match.route.startswith("admin/") else "pages"
