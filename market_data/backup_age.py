"""How old the last good back-up is, as a finding: it warns, and never keeps anything out of the picks."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Min

from market_data.models import Finding, PipelineRun

CHECK = "backup_age"
WARN_AFTER = timedelta(days=2)


def last_good_backup(market: str) -> tuple[datetime, Path] | None:
    """Return when the newest completed back-up that is still there was begun, and its file."""
    done = PipelineRun.objects.filter(job="backup", status=PipelineRun.Status.COMPLETED, provider_kind=market)
    for run in done.exclude(started_at=None).order_by("-sequence"):
        path = Path(run.summary.get("file", ""))
        if run.started_at and path.is_file() and path.stat().st_size == run.summary.get("bytes"):
            return run.started_at, path
    return None


def findings(now: datetime) -> list[dict[str, Any]]:
    """Return at most one finding, as fields of :class:`Finding` other than run and session.

    Parameters
    ----------
    now : datetime
        The moment ages count from.

    Notes
    -----
    None where back-ups are switched off (BACKUPS_KEPT=0), nor in a system's first two days. On a simulated market,
    which a seed makes anew, it is only an information.
    """
    if settings.BACKUPS_KEPT == 0:
        return []
    good = last_good_backup(settings.PROVIDER_KIND)
    since = good[0] if good else PipelineRun.objects.aggregate(first=Min("created_at"))["first"]
    if since is None or now - since <= WARN_AFTER:
        return []
    days = (now - since).days
    said = f"The last good back-up is {days} days old ({good[1].name})." if good else "There is no good back-up."
    simulated = settings.PROVIDER_KIND == "simulated"
    return [
        {
            "check_name": CHECK,
            "severity": Finding.Severity.INFO if simulated else Finding.Severity.WARNING,
            "blocks": False,
            "symbol": "",
            "message": said,
            "remedy": f"Look why the job `backup` does not complete, or run it; {settings.BACKUP_DIR} keeps them.",
        }
    ]
