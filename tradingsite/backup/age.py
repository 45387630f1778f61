"""The age of the last good back-up as a finding, which warns and never keeps anything out of the picks."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Min

from market_data.models import Finding, PipelineRun

CHECK = "backup_age"
WARN_AFTER = timedelta(days=2)


def last_good_backup(market: str) -> tuple[datetime, Path] | None:
    """Return when the newest completed back-up that is still whole was started, and its file."""
    completed = PipelineRun.objects.filter(job="backup", status=PipelineRun.Status.COMPLETED, provider_kind=market)
    for run in completed.exclude(started_at=None).order_by("-sequence"):
        path = Path(run.summary.get("file", ""))
        if run.started_at and path.is_file() and path.stat().st_size == run.summary.get("bytes"):
            return run.started_at, path
    return None


def backup_age_findings(now: datetime) -> list[dict[str, Any]]:
    """Return at most one finding, as fields of :class:`Finding` other than run and session.

    There is none where back-ups are switched off (BACKUPS_KEPT=0), nor in a system's first two days. On a simulated
    market, which can be recreated from its seed, the finding is for information only.
    """
    if settings.BACKUPS_KEPT == 0:
        return []
    backup = last_good_backup(settings.PROVIDER_KIND)
    since = backup[0] if backup else PipelineRun.objects.aggregate(first=Min("created_at"))["first"]
    if since is None or now - since <= WARN_AFTER:
        return []
    days = (now - since).days
    message = f"The last good back-up is {days} days old ({backup[1].name})." if backup else "There is no good back-up."
    simulated = settings.PROVIDER_KIND == "simulated"
    return [
        {
            "check_name": CHECK,
            "severity": Finding.Severity.INFO if simulated else Finding.Severity.WARNING,
            "blocks": False,
            "symbol": "",
            "message": message,
            "remedy": f"Find out why the job `backup` does not complete, or run it (into {settings.BACKUP_DIR}).",
        }
    ]
