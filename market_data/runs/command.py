"""What all commands that run a job share: `--date`, `--json`, progress while it works, a summary at the end."""

import json
import sys
from argparse import ArgumentParser
from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from market_data import trading_calendar
from market_data.models import PipelineRun, SourceFile
from market_data.providers import ProviderError, provider
from market_data.runs import engine, lifecycle
from market_data.runs.pending_migrations import apply_pending_migrations
from market_data.runs.progress import ProgressView
from market_data.runs.saga import AlreadyRunning, SagaError, job_title, saga_of


def parsed_date(text: str) -> date:
    """Return a date written as YYYY-MM-DD.

    Raises
    ------
    CommandError
        Naming what was written instead.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError as error:
        raise CommandError(f"{text[:40]!r} is not a date; write it as YYYY-MM-DD, for example 2026-04-30.") from error


def requested_session(text: str | None) -> date:
    """Return the session a command is for: `--date`, or the latest completed one.

    Raises
    ------
    CommandError
        When the text is no date, or the day is no session, lies ahead, before all data, or beyond the calendar.
    """
    now = timezone.now()
    session = parsed_date(text) if text is not None else None
    try:
        latest = trading_calendar.latest_completed_session(now)
        if session is None:
            return latest
        if session > latest:
            raise CommandError(f"--date {session} is not over yet: the latest completed session is {latest}.")
        _check_has_bars(session)
        if not trading_calendar.is_session(session):
            before = trading_calendar.session_on_or_before(session)
            raise CommandError(
                f"--date {session} ({session:%A}) is no session of the exchange; the one before it is {before}."
            )
    except (trading_calendar.CalendarError, ProviderError) as error:
        raise CommandError(str(error)) from error
    return session


def _check_has_bars(session: date) -> None:
    """Refuse a session before all data: nothing can be computed for it, and lists read for it would only be noise."""
    if SourceFile.objects.filter(session__lte=session).exists():
        return
    feed = provider()
    if feed.sessions(None, session):
        return
    first = min(feed.sessions(None, date.max), default=None)
    # Without any bars yet the run says what is missing, after it asked for it where it may.
    if first is not None:
        raise CommandError(f"--date {session} lies before all data: the bars of {feed.name} begin on {first}.")


class JobCommand(BaseCommand):
    """Runs one job to its end in this process, on the same rows and steps as the clusters do."""

    job: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--date` where the job stands for a session, and `--json`."""
        if saga_of(self.job).needs_session:
            parser.add_argument(
                "--date", metavar="YYYY-MM-DD", help="session to run for (default: the latest completed one)"
            )
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object on standard output and nothing else there"
        )

    def handle(self, *_: object, **options: Any) -> None:
        """Run the job and print its summary.

        Raises
        ------
        CommandError
            When it did not complete; the reason is in the sentence.
        """
        apply_pending_migrations(self.stderr)
        session = requested_session(options["date"]) if saga_of(self.job).needs_session else None
        run = run_job(self.job, session, quiet=options["json"], options=self.run_options(options))
        self.stdout.write(json.dumps(run_report(run), default=str) if options["json"] else summary(run))
        if run.status != PipelineRun.Status.COMPLETED:
            raise CommandError(failure(run))

    def run_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return what the run keeps of the command's own arguments."""
        return {}


def run_job(
    job: str, session: date | None, *, quiet: bool = False, options: dict[str, Any] | None = None
) -> PipelineRun:
    """Create a run and do it here, with progress on standard error; return it as it ended.

    A run of the same job and session that was left unfinished (its process was killed) is gone on with instead.

    Raises
    ------
    CommandError
        When it cannot be started.
    """
    try:
        run = lifecycle.create_run(job, session, triggered_by="command", options=options)
    except AlreadyRunning as active:
        run = lifecycle.find_run(active.run_id)
        if run.session != session or run.status != PipelineRun.Status.RUNNING or engine.is_leased(run):
            raise CommandError(str(active)) from active
        sys.stderr.write(f"Going on with {run.id}, which was left unfinished.\n")
    except SagaError as error:
        raise CommandError(str(error)) from error
    return finish_run(run, quiet=quiet)


def finish_run(run: PipelineRun, *, quiet: bool = False) -> PipelineRun:
    """Do a run that was created or made ready again, with progress on standard error."""
    with ProgressView(sys.stderr, run, quiet=quiet) as view:
        return engine.advance(run.id, listener=view, wait=True)


def run_report(run: PipelineRun) -> dict[str, Any]:
    """Return a run and its steps as plain values."""
    steps = run.steps.order_by("order")
    return {
        "run": run.id,
        "job": run.job,
        "session": run.session,
        "status": run.status,
        "reason": run.reason,
        "seconds": seconds(run),
        "summary": run.summary,
        "steps": [
            {
                "name": step.name,
                "status": step.status,
                "records": step.records_processed,
                "seconds": seconds(step),
                "attempts": step.attempts,
                "reason": step.reason,
            }
            for step in steps
        ],
    }


def seconds(timed: Any) -> float | None:
    """Return how long a run or step took, in seconds."""
    return (
        round((timed.ended_at - timed.started_at).total_seconds(), 1) if timed.ended_at and timed.started_at else None
    )


def summary(run: PipelineRun) -> str:
    """Return one screen about a finished run."""
    head = (
        f"{job_title(run.job)}: {run.get_status_display().lower()}"
        f"  ({run.id}, session {run.session or 'none'}, {seconds(run)} s)"
    )
    lines = [head]
    for step in run.steps.order_by("order"):
        reason = f"  {step.reason}" if step.reason else ""
        lines.append(
            f"  {step.name:<22} {step.status:<10} {step.records_processed:>12,} records"
            f" {seconds(step) or 0:>7.1f} s{reason}"
        )
    lines += [f"  {name.replace('_', ' ')}: {_shown(value)}" for name, value in run.summary.items()]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(one)}" for name, one in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def failure(run: PipelineRun) -> str:
    """Return the sentence about why a run did not complete."""
    why = run.reason or "see its steps"
    return f"{run.id} {run.get_status_display().lower()}: {why}  (`retry_failed {run.id}` goes on from there)"
