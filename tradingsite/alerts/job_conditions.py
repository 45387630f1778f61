"""Jobs that failed, and jobs whose time has passed without them.

What waits for a troubled job is not told as well: one broken evening is one trouble.
"""

from datetime import datetime, timedelta

from croniter import croniter
from django.db.models import Q
from django.utils import timezone

from market_data import tasks
from market_data.models import PipelineRun
from tradingsite.alerts.symptoms import Seen, Symptom, Watch
from tradingsite.schedule import JOBS, NO_SESSION, Job

LATE_AFTER = timedelta(hours=1)
_Status = PipelineRun.Status


def troubled_jobs(watch: Watch) -> Seen:
    """Return the first failed or late job of each chain of jobs."""
    seen, troubled = Seen(), set[str]()
    for job in JOBS:
        key = f"jobs:{job.name}"
        if any(all(name in troubled for name in wanted.split("|")) for wanted in job.waits_for):
            troubled.add(job.name)
            seen.undecided.add(key)
            continue
        last = _last_run(job)
        symptom = _failure(key, last) or _lateness(key, job, watch)
        if symptom:
            troubled.add(job.name)
            seen.symptoms.append(symptom)
        elif last and last.status in PipelineRun.ACTIVE:
            seen.undecided.add(key)  # a retry may fail again
    return seen


def _last_run(job: Job) -> PipelineRun | None:
    told = (*PipelineRun.ACTIVE, _Status.COMPLETED, _Status.FAILED)
    return PipelineRun.objects.filter(job=job.name, status__in=told, is_replay=False).order_by("-sequence").first()


def _failure(key: str, last: PipelineRun | None) -> Symptom | None:
    if last is None or last.status != _Status.FAILED:
        return None
    of_session = f" of {last.session}" if last.session else ""
    remedy = f"Put right what the reason names, then: ./run.sh manage retry_failed {last.id}"
    return Symptom(
        key, f"The job {last.job}{of_session} failed ({last.id}): {last.reason or 'no reason given'}", remedy
    )


def _lateness(key: str, job: Job, watch: Watch) -> Symptom | None:
    planned = _last_due(job, watch.now)
    if planned < watch.since:
        return None
    session = tasks.session_for(job.stands_for, planned)
    if session is None and job.stands_for != NO_SESSION:
        return None
    runs = PipelineRun.objects.filter(job=job.name)
    done = Q(status=_Status.COMPLETED, created_at__gte=planned)
    done |= Q(status__in=(_Status.COMPLETED, _Status.SKIPPED), intended_at__gte=planned)
    if session is not None:
        done |= Q(status=_Status.COMPLETED, session__gte=session)
    if runs.filter(done).exists():
        return None
    active = runs.filter(status__in=PipelineRun.ACTIVE).order_by("-sequence").first()
    state = "was not started" if active is None else f"is {active.get_status_display().lower()} ({active.id})"
    if active and active.status == _Status.WAITING:
        state += f" for {', '.join(active.waits_for) or 'the release of its evening'}"
    of_session = f" session {session}," if session else ""
    return Symptom(
        key,
        f"The job {job.name}, planned for {planned:%d %b %H:%M},{of_session} {state}.",
        f"See ./run.sh manage system_status; a missed job is started by ./run.sh manage {_command(job)}",
    )


def _last_due(job: Job, now: datetime) -> datetime:
    """Return the latest planned time, India Standard Time, whose hour of grace is over."""
    due: datetime = croniter(job.cron, timezone.localtime(now) - LATE_AFTER).get_prev(datetime)
    return due


def _command(job: Job) -> str:
    """Return the management command of a job."""
    names = {
        "pipeline": "run_pipeline",
        "symbol_master": "run_pipeline",
        "business_logic": "calculate_business_logic",
        "csv_export": "export_csv",
        "validation": "validate_data",
        "training": "train_models",
        "selection": "suggest_stocks",
        "quotes": "refresh_quotes",
    }
    return names.get(job.name, job.name)
