"""`/metrics` for Prometheus: runs, steps, rows, queues, picks and brokers' limits, and the processes' response times.

The database is read at a scrape, at most once a second, by a few bounded queries: the figures are the same whichever
process answers.
"""

import hmac
import ipaddress
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from brokers.connections import counted_as
from brokers.limits import ALLOWANCES, used_calls
from brokers.models import BrokerConfiguration
from market_data import tasks
from market_data.models import Finding, Heartbeat, PipelineRun, PipelineStep, TableTotal
from market_data.runs import attempts
from market_data.storage.queries import latest_loaded_session
from stocks.models import Publication
from tradingsite.monitoring import latency
from tradingsite.monitoring.kept_answers import Kept
from tradingsite.operations.rights import may_view_runs
from tradingsite.schedule import scheduled_jobs

_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")


class DatabaseMetrics(Collector):
    """Gauges read from the database."""

    def collect(self) -> Iterable[Metric]:
        yield from (
            _runs(),
            _successes(),
            *_steps(),
            *_tables(),
            *_clusters(timezone.now()),
            _findings(),
            _picks(),
            *_broker_calls(),
        )


class LatencyMetrics(Collector):
    """Response times of the web processes."""

    def collect(self) -> Iterable[Metric]:
        return latency.latency_metrics()


REGISTRY = CollectorRegistry(auto_describe=False)
REGISTRY.register(DatabaseMetrics())
REGISTRY.register(LatencyMetrics())


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Serve metrics to authorized scrapers."""
    if not may_scrape(request):
        refusal = "Metrics are for this machine, staff who may view runs, and METRICS_TOKEN as a bearer token.\n"
        return HttpResponse(refusal, status=403, content_type="text/plain; charset=utf-8")
    return HttpResponse(present_metrics(), content_type=CONTENT_TYPE_LATEST)


@Kept
def present_metrics() -> bytes:
    """All metrics as text, at most a second ago."""
    return generate_latest(REGISTRY)


def may_scrape(request: HttpRequest) -> bool:
    """Whether a request is by staff who may view runs, bears the token, or comes from this machine."""
    user = getattr(request, "user", AnonymousUser())
    return _bears_token(request) or may_view_runs(user) or _is_local(request)


def _bears_token(request: HttpRequest) -> bool:
    token = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
    return bool(settings.METRICS_SECRET_TOKEN) and hmac.compare_digest(token, settings.METRICS_SECRET_TOKEN.encode())


def _is_local(request: HttpRequest) -> bool:
    # Behind a proxy on this machine, every request comes from a local address.
    if any(name in request.META for name in _FORWARDED):
        return False
    if settings.PROXY_COUNT or getattr(settings, "SECURE_PROXY_SSL_HEADER", None):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _gauge(name: str, description: str, labels: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Metric:
    """Return a gauge; each row holds the labels' values and, last, the number (None: no sample)."""
    family = GaugeMetricFamily(f"trading_{name}", description, labels=labels)
    for *values, number in rows:
        if number is not None:
            family.add_metric([str(value) for value in values], float(str(number)))
    return family


def _runs() -> Metric:
    rows = PipelineRun.objects.values_list("job", "status").annotate(count=Count("pk")).order_by("job", "status")
    return _gauge("runs", "Runs kept, by job and status", ("job", "status"), rows)


def _successes() -> Metric:
    done = PipelineRun.objects.filter(status=PipelineRun.Status.COMPLETED).values_list("job")
    rows = ((job, ended.timestamp()) for job, ended in done.annotate(ended=Max("ended_at")).order_by("job") if ended)
    return _gauge("job_last_success_timestamp_seconds", "When a run of the job last completed", ("job",), rows)


def _steps() -> list[Metric]:
    newest = PipelineRun.objects.order_by("-sequence").values("pk")
    ids = [run["pk"] for saga in scheduled_jobs() for run in newest.filter(job=saga.job)[:1]]
    newest_steps = PipelineStep.objects.filter(run__in=ids).annotate(worked=attempts.time_at_work("step"))
    steps = list(newest_steps.select_related("run").order_by("run__job", "order"))
    labels = ("job", "step")
    records = ((s.run.job, s.name, s.records_processed) for s in steps)
    return [
        _gauge("step_records", "Records of the step, latest run", labels, records),
        _gauge("step_progress", "0-1, latest run", labels, ((s.run.job, s.name, s.progress) for s in steps)),
        _gauge("step_attempts", "Attempts, latest run", labels, ((s.run.job, s.name, s.attempts) for s in steps)),
        _gauge("step_seconds", "Time at work, latest run", labels, ((s.run.job, s.name, _seconds(s)) for s in steps)),
    ]


def _seconds(step: PipelineStep) -> float | None:
    worked: timedelta | None = getattr(step, "worked", None)
    return worked.total_seconds() if worked is not None and step.ended_at else None


def _tables() -> list[Metric]:
    totals = list(TableTotal.objects.order_by("table_name"))
    latest = latest_loaded_session()
    return [
        _gauge("table_rows", "Rows, as counted by the writers", ("table",), ((t.table_name, t.rows) for t in totals)),
        _gauge("latest_session_timestamp_seconds", "Midnight (IST) of the latest session", (), ((_midnight(latest),),)),
    ]


def _midnight(day: date | None) -> float | None:
    return None if day is None else datetime.combine(day, time(), tzinfo=timezone.get_default_timezone()).timestamp()


def _clusters(now: datetime) -> list[Metric]:
    beats = Heartbeat.objects.values_list("cluster", "finished_at")
    ages = ((name, (now - finished).total_seconds()) for name, finished in beats)
    queued = ((name, tasks.queue_length(name)) for name in settings.CLUSTERS)
    return [
        _gauge("queue_tasks", "Tasks waiting or running", ("cluster",), queued),
        _gauge("heartbeat_age_seconds", "Since the cluster's last heartbeat", ("cluster",), ages),
    ]


def _findings() -> Metric:
    latest = latest_loaded_session()
    rows = Finding.objects.filter(session=latest).values_list("severity", "blocks").annotate(count=Count("pk"))
    return _gauge("findings", "Findings of the latest session", ("severity", "blocks"), rows.order_by("severity"))


def _broker_calls() -> list[Metric]:
    """Calls that count, by account: its row's id, for a client id is nobody's business here."""
    used, labels = used_calls(), ("broker", "account", "bucket", "window_seconds")
    rows = [
        (account.broker, account.pk, allowance.counter, window, counted_as(account))
        for account in BrokerConfiguration.objects.filter(broker__in=ALLOWANCES).only("broker", "client_id", "app_key")
        for allowance in {kind.counter: kind for kind in ALLOWANCES[account.broker].values()}.values()
        for window in allowance.windows
    ]
    calls = [
        (broker, key, counter, f"{window.seconds:g}", used.get((broker, name, counter, window.seconds), 0))
        for broker, key, counter, window, name in rows
    ]
    budgets = [(broker, key, counter, f"{window.seconds:g}", window.calls) for broker, key, counter, window, _ in rows]
    return [
        _gauge("broker_calls_used", "Calls that count now in a limit of an account", labels, calls),
        _gauge("broker_calls_budget", "Calls that the limit takes", labels, budgets),
    ]


def _picks() -> Metric:
    newest = Publication.objects.filter(superseded_at=None).aggregate(latest=Max("date"))["latest"]
    rows = Publication.objects.filter(superseded_at=None, date=newest).values_list("strategy", "count")
    return _gauge("picks", "Picks in force, by strategy", ("strategy",), rows.order_by("strategy"))
