"""Findings, clusters, disks and picks; a condition that breaks does not silence the others."""

import shutil
from collections import namedtuple
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django_q.models import OrmQ
from pytest_django import Settings

from market_data.models import Finding, Heartbeat, MarketDay, PipelineStep
from stocks.models import Publication
from tests.runs import make_run
from tradingsite.alerts import conditions
from tradingsite.alerts.symptoms import CheckContext, ConditionResult
from tradingsite.clusters.liveness import Liveness

pytestmark = pytest.mark.django_db

IST = ZoneInfo("Asia/Kolkata")
SESSION, NEXT = date(2026, 4, 30), date(2026, 5, 4)  # Thursday, and Monday after the holiday of the 1st of May
NOW = datetime(2026, 5, 4, 9, 0, tzinfo=IST)
LONG_AGO = datetime(2026, 1, 1, tzinfo=IST)
Usage = namedtuple("Usage", "total used free")  # as shutil's


def context(now: datetime = NOW, since: datetime = LONG_AGO, cluster: str = "data", open_keys=None) -> CheckContext:
    return CheckContext(now, since, cluster, "host", open_keys or {})


def keys(result: ConditionResult) -> list[str]:
    return [symptom.key for symptom in result.symptoms]


def finding(check: str, **facts) -> None:
    shown = {"session": SESSION, "severity": "error", "blocks": True, "message": f"{check} is wrong", "remedy": "Look."}
    Finding.objects.create(run_id="r", check_name=check, **(shown | facts))


def test_one_symptom_per_blocking_check_of_the_latest_session():
    make_run(status="completed", done=6)
    finding("bar_count", session=SESSION - timedelta(days=1))
    finding("price_jump", symbol="AAA")
    finding("price_jump", symbol="BBB")
    finding("unit_error", blocks=False, severity="warning")
    finding("no_bars")
    result = conditions.blocking_findings(context())
    assert keys(result) == ["findings:no_bars", "findings:price_jump"]
    assert result.symptoms[1].title == ("The check price_jump found on 2026-04-30 (2 shares): price_jump is wrong")
    assert result.symptoms[0].remedy == "Look."


def test_an_old_back_up_is_a_symptom_until_there_is_a_new_one(settings: Settings, tmp_path: Path):
    settings.PROVIDER_KIND = "real"
    make_run("pipeline_1", created_at=NOW - timedelta(days=9))
    result = conditions.old_backups(context())
    assert [(symptom.key, symptom.title) for symptom in result.symptoms] == [
        ("backups:age", "There is no good back-up.")
    ]
    assert result.symptoms[0].remedy
    (tmp_path / "a.zip").write_bytes(b"12345")
    summary = {"file": str(tmp_path / "a.zip"), "bytes": 5}
    facts: dict[str, Any] = {"provider_kind": "real", "started_at": NOW - timedelta(hours=5), "summary": summary}
    make_run("backup_1", job="backup", status="completed", names=(), **facts)
    assert conditions.old_backups(context()).symptoms == []
    assert keys(conditions.old_backups(context(NOW + timedelta(days=3)))) == ["backups:age"]


def test_a_simulated_market_needs_no_back_up():
    make_run("pipeline_1", created_at=NOW - timedelta(days=9))
    assert conditions.old_backups(context()).symptoms == []


@pytest.fixture
def due_tasks() -> None:
    for cluster in ("data", "ml"):
        OrmQ.objects.create(key=cluster, payload="x", lock=NOW - timedelta(hours=1))


@pytest.mark.usefixtures("due_tasks")
def test_a_silent_cluster_is_stuck_unless_it_holds_a_lease():
    Heartbeat.objects.create(cluster="data", finished_at=NOW - timedelta(seconds=100))
    Heartbeat.objects.create(cluster="ml", finished_at=NOW - timedelta(minutes=7))
    result = conditions.stuck_clusters(context())
    assert keys(result) == ["clusters:ml"]
    assert "for 7 minutes" in result.symptoms[0].title
    make_run("training_1", job="training", names=("TRAIN",), done=0)
    PipelineStep.objects.filter(name="TRAIN").update(lease_until=NOW + timedelta(seconds=40))
    assert keys(conditions.stuck_clusters(context())) == []


@pytest.mark.usefixtures("due_tasks")
def test_a_cluster_that_never_beat_is_given_three_minutes_of_watching():
    assert keys(conditions.stuck_clusters(context(since=NOW - timedelta(minutes=2)))) == []
    watched = context(since=NOW - timedelta(minutes=4))
    assert keys(conditions.stuck_clusters(watched)) == ["clusters:data", "clusters:ml"]
    assert "since it was started" in conditions.stuck_cluster(Liveness("ml", NOW)).title


@pytest.mark.parametrize(
    ("free", "symptoms", "unknown_keys"), [(9, 1, 0), (10, 0, 1), (11, 0, 1), (12, 0, 0), (60, 0, 0)]
)
def test_a_disk_is_a_symptom_below_a_tenth_and_over_above_twelve_hundredths(
    monkeypatch: pytest.MonkeyPatch, free: int, symptoms: int, unknown_keys: int
):
    # Of 120 parts 20 are the file system's own reserve.
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(120, 100 - free, free))
    result = conditions.full_disks(context())
    assert (len(result.symptoms), len(result.unknown_keys)) == (symptoms, unknown_keys)
    assert all(symptom.key.startswith("disks:host:/") for symptom in result.symptoms)


def test_only_the_first_cluster_checks_disks_and_only_its_hosts():
    open_keys = {"disks:host:/a": NOW, "disks:other:/a": NOW, "disks:gone:/a": NOW - timedelta(days=2)}
    second = conditions.full_disks(context(cluster="ml", open_keys=open_keys))
    assert second.unknown_keys == {"disks:host:/a", "disks:other:/a"}
    assert "disks:other:/a" in conditions.full_disks(context(open_keys=open_keys)).unknown_keys
    assert "disks:host:/a" not in conditions.full_disks(context(open_keys=open_keys)).unknown_keys


def test_real_folders_are_measured_once_per_file_system(tmp_path: Path):
    result = conditions.free_shares([tmp_path, tmp_path / "not" / "there"])
    assert [folder for folder, _ in result] == [tmp_path]
    assert 0 < result[0][1] <= 1


class TestPicks:
    @pytest.fixture(autouse=True)
    def days(self):
        for number in range(-3, 8):
            day = SESSION + timedelta(days=number)
            session = day.weekday() < 5 and day != date(2026, 5, 1)
            MarketDay.objects.create(date=day, kind="normal", is_session=session, source="test")

    def publish(self, day: date, count: int, reason: str = "") -> None:
        Publication.objects.create(
            date=day, strategy="growth", version=1, published_at=NOW, run_id="r", count=count, reason=reason
        )

    def test_missing_at_nine_of_the_session_they_are_meant_for(self):
        self.publish(SESSION - timedelta(days=1), 50)
        assert keys(conditions.missing_picks(context(NOW - timedelta(seconds=1)))) == []
        result = conditions.missing_picks(context())
        assert keys(result) == ["picks:published"]
        assert result.symptoms[0].title == "No picks were published for 2026-05-04 by 09:00."
        self.publish(SESSION, 50)
        assert keys(conditions.missing_picks(context())) == []

    def test_a_missing_list_stays_missing_over_the_days_without_sessions(self):
        sunday = datetime(2026, 5, 3, 12, 0, tzinfo=IST)
        assert keys(conditions.missing_picks(context(sunday))) == ["picks:published"]  # for Thursday
        assert keys(conditions.missing_picks(context(sunday, since=datetime(2026, 5, 2, tzinfo=IST)))) == []

    def test_empty_lists_are_reported_with_their_reason(self):
        self.publish(SESSION, 0, "No model is trusted.")
        title = conditions.missing_picks(context()).symptoms[0].title
        assert title == "All lists of picks for 2026-05-04 are empty: No model is trusted."


@pytest.mark.usefixtures("due_tasks")
def test_a_condition_that_breaks_is_a_symptom_and_silences_no_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    MarketDay.objects.create(date=date(2020, 1, 1), kind="normal", is_session=True, source="test")  # ends long ago

    def broken(_: CheckContext) -> ConditionResult:
        Finding.objects.create(session="no date")  # leaves its transaction unusable
        return ConditionResult()

    monkeypatch.setitem(conditions.CONDITIONS, "findings", broken)
    result = conditions.check_conditions(context(open_keys={"findings:no_bars": NOW, "picks:published": NOW}))
    titles = {symptom.key: symptom.title for symptom in result.symptoms}
    assert {"watch:findings", "watch:picks", "clusters:data", "clusters:ml"} <= titles.keys()
    assert "import_market_days" in titles["watch:picks"]
    assert {"findings:no_bars", "picks:published"} <= result.unknown_keys
