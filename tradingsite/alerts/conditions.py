"""What can be wrong: one function a condition, which only reads; a new one is a function and an entry in CONDITIONS."""

import logging
import shutil
from collections.abc import Callable, Iterable
from datetime import datetime, time, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Min, Q
from django.utils import timezone

from market_data import trading_calendar
from market_data.models import Finding, PipelineRun
from market_data.trading_calendar import CalendarError
from stocks.models import Publication
from tradingsite.alerts.job_conditions import troubled_jobs
from tradingsite.alerts.symptoms import Seen, Symptom, Watch
from tradingsite.backup.age import backup_age_findings
from tradingsite.clusters.liveness import Liveness
from tradingsite.clusters.progress import cluster_liveness

PICKS_DUE = time(9, 0)  # India Standard Time, a quarter of an hour before trading
LEAST_FREE, ENOUGH_FREE = 0.10, 0.12  # of a file system; told below the first, over above the second
_FORGOTTEN_AFTER = timedelta(days=1)

logger = logging.getLogger(__name__)


def look(watch: Watch) -> Seen:
    """Ask every condition; one that breaks is a symptom itself, and does not silence the others."""
    seen = Seen()
    for name, condition in CONDITIONS.items():
        try:
            with transaction.atomic():
                found = condition(watch)
        except CalendarError as error:
            found = _unjudged(name, watch, str(error))
        except Exception as error:
            logger.exception("a condition of the alerts broke", extra={"condition": name})
            found = _unjudged(name, watch, f"it broke ({type(error).__name__}); the log holds the traceback.")
        seen.symptoms += found.symptoms
        seen.undecided |= found.undecided
    return seen


def blocking_findings(watch: Watch) -> Seen:
    """Return one symptom a check that keeps the latest session, or shares of it, out of the picks."""
    judged = PipelineRun.objects.filter(
        job__in=("pipeline", "validation"), status=PipelineRun.Status.COMPLETED, is_replay=False
    )
    latest = judged.exclude(session=None).order_by("-session").values_list("session", flat=True).first()
    recent = Q(session=None, created_at__gte=watch.now - _FORGOTTEN_AFTER)
    if latest is not None:
        recent |= Q(session__gte=latest)
    told = Finding.objects.filter(recent, blocks=True)
    groups = told.values("check_name").annotate(
        symbols=Count("symbol", distinct=True, filter=~Q(symbol="")), first=Min("id")
    )
    seen = Seen()
    for group in groups.order_by("check_name"):
        finding = told.filter(check_name=group["check_name"], symbol="").first() or told.get(pk=group["first"])
        day = f" on {finding.session}" if finding.session else ""
        many = f" ({group['symbols']} shares)" if group["symbols"] > 1 else ""
        title = f"The check {finding.check_name} found{day}{many}: {finding.message}"
        seen.symptoms.append(Symptom(f"findings:{finding.check_name}", title, finding.remedy))
    return seen


def old_backups(watch: Watch) -> Seen:
    """Return a symptom when the last good back-up is too old, asked anew: a session's finding is up to a day behind."""
    found = [one for one in backup_age_findings(watch.now) if one["severity"] != Finding.Severity.INFO]
    return Seen([Symptom("backups:age", one["message"], one["remedy"]) for one in found])


def stuck_clusters(watch: Watch) -> Seen:
    """Return the clusters that make no progress; one that never started is given time from the first check on."""
    liveness = cluster_liveness(watch.now, watched_since=watch.since)
    return Seen([stuck_cluster(cluster) for cluster in liveness.values() if cluster.is_stuck])


def stuck_cluster(liveness: Liveness) -> Symptom:
    """Return the symptom of a cluster that is stuck."""
    cluster = liveness.cluster
    return Symptom(
        f"clusters:{cluster}",
        f"The cluster {cluster} has shown no sign of life {liveness.silence_words}.",
        f"Where something supervises it, it is restarted by itself; else: docker compose restart {cluster}_scheduler",
    )


def full_disks(watch: Watch) -> Seen:
    """Return the file systems of our folders with less than a tenth free; the first cluster looks, for its host."""
    mine = f"disks:{watch.host}:"
    others = {key for key, seen_at in watch.told.items() if watch.now - seen_at < _FORGOTTEN_AFTER}
    seen = Seen(undecided={key for key in others if key.startswith("disks:") and not key.startswith(mine)})
    if watch.cluster != settings.CLUSTERS[0]:
        seen.undecided |= {key for key in watch.told if key.startswith(mine)}
        return seen
    for folder, free in free_shares((settings.VAR_DIR, settings.EXPORT_DIR, settings.LOG_FILE.parent)):
        key = f"{mine}{folder}"[:200]
        if free < LEAST_FREE:
            title = f"{watch.host} has only {free:.1%} free where {folder} lies."
            seen.symptoms.append(
                Symptom(key, title, "Make room, or give the folder a larger disk, before a load fails.")
            )
        elif free < ENOUGH_FREE:
            seen.undecided.add(key)
    return seen


def free_shares(folders: Iterable[Path]) -> list[tuple[Path, float]]:
    """Return the share that is free, 0-1, of each file system on which folders lie, with the first folder on it."""
    found: dict[int, tuple[Path, float]] = {}
    for folder in folders:
        place = next(path for path in (folder, *folder.parents) if path.exists())
        usage = shutil.disk_usage(place)
        # As an account that is not root sees it: what the file system reserves is not there for us.
        found.setdefault(place.stat().st_dev, (folder, usage.free / (usage.used + usage.free)))
    return list(found.values())


def missing_picks(watch: Watch) -> Seen:
    """Return a symptom when a session's picks are not there by 09:00 of the session that they are meant for."""
    seen, local = Seen(), timezone.localtime(watch.now)
    until = local.date() if local.time() >= PICKS_DUE else local.date() - timedelta(days=1)
    meant_for = trading_calendar.session_on_or_before(until)
    if datetime.combine(meant_for, PICKS_DUE, tzinfo=local.tzinfo) < watch.since:
        return seen
    used = trading_calendar.session_on_or_before(meant_for - timedelta(days=1))
    lists = list(Publication.objects.filter(superseded_at=None, date=used).order_by("strategy"))
    if any(one.count for one in lists):
        return seen
    if lists:
        title = f"All lists of picks for {meant_for} are empty: {lists[0].reason or 'no reason given'}"
    else:
        title = f"No picks were published for {meant_for} by {PICKS_DUE:%H:%M}."
    remedy = "See ./run.sh manage system_status; when its data are in order: ./run.sh manage suggest_stocks"
    seen.symptoms.append(Symptom("picks:published", title, remedy))
    return seen


def _unjudged(condition: str, watch: Watch, why: str) -> Seen:
    symptom = Symptom(f"watch:{condition}", f"The alerts cannot judge {condition}: {why}")
    return Seen([symptom], {key for key in watch.told if key.startswith(f"{condition}:")})


# The names are the beginnings of the keys.
CONDITIONS: dict[str, Callable[[Watch], Seen]] = {
    "jobs": troubled_jobs,
    "findings": blocking_findings,
    "backups": old_backups,
    "clusters": stuck_clusters,
    "disks": full_disks,
    "picks": missing_picks,
}
