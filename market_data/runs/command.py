"""Commands that run a job: `--date`, `--json`, progress during the run, a summary at the end."""

import json
import sys
import time
from argparse import ArgumentParser
from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from market_data import trading_calendar
from market_data.models import PipelineRun, PipelineStep, SourceFile
from market_data.providers import ProviderError, provider
from market_data.runs import attempts, engine, interventions, lifecycle
from market_data.runs.pending_migrations import apply_pending_migrations
from market_data.runs.prerequisites import describe_all, outstanding
from market_data.runs.progress import ProgressView
from market_data.runs.saga import AlreadyRunning, SagaError, job_title, saga_of

_RECHECK_SECONDS = 1.0


def parse_date(text: str) -> date:
    """Return the date of a text YYYY-MM-DD; raises CommandError naming any other text."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError as error:
        raise CommandError(f"{text[:40]!r} is not a date; write it as YYYY-MM-DD, for example 2026-04-30.") from error


def requested_session(text: str | None) -> date:
    """Return the session a command is for: `--date`, or the latest completed one.

    Raises CommandError when the text is no date, or the day is no completed session, precedes all data or lies beyond
    the calendar.
    """
    now = timezone.now()
    session = parse_date(text) if text is not None else None
    try:
        # A day before today is over, also where the calendar ends before today.
        if session is None or session >= timezone.localdate(now):
            latest = trading_calendar.latest_completed_session(now)
            if session is None:
                return latest
            if session > latest:
                raise CommandError(f"--date {session} is not over yet: the latest completed session is {latest}.")
        _refuse_before_all_data(session)
        if not trading_calendar.is_session(session):
            before = trading_calendar.session_on_or_before(session)
            raise CommandError(
                f"--date {session} ({session:%A}) is no session of the exchange; the one before it is {before}."
            )
    except (trading_calendar.CalendarError, ProviderError) as error:
        raise CommandError(str(error)) from error
    return session


def _refuse_before_all_data(session: date) -> None:
    """Refuse a session before the first bars: nothing can be computed for it, and lists read for it would be noise."""
    if SourceFile.objects.filter(session__lte=session).exists():
        return
    feed = provider()
    if feed.sessions(None, session):
        return
    first = min(feed.sessions(None, date.max), default=None)
    # A provider without any bars may still download some; if it cannot, the run says what is missing.
    if first is not None:
        raise CommandError(f"--date {session} lies before all data: the bars of {feed.name} begin on {first}.")


class JobCommand(BaseCommand):
    """Runs one job to its end in this process, with the same steps and tracking rows as in a cluster."""

    job: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        if saga_of(self.job).needs_session:
            parser.add_argument(
                "--date", metavar="YYYY-MM-DD", help="session to run for (default: the latest completed one)"
            )
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object on standard output and nothing else there"
        )

    def handle(self, *_: object, **options: Any) -> None:
        apply_pending_migrations(self.stderr)
        session = requested_session(options["date"]) if saga_of(self.job).needs_session else None
        run = execute_job(self.job, session, quiet=options["json"], options=self.run_options(options))
        self.stdout.write(json.dumps(run_report(run), default=str) if options["json"] else summary(run))
        if run.status != PipelineRun.Status.COMPLETED:
            raise CommandError(failure(run))

    def run_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments that the run stores for its steps."""
        return {}


def execute_job(
    job: str, session: date | None, *, quiet: bool = False, options: dict[str, Any] | None = None
) -> PipelineRun:
    """Create and execute a run in this process, with progress on standard error; return it as it ended.

    While it is another run's turn on its tables it waits, and a sentence on standard error names that run. An
    unfinished run of the same job and session whose process was killed is continued instead. Raises CommandError when
    it cannot be started.
    """
    try:
        run = lifecycle.create_run(job, session, triggered_by="command", options=options)
    except AlreadyRunning as refusal:
        run = lifecycle.find_run(refusal.run_id)
        waits_for_others = run.status == PipelineRun.Status.WAITING and (run.waits_for or run.intended_at)
        if run.session != session or waits_for_others or engine.is_leased(run):
            raise CommandError(str(refusal)) from refusal
        sys.stderr.write(f"Continuing {run.id}, which was left unfinished.\n")
    except SagaError as error:
        raise CommandError(str(error)) from error
    return execute_run(run, quiet=quiet)


def execute_run(run: PipelineRun, *, quiet: bool = False) -> PipelineRun:
    """Execute a run in this process once it is its turn, with progress on standard error; return it as it ended."""
    _wait_for_turn(run)
    with ProgressView(sys.stderr, run, quiet=quiet) as view:
        run = engine.advance(run.id, listener=view, wait=True)
        while run.status in PipelineRun.ACTIVE:  # a cluster has taken it over
            time.sleep(_RECHECK_SECONDS)
            run = engine.advance(run.id, listener=view, wait=True)
        return run


def _wait_for_turn(run: PipelineRun) -> None:
    """Start a waiting run as soon as it need not wait any longer; Ctrl-C cancels it."""
    shown = ""
    try:
        while not lifecycle.start_waiting_run(run) and run.status == PipelineRun.Status.WAITING:
            awaited = describe_all(outstanding(run)) or "the release of its evening"
            sentence = f"{run.id} waits for {awaited}; Ctrl-C cancels it.\n"
            if sentence != shown:
                sys.stderr.write(sentence)
                shown = sentence
            time.sleep(_RECHECK_SECONDS)
    except KeyboardInterrupt as interrupt:
        interventions.cancel(run.id, "the command")
        raise CommandError(f"{run.id} was cancelled while it waited; it wrote nothing.") from interrupt


def run_report(run: PipelineRun) -> dict[str, Any]:
    """Return a run and its steps as plain values."""
    return {
        "run": run.id,
        "job": run.job,
        "session": run.session,
        "status": run.status,
        "reason": run.reason,
        "seconds": duration_seconds(run),
        "summary": run.summary,
        "steps": [
            {
                "name": step.name,
                "status": step.status,
                "records": step.records_processed,
                "seconds": duration_seconds(step),
                "attempts": step.attempts,
                "reason": step.reason,
            }
            for step in run.steps.order_by("order")
        ],
    }


def duration_seconds(ended: PipelineRun | PipelineStep) -> float | None:
    """Return how long a run or step was at work; None unless it has started and ended."""
    seconds = attempts.seconds_at_work(ended) if ended.started_at and ended.ended_at else None
    return None if seconds is None else round(seconds, 1)


def summary(run: PipelineRun) -> str:
    """Return one screen about a run that has ended."""
    outcome = f"{job_title(run.job)}: {run.get_status_display().lower()}"
    lines = [f"{outcome}  ({run.id}, session {run.session or 'none'}, {duration_seconds(run)} s)"]
    for step in run.steps.order_by("order"):
        reason = f"  {step.reason}" if step.reason else ""
        lines.append(
            f"  {step.name:<22} {step.status:<10} {step.records_processed:>12,} records"
            f" {duration_seconds(step) or 0:>7.1f} s{reason}"
        )
    lines += [f"  {name.replace('_', ' ')}: {_text(value)}" for name, value in run.summary.items()]
    return "\n".join(lines)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def failure(run: PipelineRun) -> str:
    """Return why a run did not complete and how to resume it."""
    reason = run.reason or "see its steps"
    return f"{run.id} {run.get_status_display().lower()}: {reason}  (`retry_failed {run.id}` resumes from there)"
