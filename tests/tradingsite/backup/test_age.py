"""The age of the last good back-up as a finding."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from market_data import quality
from market_data.models import PipelineRun
from market_data.runs.saga import sagas
from tests.runs import make_run
from tradingsite.backup.age import CHECK, backup_age_findings

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 4, 16, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def real_market(settings: Any) -> None:
    settings.PROVIDER_KIND, settings.BACKUPS_KEPT = "real", 7


def make_backup(path: Path, days_ago: float, status: str = "completed") -> None:
    path.write_bytes(b"12345")
    started_at = NOW - timedelta(days=days_ago)
    facts: dict[str, Any] = {"provider_kind": "real", "summary": {"file": str(path), "bytes": 5}}
    make_run(path.stem, job="backup", status=status, done=1, names=("BACKUP",), started_at=started_at, **facts)
    PipelineRun.objects.update(created_at=NOW - timedelta(days=30))


def test_a_fresh_one_is_no_finding_and_an_old_one_warns_without_blocking(tmp_path: Path) -> None:
    make_backup(tmp_path / "a.zip", 5)
    (finding,) = backup_age_findings(NOW)
    assert (finding["check_name"], finding["severity"], finding["blocks"]) == ("backup_age", "warning", False)
    assert finding["message"] == "The last good back-up is 5 days old (a.zip)."
    make_backup(tmp_path / "b.zip", 2)
    assert backup_age_findings(NOW) == []


@pytest.mark.parametrize("flaw", ["failed", "missing", "truncated"])
def test_only_a_good_one_counts(tmp_path: Path, flaw: str) -> None:
    make_backup(tmp_path / "a.zip", 4)
    newer = tmp_path / "b.zip"
    make_backup(newer, 1, "failed" if flaw == "failed" else "completed")
    if flaw == "missing":
        newer.unlink()
    elif flaw == "truncated":
        newer.write_bytes(b"123")
    assert backup_age_findings(NOW)[0]["message"] == "The last good back-up is 4 days old (a.zip)."


def test_a_new_system_has_two_days_for_its_first_one() -> None:
    assert backup_age_findings(NOW) == []
    make_run()
    PipelineRun.objects.update(created_at=NOW - timedelta(days=1))
    assert backup_age_findings(NOW) == []
    PipelineRun.objects.update(created_at=NOW - timedelta(days=3))
    assert backup_age_findings(NOW)[0]["message"] == "There is no good back-up."


def test_a_simulated_market_is_informed_and_one_without_backups_is_not(settings: Any) -> None:
    make_run()
    PipelineRun.objects.update(created_at=NOW - timedelta(days=3))
    settings.PROVIDER_KIND = "simulated"
    assert backup_age_findings(NOW)[0]["severity"] == "info"
    settings.BACKUPS_KEPT = 0
    assert backup_age_findings(NOW) == []


def test_the_validation_includes_it() -> None:
    sagas()  # what discovers the jobs registers it
    assert CHECK in quality.system_check_names()
