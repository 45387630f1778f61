"""Response times: a histogram by route, per process or, with PROMETHEUS_MULTIPROC_DIR, shared by all processes.

Several gunicorn processes answer in turn: without the shared folder (one memory-mapped file per process) each scrape
would show the counts of another process. The image sets it; the single process of `./run.sh dev` needs none.
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
    "Time until a response was ready, in seconds",
    ("route", "method", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0),
    registry=_OWN,
)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def measure_latency(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that records the time of each response."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = get_response(request)
        method = request.method if request.method in _METHODS else "other"
        labels = (_route(request), method, f"{response.status_code // 100}xx")
        SECONDS.labels(*labels).observe(time.perf_counter() - started)
        return response

    return respond


def latency_metrics() -> Iterable[Metric]:
    """Return the measured response times, of all processes if they share a folder."""
    if not settings.METRICS_DIR:
        return _OWN.collect()
    shared: Iterable[Metric] = MultiProcessCollector(CollectorRegistry(), str(settings.METRICS_DIR)).collect()  # type: ignore[no-untyped-call]
    return shared


def _route(request: HttpRequest) -> str:
    # The API's route or the part of the site, never the raw path: label values must stay few.
    match = request.resolver_match
    if match is None:
        return "none"
    if match.route.startswith("api/"):
        return f"/{match.route}"
    return "/admin/" if match.route.startswith("admin/") else "pages"
