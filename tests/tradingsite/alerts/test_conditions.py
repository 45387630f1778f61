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
from tradingsite.alerts.symptoms import Seen, Watch
from tradingsite.clusters.liveness import Liveness

pytestmark = pytest.mark.django_db

IST = ZoneInfo("Asia/Kolkata")
SESSION, NEXT = date(2026, 4, 30), date(2026, 5, 4)  # Thursday, and Monday after the holiday of the 1st of May
NOW = datetime(2026, 5, 4, 9, 0, tzinfo=IST)
LONG_AGO = datetime(2026, 1, 1, tzinfo=IST)
Usage = namedtuple("Usage", "total used free")  # as shutil's


def watch(now: datetime = NOW, since: datetime = LONG_AGO, cluster: str = "data", told=None) -> Watch:
    return Watch(now, since, cluster, "host", told or {})


def keys(found: Seen) -> list[str]:
    return [symptom.key for symptom in found.symptoms]


def finding(check: str, **facts) -> None:
    shown = {"session": SESSION, "severity": "error", "blocks": True, "message": f"{check} is wrong", "remedy": "Look."}
    Finding.objects.create(run_id="r", check_name=check, **(shown | facts))


def test_one_symptom_a_blocking_check_of_the_latest_session():
    make_run(status="completed", done=6)
    finding("bar_count", session=SESSION - timedelta(days=1))
    finding("price_jump", symbol="AAA")
    finding("price_jump", symbol="BBB")
    finding("unit_error", blocks=False, severity="warning")
    finding("no_bars")
    found = conditions.blocking_findings(watch())
    assert keys(found) == ["findings:no_bars", "findings:price_jump"]
    assert found.symptoms[1].title == ("The check price_jump found on 2026-04-30 (2 shares): price_jump is wrong")
    assert found.symptoms[0].remedy == "Look."


def test_an_old_back_up_is_told_until_there_is_a_new_one(settings: Settings, tmp_path: Path):
    settings.PROVIDER_KIND = "real"
    make_run("pipeline_1", created_at=NOW - timedelta(days=9))
    found = conditions.old_backups(watch())
    assert [(one.key, one.title) for one in found.symptoms] == [("backups:age", "There is no good back-up.")]
    assert found.symptoms[0].remedy
    (tmp_path / "a.zip").write_bytes(b"12345")
    summary = {"file": str(tmp_path / "a.zip"), "bytes": 5}
    facts: dict[str, Any] = {"provider_kind": "real", "started_at": NOW - timedelta(hours=5), "summary": summary}
    make_run("backup_1", job="backup", status="completed", names=(), **facts)
    assert conditions.old_backups(watch()).symptoms == []
    assert keys(conditions.old_backups(watch(NOW + timedelta(days=3)))) == ["backups:age"]


def test_a_simulated_markets_back_up_disturbs_nobody():
    make_run("pipeline_1", created_at=NOW - timedelta(days=9))
    assert conditions.old_backups(watch()).symptoms == []


@pytest.fixture
def due_tasks() -> None:
    for cluster in ("data", "ml"):
        OrmQ.objects.create(key=cluster, payload="x", lock=NOW - timedelta(hours=1))


@pytest.mark.usefixtures("due_tasks")
def test_a_silent_cluster_is_stuck_unless_it_holds_a_lease():
    Heartbeat.objects.create(cluster="data", finished_at=NOW - timedelta(seconds=100))
    Heartbeat.objects.create(cluster="ml", finished_at=NOW - timedelta(minutes=7))
    found = conditions.stuck_clusters(watch())
    assert keys(found) == ["clusters:ml"]
    assert "for 7 minutes" in found.symptoms[0].title
    make_run("training_1", job="training", names=("TRAIN",), done=0)
    PipelineStep.objects.filter(name="TRAIN").update(lease_until=NOW + timedelta(seconds=40))
    assert keys(conditions.stuck_clusters(watch())) == []


@pytest.mark.usefixtures("due_tasks")
def test_a_cluster_that_never_beat_is_given_three_minutes_of_watching():
    assert keys(conditions.stuck_clusters(watch(since=NOW - timedelta(minutes=2)))) == []
    assert keys(conditions.stuck_clusters(watch(since=NOW - timedelta(minutes=4)))) == ["clusters:data", "clusters:ml"]
    assert "since it was started" in conditions.stuck_cluster(Liveness("ml", NOW)).title


@pytest.mark.parametrize(("free", "symptoms", "undecided"), [(9, 1, 0), (10, 0, 1), (11, 0, 1), (12, 0, 0), (60, 0, 0)])
def test_a_disk_is_told_below_a_tenth_and_over_above_twelve_hundredths(
    monkeypatch: pytest.MonkeyPatch, free: int, symptoms: int, undecided: int
):
    # Of 120 parts 20 are the file system's own reserve.
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(120, 100 - free, free))
    found = conditions.full_disks(watch())
    assert (len(found.symptoms), len(found.undecided)) == (symptoms, undecided)
    assert all(symptom.key.startswith("disks:host:/") for symptom in found.symptoms)


def test_only_the_first_cluster_judges_disks_and_only_its_hosts():
    told = {"disks:host:/a": NOW, "disks:other:/a": NOW, "disks:gone:/a": NOW - timedelta(days=2)}
    assert conditions.full_disks(watch(cluster="ml", told=told)).undecided == {"disks:host:/a", "disks:other:/a"}
    assert "disks:other:/a" in conditions.full_disks(watch(told=told)).undecided
    assert "disks:host:/a" not in conditions.full_disks(watch(told=told)).undecided


def test_real_folders_are_measured_once_a_file_system(tmp_path: Path):
    found = conditions.free_shares([tmp_path, tmp_path / "not" / "there"])
    assert [folder for folder, _ in found] == [tmp_path]
    assert 0 < found[0][1] <= 1


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
        assert keys(conditions.missing_picks(watch(NOW - timedelta(seconds=1)))) == []
        found = conditions.missing_picks(watch())
        assert keys(found) == ["picks:published"]
        assert found.symptoms[0].title == "No picks were published for 2026-05-04 by 09:00."
        self.publish(SESSION, 50)
        assert keys(conditions.missing_picks(watch())) == []

    def test_a_missing_list_stays_missing_over_the_days_without_sessions(self):
        sunday = datetime(2026, 5, 3, 12, 0, tzinfo=IST)
        assert keys(conditions.missing_picks(watch(sunday))) == ["picks:published"]  # for Thursday
        assert keys(conditions.missing_picks(watch(sunday, since=datetime(2026, 5, 2, tzinfo=IST)))) == []

    def test_empty_lists_are_told_with_their_reason(self):
        self.publish(SESSION, 0, "No model is trusted.")
        title = conditions.missing_picks(watch()).symptoms[0].title
        assert title == "All lists of picks for 2026-05-04 are empty: No model is trusted."


@pytest.mark.usefixtures("due_tasks")
def test_a_condition_that_breaks_is_told_and_silences_no_other(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    MarketDay.objects.create(date=date(2020, 1, 1), kind="normal", is_session=True, source="test")  # ends long ago

    def broken(_: Watch) -> Seen:
        Finding.objects.create(session="no date")  # leaves its transaction unusable
        return Seen()

    monkeypatch.setitem(conditions.CONDITIONS, "findings", broken)
    found = conditions.look(watch(told={"findings:no_bars": NOW, "picks:published": NOW}))
    told = {symptom.key: symptom.title for symptom in found.symptoms}
    assert {"watch:findings", "watch:picks", "clusters:data", "clusters:ml"} <= told.keys()
    assert "import_market_days" in told["watch:picks"]
    assert {"findings:no_bars", "picks:published"} <= found.undecided
