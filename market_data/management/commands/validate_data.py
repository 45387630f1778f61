"""`manage.py validate_data`: the data-quality checks, of one session or, as a report, over history."""

import json
import sys
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import CommandError
from rich.progress import Progress

from market_data import quality
from market_data.quality import report
from market_data.runs.command import JobCommand, parsed_date
from market_data.runs.pending_migrations import apply_pending_migrations
from market_data.storage import queries


class Command(JobCommand):
    """Check the session's data and record findings; with --from, report on many sessions and write nothing."""

    help = "Check a session's data and record findings; with --from/--to, report on many sessions and write nothing."
    job = "validation"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the range of the report to the arguments of a job."""
        super().add_arguments(parser)
        parser.add_argument("--from", metavar="YYYY-MM-DD", dest="since", help="first session of a report")
        parser.add_argument("--to", metavar="YYYY-MM-DD", dest="until", help="last session of it (default: the latest)")

    def handle(self, *_: object, **options: Any) -> None:
        """Run the job, or print the report.

        Raises
        ------
        CommandError
            When the job did not complete, or the range holds no session.
        """
        if not options["since"]:
            if options["until"]:
                raise CommandError("--to needs --from: the first session of the report.")
            super().handle(**options)
            return
        apply_pending_migrations(self.stderr)
        sessions = _sessions(options)
        with Progress(disable=options["json"] or not sys.stderr.isatty()) as progress:
            task = progress.add_task("sessions", total=len(sessions))
            found = list(quality.findings_between(sessions, lambda done, _: progress.update(task, completed=done)))
        self.stdout.write(json.dumps(report.as_json(found)) if options["json"] else report.as_text(found))


def _sessions(options: dict[str, Any]) -> list[date]:
    """Return the loaded sessions of the range."""
    if options["date"]:
        raise CommandError("--date names one session, --from the first of many: pass one of the two.")
    loaded = sorted(queries.loaded_sessions())
    first = parsed_date(options["since"])
    last = parsed_date(options["until"]) if options["until"] else max(loaded, default=first)
    sessions = [day for day in loaded if first <= day <= last]
    if not sessions:
        known = f"they go from {loaded[0]} to {loaded[-1]}" if loaded else "there are none"
        raise CommandError(f"No session from {first} to {last} is loaded; {known}.")
    return sessions
