"""Jobs that failed, and jobs that are late.

Jobs that wait for a troubled job raise no alert of their own: one broken evening is one trouble.
"""

from datetime import datetime, timedelta

from croniter import croniter
from django.db.models import Q
from django.utils import timezone

from market_data import tasks
from market_data.models import PipelineRun
from market_data.runs import queries as run_queries
from market_data.runs.prerequisites import describe_all, outstanding, parse_all
from market_data.runs.saga import NO_SESSION, Saga
from tradingsite.alerts.symptoms import CheckContext, ConditionResult, Symptom
from tradingsite.schedule import scheduled_jobs

LATE_AFTER = timedelta(hours=1)
_Status = PipelineRun.Status
_NOT_COUNTING = (_Status.CANCELLED, _Status.SKIPPED, _Status.ROLLED_BACK)


def troubled_jobs(context: CheckContext) -> ConditionResult:
    """Return the first failed or late job of each chain of jobs."""
    result, troubled = ConditionResult(), set[str]()
    for saga in scheduled_jobs():
        key = f"jobs:{saga.job}"
        if any(not wanted.conditions and troubled.issuperset(wanted.jobs) for wanted in parse_all(saga.waits_for)):
            troubled.add(saga.job)
            result.unknown_keys.add(key)
            continue
        standing = run_queries.latest_standing(saga.job, without=_NOT_COUNTING)
        symptom = _failure(key, standing) or _lateness(key, saga, context)
        if symptom:
            troubled.add(saga.job)
            result.symptoms.append(symptom)
        elif standing and standing.run.status in PipelineRun.ACTIVE:
            result.unknown_keys.add(key)  # a retry may fail again
    return result


def _failure(key: str, standing: run_queries.Standing[PipelineRun] | None) -> Symptom | None:
    if standing is None:
        return None
    failed = standing.rerun or standing.run
    if failed.status != _Status.FAILED:
        return None
    of_session = f" of {failed.session}" if failed.session else ""
    kept = f" The result of {standing.run.id} stands." if standing.rerun else ""
    remedy = f"Fix what the reason names, then: ./run.sh manage retry_failed {failed.id}"
    title = f"The job {failed.job}{of_session} failed ({failed.id}): {failed.reason or 'no reason given'}{kept}"
    return Symptom(key, title, remedy)


def _lateness(key: str, saga: Saga, context: CheckContext) -> Symptom | None:
    planned = _last_due(saga, context.now)
    if planned < context.watched_since:
        return None
    session = tasks.session_for(saga.stands_for, planned)
    if session is None and saga.stands_for != NO_SESSION:
        return None
    runs = PipelineRun.objects.filter(job=saga.job)
    done = Q(status=_Status.COMPLETED, created_at__gte=planned)
    done |= Q(status__in=(_Status.COMPLETED, _Status.SKIPPED), intended_at__gte=planned)
    if session is not None:
        done |= Q(status=_Status.COMPLETED, session__gte=session)
    if runs.filter(done).exists():
        return None
    active = runs.filter(status__in=PipelineRun.ACTIVE).order_by("-sequence").first()
    state = "was not started" if active is None else f"is {active.get_status_display().lower()} ({active.id})"
    if active and active.status == _Status.WAITING:
        awaited = outstanding(active) or parse_all(active.waits_for)
        state += f" for {describe_all(awaited) or 'the release of its evening'}"
    of_session = f" session {session}," if session else ""
    return Symptom(
        key,
        f"The job {saga.job}, planned for {planned:%d %b %H:%M},{of_session} {state}.",
        f"See ./run.sh manage system_status; a missed job is started by ./run.sh manage {saga.command}",
    )


def _last_due(saga: Saga, now: datetime) -> datetime:
    """Return the latest planned time, India Standard Time, whose hour of grace is over."""
    due: datetime = croniter(saga.cron, timezone.localtime(now) - LATE_AFTER).get_prev(datetime)
    return due
