"""`manage.py validate_data`: checks the data of one session, or reports on many."""

import json
import sys
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import CommandError
from rich.progress import Progress

from market_data import quality
from market_data.quality import report
from market_data.runs.command import JobCommand, parse_date
from market_data.runs.pending_migrations import apply_pending_migrations
from market_data.storage import queries


class Command(JobCommand):
    help = "Check a session's data and record findings; with --from/--to, report on many sessions and write nothing."
    job = "validation"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--from", metavar="YYYY-MM-DD", dest="since", help="first session of a report")
        parser.add_argument("--to", metavar="YYYY-MM-DD", dest="until", help="last session of it (default: the latest)")

    def handle(self, *_: object, **options: Any) -> None:
        if not options["since"]:
            if options["until"]:
                raise CommandError("--to needs --from: the first session of the report.")
            super().handle(**options)
            return
        apply_pending_migrations(self.stderr)
        sessions = _sessions(options)
        with Progress(disable=options["json"] or not sys.stderr.isatty()) as progress:
            task = progress.add_task("sessions", total=len(sessions))
            findings = list(quality.findings_between(sessions, lambda done, _: progress.update(task, completed=done)))
        self.stdout.write(json.dumps(report.as_json(findings)) if options["json"] else report.as_text(findings))


def _sessions(options: dict[str, Any]) -> list[date]:
    if options["date"]:
        raise CommandError("--date is for one session, --from for a report on many: pass only one of them.")
    loaded = queries.loaded_sessions()
    first = parse_date(options["since"])
    last = parse_date(options["until"]) if options["until"] else max(loaded, default=first)
    sessions = [day for day in loaded if first <= day <= last]
    if not sessions:
        loaded_range = f"they go from {loaded[0]} to {loaded[-1]}" if loaded else "there are none"
        raise CommandError(f"No session from {first} to {last} is loaded; {loaded_range}.")
    return sessions
