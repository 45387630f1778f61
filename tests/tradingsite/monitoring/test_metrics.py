"""`/metrics`: what Prometheus reads, and who may read it."""

import subprocess
import sys
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from brokers.models import BrokerCall, BrokerConfiguration
from tests.architecture.sources import ROOT
from tests.tables import fill_every_table

pytestmark = pytest.mark.django_db
FAR = {"REMOTE_ADDR": "192.0.2.7"}


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_of_the_database_are_there(client):
    fill_every_table()
    with CaptureQueriesContext(connection) as queries:
        text = client.get("/metrics").content.decode()
    values = samples(text)
    assert values["trading_runs", "job=pipeline", "status=failed"] == 1
    assert values["trading_table_rows", "table=historical_data"] == 1
    assert values["trading_queue_tasks", "cluster=data"] == 1
    assert values["trading_queue_tasks", "cluster=ml"] == 0
    assert values["trading_step_records", "job=pipeline", "step=SYMBOL_MASTER"] == 2259
    assert values["trading_picks", "strategy=balanced"] == 1
    assert ("trading_heartbeat_age_seconds", "cluster=data") in values
    assert values["trading_latest_session_timestamp_seconds",] == 1777487400  # 2026-04-30 00:00 IST
    assert len(queries) <= 30
    assert not any('FROM "historical_data"' in query["sql"] for query in queries.captured_queries)


def test_calls_are_counted_by_account_without_naming_its_client(client):
    """Two calls of the last second, one of half a minute ago; the account's row stands for its client."""
    user = get_user_model().objects.create_user("asha")
    account = BrokerConfiguration.objects.create(user=user, broker="fyers", client_id="XA4711", app_key="APP-100")
    for seconds in (0, 0, 30, 90_000):
        ended_at = timezone.now() - timedelta(seconds=seconds)
        BrokerCall.objects.create(broker="fyers", account="XA4711", counter="all", ended_at=ended_at)
    text = client.get("/metrics").content.decode()
    labels = (f"account={account.pk}", "broker=fyers", "bucket=all")
    values = samples(text)
    used = [values["trading_broker_calls_used", *labels, f"window_seconds={window}"] for window in (60, 86400)]
    assert used == [3, 3]
    budgets = [values["trading_broker_calls_budget", *labels, f"window_seconds={window}"] for window in (1, 60, 86400)]
    assert budgets == [9, 190, 100_000]
    assert "XA4711" not in text
    assert "APP-100" not in text


def test_latencies_are_counted_by_route_and_never_by_path(client):
    for _ in range(2):
        client.get("/api/suggested-stocks/?limit=1")
    client.get("/no-such-page")
    text = client.get("/metrics").content.decode()
    values = samples(text)
    key = ("trading_http_request_seconds_count", "method=GET", "route=/api/suggested-stocks/", "status=2xx")
    assert values[key] >= 2
    assert "no-such-page" not in text


@pytest.mark.parametrize(
    "more",
    [
        FAR,
        {"HTTP_X_FORWARDED_FOR": "192.0.2.7"},
        {"HTTP_FORWARDED": "for=192.0.2.7"},
        {"HTTP_AUTHORIZATION": "Bearer ", **FAR},
    ],
)
def test_requests_from_elsewhere_are_refused(client, more):
    assert client.get("/metrics", **more).status_code == 403


def test_behind_a_proxy_a_local_address_proves_nothing(client, settings: Settings):
    settings.PROXY_COUNT = 1
    assert client.get("/metrics").status_code == 403
    settings.PROXY_COUNT = 0
    assert client.get("/metrics").status_code == 200
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert client.get("/metrics").status_code == 403


def test_the_token_and_staff_may_scrape(client, settings: Settings):
    settings.METRICS_SECRET_TOKEN = "s3cret"
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer s3cret", **FAR).status_code == 200
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer other", **FAR).status_code == 403
    client.force_login(get_user_model().objects.create_user("trader"))
    assert client.get("/metrics", **FAR).status_code == 403
    onlooker = get_user_model().objects.create_user("onlooker", is_staff=True)
    client.force_login(onlooker)
    assert client.get("/metrics", **FAR).status_code == 403
    onlooker.user_permissions.add(Permission.objects.get(codename="view_pipelinerun"))
    assert client.get("/metrics", **FAR).status_code == 200
    assert client.post("/metrics", **FAR).status_code == 405


SERVING = """
import os, django
django.setup()
from tradingsite.monitoring import latency
if os.fork() == 0:
    latency.SECONDS.labels("/api/x/", "GET", "2xx").observe(0.1)
    os._exit(0)
os.wait()
latency.SECONDS.labels("/api/x/", "GET", "2xx").observe(0.2)
print(sum(s.value for m in latency.latency_metrics() for s in m.samples if s.name.endswith("_count")))
"""


def test_processes_that_share_a_folder_count_together(tmp_path):
    environment = {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
        "DATABASE_URL": "postgresql:///unused",
        "DJANGO_SETTINGS_MODULE": "tradingsite.settings",
        "IGNORE_DOTENV": "1",
        "VAR_DIR": str(tmp_path / "var"),
        "LOG_FILE": str(tmp_path / "logs" / "app.log"),
    }
    scraper = subprocess.run(
        [sys.executable, "-c", SERVING], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert scraper.stdout == "2.0\n", scraper.stderr
