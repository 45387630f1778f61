"""`/healthz` and `/readyz` answer everybody; the latter checks the database, the cache, the clusters and the data."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from market_data.models import Heartbeat, MarketDay, SourceFile
from tests.runs import make_run
from tradingsite.monitoring.readiness import PARTS, readiness

IST = ZoneInfo("Asia/Kolkata")
FRIDAY, MONDAY = date(2026, 4, 24), date(2026, 4, 27)
NOON = datetime(2026, 4, 27, 12, tzinfo=IST)


@pytest.fixture
def market(db):
    """A calendar of three weekdays, Friday loaded, both clusters alive."""
    for day in (date(2026, 4, 23), FRIDAY, MONDAY, date(2026, 4, 28)):
        MarketDay.objects.create(date=day, kind="normal", is_session=True, open="09:15", close="15:30", source="test")
    SourceFile.objects.create(session=FRIDAY, name="a", size=1, mtime_ns=1, sha256="0" * 64, rows=1, rejected=0)
    for cluster in ("data", "ml"):
        Heartbeat.objects.create(cluster=cluster, finished_at=NOON)


def failing_parts(now: datetime) -> set[str]:
    return {name for name, part in readiness(now).items() if not part["ok"]}


def test_alive_touches_no_database(settings: Settings):
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["trading.example"], True
    answer = Client(headers={"host": "127.0.0.1:5001"}).get("/healthz")  # without the database this test may not use
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
    assert answer["Cache-Control"] == "no-store"
    assert Client().post("/healthz").status_code == 405


@pytest.mark.django_db
def test_it_answers_without_the_sites_name_and_without_tls(settings: Settings):
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["trading.example"], True
    client = Client(headers={"host": "127.0.0.1:5001"})
    answer = client.get("/readyz?only=database,cache")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert set(answer.json()["parts"]) == {"database", "cache"}
    assert client.get("/").status_code in (301, 400)  # anything else still needs both


@pytest.mark.django_db
def test_an_empty_system_is_not_ready_and_names_the_remedy(client, caplog):
    answer = client.get("/readyz")
    assert [record for record in caplog.records if record.name == "django.request"] == []
    assert answer.status_code == 503
    parts = answer.json()["parts"]
    assert list(parts) == list(PARTS)
    assert "run_all" in parts["data"]["detail"]
    assert "data, ml" in parts["clusters"]["detail"]
    assert client.get("/readyz?only=disks").status_code == 400


def test_data_are_fresh_until_the_next_sessions_deadline(market):
    assert failing_parts(NOON) == set()
    evening = NOON.replace(hour=23, minute=30)
    assert "data" not in failing_parts(evening)  # Monday's files may still come
    assert "data" in failing_parts(NOON + timedelta(days=1))
    assert str(MONDAY) in readiness(NOON + timedelta(days=1))["data"]["detail"]


def test_a_silent_cluster_is_not_ready_unless_it_holds_a_lease(market):
    late = NOON + timedelta(minutes=4)
    OrmQ.objects.create(key="data", payload="x", lock=NOON)
    assert failing_parts(late) == {"clusters"}
    Heartbeat.objects.filter(cluster="ml").update(finished_at=late)
    run = make_run()
    run.steps.filter(status="running").update(lease_until=late + timedelta(minutes=1))
    assert failing_parts(late) == set()


@pytest.mark.django_db
def test_an_unreachable_cache_is_not_ready(settings: Settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
            "OPTIONS": {"IGNORE_EXCEPTIONS": True, "SOCKET_CONNECT_TIMEOUT": 1},
        }
    }
    assert not readiness(timezone.now(), ["cache"])["cache"]["ok"]


@pytest.mark.django_db
def test_parts_are_unknown_while_the_database_fails(monkeypatch):
    from django.db import DatabaseError

    def broken(now: datetime) -> dict[str, object]:
        raise DatabaseError("FATAL: password of trader@10.0.0.1")

    monkeypatch.setitem(PARTS, "data", broken)
    parts = readiness(timezone.now())
    assert {"database", "data"} <= {name for name, part in parts.items() if not part["ok"]}
    assert parts["cache"]["ok"]
    assert "10.0.0.1" not in str(parts)
