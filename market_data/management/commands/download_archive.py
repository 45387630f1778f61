"""`manage.py download_archive --from D --to D`: downloads the exchange's missing files into the archive."""

from argparse import ArgumentParser
from datetime import date, timedelta
from typing import IO, Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from market_data import trading_calendar
from market_data.providers import ProviderError, archive_download, provider
from market_data.providers.nse.download import DownloadReport
from market_data.runs.command import parse_date, requested_session
from market_data.runs.pending_migrations import apply_pending_migrations

_LINE_EVERY = 25


class Command(BaseCommand):
    help = (
        "Download the exchange's daily files, lists and reports that are missing into NSE_ARCHIVE_DIR, politely: one"
        " request at a time, with a pause in between. It may be interrupted; the next call continues."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="first", metavar="YYYY-MM-DD", help="first day (default: NSE_ARCHIVE_DAYS)")
        parser.add_argument("--to", dest="last", metavar="YYYY-MM-DD", help="last day (default: the latest session)")
        parser.add_argument("--again", action="store_true", help="request also what was absent before")
        parser.add_argument("--reports", action="store_true", help="download the daily reports of all sessions")

    def handle(self, *_: object, **options: Any) -> None:
        apply_pending_migrations(self.stderr)
        if settings.MARKET_DATA_PROVIDER != "nse_archive":
            raise CommandError(
                f"MARKET_DATA_PROVIDER is {settings.MARKET_DATA_PROVIDER}, not nse_archive: its sessions are not "
                "the exchange's."
            )
        first = parse_date(options["first"]) if options["first"] else None
        last = parse_date(options["last"]) if options["last"] else requested_session(None)
        first = first or last - timedelta(days=settings.NSE_ARCHIVE_DAYS)
        if first > last:
            raise CommandError(f"--from {first} lies after --to {last}.")
        result = self._download(first, last, again=options["again"], reports=options["reports"])
        self.stdout.write(summary(result, first, last))
        if result.problems:
            raise CommandError(" ".join(dict.fromkeys(result.problems)))

    def _download(self, first: date, last: date, *, again: bool, reports: bool) -> DownloadReport:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        console = Console(file=cast("IO[str]", self.stderr))
        with Progress(*columns, console=console, disable=not self.stderr.isatty()) as progress:
            bar = progress.add_task("files", total=None)

            def report(done: int, total: int) -> None:
                progress.update(bar, completed=done, total=total)
                if not self.stderr.isatty() and done % _LINE_EVERY == 0:
                    self.stderr.write(f"{done} of {total} files")

            try:
                sessions = trading_calendar.planned_sessions(provider(), last)
                return archive_download().download_missing(
                    first, last, sessions, timezone.now(), report, again=again, reports=reports
                )
            except (ProviderError, trading_calendar.CalendarError) as error:
                raise CommandError(str(error)) from error


def summary(result: DownloadReport, first: date, last: date) -> str:
    lines = [f"{first} to {last}: {len(result.new)} files downloaded, {len(result.revised)} replaced."]
    if result.absent:
        days = ", ".join(map(str, sorted(result.absent)[-10:]))
        lines.append(f"The exchange has no daily file for {len(result.absent)} sessions of the calendar: {days}.")
    if result.unrequested:
        lines.append(f"{result.unrequested} sessions were not requested: the download ended early.")
    return "\n".join(lines)
