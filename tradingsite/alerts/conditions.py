"""What can be wrong: one read-only function for each condition; a new one is a function and an entry in CONDITIONS."""

import logging
import shutil
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Min, Q
from django.utils import timezone

from market_data import trading_calendar
from market_data.evenings.current_evening import PICKS_DUE
from market_data.models import Finding, PipelineRun
from market_data.trading_calendar import CalendarError
from stocks.models import Publication
from tradingsite.alerts.job_conditions import troubled_jobs
from tradingsite.alerts.order_conditions import order_troubles
from tradingsite.alerts.symptoms import CheckContext, ConditionResult, Symptom
from tradingsite.alerts.token_conditions import ending_tokens
from tradingsite.backup.age import backup_age_findings
from tradingsite.clusters.liveness import Liveness
from tradingsite.clusters.progress import cluster_liveness

LEAST_FREE, ENOUGH_FREE = 0.10, 0.12  # of a file system: a trouble opens below the first, and closes above the second
_FORGOTTEN_AFTER = timedelta(days=1)

logger = logging.getLogger(__name__)


def check_conditions(context: CheckContext) -> ConditionResult:
    """Check every condition; one that breaks is a symptom itself, and does not silence the others."""
    total = ConditionResult()
    for name, condition in CONDITIONS.items():
        try:
            with transaction.atomic():
                result = condition(context)
        except CalendarError as error:
            result = _unknown(name, context, str(error))
        except Exception as error:
            logger.exception("a condition of the alerts broke", extra={"condition": name})
            result = _unknown(name, context, f"it broke ({type(error).__name__}); the log holds the traceback.")
        total.symptoms += result.symptoms
        total.unknown_keys |= result.unknown_keys
    return total


def blocking_findings(context: CheckContext) -> ConditionResult:
    """Return one symptom for each check that keeps the latest session, or shares of it, out of the picks."""
    checked = PipelineRun.objects.filter(
        job__in=("pipeline", "validation"), status=PipelineRun.Status.COMPLETED, is_replay=False
    )
    latest = checked.exclude(session=None).order_by("-session").values_list("session", flat=True).first()
    recent = Q(session=None, created_at__gte=context.now - _FORGOTTEN_AFTER)
    if latest is not None:
        recent |= Q(session__gte=latest)
    blocking = Finding.objects.filter(recent, blocks=True)
    groups = blocking.values("check_name").annotate(
        symbols=Count("symbol", distinct=True, filter=~Q(symbol="")), first=Min("id")
    )
    symptoms = []
    for group in groups.order_by("check_name"):
        finding = blocking.filter(check_name=group["check_name"], symbol="").first() or blocking.get(pk=group["first"])
        day = f" on {finding.session}" if finding.session else ""
        shares = f" ({group['symbols']} shares)" if group["symbols"] > 1 else ""
        title = f"The check {finding.check_name} found{day}{shares}: {finding.message}"
        symptoms.append(Symptom(f"findings:{finding.check_name}", title, finding.remedy))
    return ConditionResult(symptoms)


def old_backups(context: CheckContext) -> ConditionResult:
    """Return a symptom if the last good back-up is too old, computed afresh: a session's finding may be a day old."""
    findings = [finding for finding in backup_age_findings(context.now) if finding["severity"] != Finding.Severity.INFO]
    return ConditionResult([Symptom("backups:age", finding["message"], finding["remedy"]) for finding in findings])


def stuck_clusters(context: CheckContext) -> ConditionResult:
    """Return the clusters that make no progress; one that never started is given time from the first check on."""
    liveness = cluster_liveness(context.now, context.watched_since)
    return ConditionResult([stuck_cluster(cluster) for cluster in liveness.values() if cluster.is_stuck])


def stuck_cluster(liveness: Liveness) -> Symptom:
    cluster = liveness.cluster
    return Symptom(
        f"clusters:{cluster}",
        f"The cluster {cluster} has shown no sign of life {liveness.silence_words}.",
        f"Where something supervises it, it is restarted by itself; else: docker compose restart {cluster}_scheduler",
    )


def full_disks(context: CheckContext) -> ConditionResult:
    """Return the file systems of our folders with less than a tenth free, as the first cluster sees its own host."""
    own = f"disks:{context.host}:"
    # Other hosts check their own disks; a host that has been silent for a day is gone, and its troubles end.
    recent = {key for key, seen_at in context.open_keys.items() if context.now - seen_at < _FORGOTTEN_AFTER}
    unknown = {key for key in recent if key.startswith("disks:") and not key.startswith(own)}
    result = ConditionResult(unknown_keys=unknown)
    if context.cluster != settings.CLUSTERS[0]:
        result.unknown_keys |= {key for key in context.open_keys if key.startswith(own)}
        return result
    for folder, free in free_shares((settings.VAR_DIR, settings.EXPORT_DIR, settings.LOG_FILE.parent)):
        key = f"{own}{folder}"[:200]
        if free < LEAST_FREE:
            title = f"{context.host} has only {free:.1%} of the disk free that holds {folder}."
            remedy = "Free some space, or move the folder to a larger disk, before a load fails."
            result.symptoms.append(Symptom(key, title, remedy))
        elif free < ENOUGH_FREE:
            result.unknown_keys.add(key)
    return result


def free_shares(folders: Iterable[Path]) -> list[tuple[Path, float]]:
    """Return the free share, 0-1, of each file system that holds folders, with the first folder on it."""
    shares: dict[int, tuple[Path, float]] = {}
    for folder in folders:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        usage = shutil.disk_usage(existing)
        # Not of `total`: what the file system reserves for root is not available to us.
        shares.setdefault(existing.stat().st_dev, (folder, usage.free / (usage.used + usage.free)))
    return list(shares.values())


def missing_picks(context: CheckContext) -> ConditionResult:
    """Return a symptom if there are no picks at 09:00 of the session that they are valid for."""
    local = timezone.localtime(context.now)
    until = local.date() if local.time() >= PICKS_DUE else local.date() - timedelta(days=1)
    valid_for = trading_calendar.session_on_or_before(until)
    if datetime.combine(valid_for, PICKS_DUE, tzinfo=local.tzinfo) < context.watched_since:
        return ConditionResult()
    session = trading_calendar.session_on_or_before(valid_for - timedelta(days=1))
    publications = list(Publication.objects.filter(superseded_at=None, date=session).order_by("strategy"))
    if any(publication.count for publication in publications):
        return ConditionResult()
    title = f"No picks were published for {valid_for} by {PICKS_DUE:%H:%M}."
    if publications:
        title = f"All lists of picks for {valid_for} are empty: {publications[0].reason or 'no reason given'}"
    remedy = "See ./run.sh manage system_status; once its data are in order: ./run.sh manage suggest_stocks"
    return ConditionResult([Symptom("picks:published", title, remedy)])


def _unknown(condition: str, context: CheckContext, why: str) -> ConditionResult:
    symptom = Symptom(f"watch:{condition}", f"The condition {condition} cannot be checked: {why}")
    return ConditionResult([symptom], {key for key in context.open_keys if key.startswith(f"{condition}:")})


# The names are the prefixes of the symptoms' keys.
CONDITIONS: dict[str, Callable[[CheckContext], ConditionResult]] = {
    "jobs": troubled_jobs,
    "findings": blocking_findings,
    "backups": old_backups,
    "clusters": stuck_clusters,
    "disks": full_disks,
    "picks": missing_picks,
    "brokers": ending_tokens,
    "orders": order_troubles,
}
