"""Which files are missing or may be newer, and the order in which they are requested: the newest session first.

Never requested: days that are no session, files that somebody else put there, and files that were absent a moment ago
(a day for a late session, a month for an old one). Tonight's session is always requested.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

from market_data.providers import SessionNotAvailable, SourceCheck, SourceFinding, SourceUnreadable
from market_data.providers.nse import lists as nse_lists
from market_data.providers.nse.download import addresses
from market_data.providers.nse.download.addresses import Hosts
from market_data.providers.nse.download.client import Absent, OutOfTime, PoliteClient, Politeness, Refused, Unreachable
from market_data.providers.nse.download.downloader import OVERLAP, Downloader, DownloadReport
from market_data.providers.nse.download.folder import BARS, LISTS, REPORTS, ArchiveFolder, Busy, DownloadLog
from market_data.providers.nse.files import FULL

RECENT_SESSIONS = 5
"""The last sessions, which are checked for revised files, better layouts and reports."""

REVISIONS_AGE, LISTS_AGE, REPORTS_AGE = timedelta(hours=6), timedelta(hours=20), timedelta(minutes=50)
"""A file that was requested within this time is not requested again."""

ABSENT_AGE, OLD_ABSENT_AGE, OLD_DAYS = timedelta(hours=20), timedelta(days=30), 10
REMEMBERED = timedelta(days=40)
FAILURES_IN_A_ROW = 3
"""So many failed files in a row end the download."""

LOCK_PATIENCE_SECONDS = 30.0
FEW_UNREQUESTED = 5
"""With more sessions unrequested, the archive is too incomplete for a run."""

SessionsBetween = Callable[[date, date], list[date]]
Progress = Callable[[int, int], None]

logger = logging.getLogger(__name__)


class _Task(NamedTuple):
    key: str
    """What is recorded as absent; empty when the task records it itself."""
    run: Callable[[], None]
    is_bars: bool = False


class ArchiveDownload:
    """Downloads the files of a span of sessions into the archive's folder.

    ``days`` is the number of calendar days before a session that are checked for missing files; with ``all_series``
    ``bhavcopy_all_series/`` counts as stored too.
    """

    def __init__(
        self, root: Path, hosts: Hosts, politeness: Politeness, *, days: int, all_series: bool = False
    ) -> None:
        self.root, self.days = root, days
        self.report = DownloadReport()
        self._hosts, self._politeness, self._all_series = hosts, politeness, all_series
        self._folder = ArchiveFolder(root)

    def download_missing(
        self,
        first: date,
        last: date,
        sessions_between: SessionsBetween,
        now: datetime,
        progress: Progress,
        *,
        again: bool = False,
        reports: bool = False,
    ) -> DownloadReport:
        """Download missing and revised files; what cannot be had is a problem in the report, not an error.

        The last day is requested even if it was absent a moment ago. ``progress`` is called with the number of files
        done and their total. ``again`` requests also what was absent lately, and all revisions; ``reports`` downloads
        the daily reports of all sessions, not only of the last ones. Raises ProviderError when the folder cannot be
        written.
        """
        self.report = DownloadReport()
        try:
            with self._folder.locked(LOCK_PATIENCE_SECONDS):
                self._download(partial(sessions_between, first, last), last, now, progress, again, reports)
        except Busy as busy:
            self.report.problems.append(str(busy))
        logger.info(
            "archive updated",
            extra={
                "new": len(self.report.new),
                "revised": len(self.report.revised),
                "absent": len(self.report.absent),
                "problems": len(self.report.problems),
                "unrequested": self.report.unrequested,
            },
        )
        return self.report

    def _download(
        self,
        known_sessions: Callable[[], list[date]],
        last: date,
        now: datetime,
        progress: Progress,
        again: bool,
        reports: bool,
    ) -> None:
        sessions = known_sessions()
        log = DownloadLog(self.root)
        until = log.stay_away_until
        if until is not None and now < until and not again:
            self.report.problems.append(f"The exchange asked for no request before {until:%Y-%m-%d %H:%M %Z}.")
            return
        log.stay_away_until = None
        log.forget_before(now - REMEMBERED)
        stored = self._folder.stored_bars(all_series=self._all_series)
        with PoliteClient(self._hosts.site, self._politeness) as client:
            downloader = Downloader(self._folder, log, client, self._hosts, stored, now)
            self.report = downloader.report
            plan = _Plan(downloader, sessions, last, again=again, all_reports=reports)
            tasks = [*plan.bars(), *plan.reports(), *plan.lists(), *(plan.services() if self._hosts.site else ())]
            has_ended = self._perform(downloader, tasks, progress)
            # A list of holidays that has just come may announce sessions.
            announced = [day for day in known_sessions() if day not in sessions] if has_ended else []
            if announced:
                plan = _Plan(downloader, sorted({*sessions, *announced}), last, again=again, all_reports=reports)
                self._perform(downloader, list(plan.bars_of(announced)), progress)
            downloader.report.absent += plan.recorded_absences()

    def _perform(self, downloader: Downloader, tasks: Sequence[_Task], progress: Progress) -> bool:
        """Perform the tasks in order, and stop where going on would be useless or impolite: then return False."""
        failures = 0
        for number, task in enumerate(tasks):
            progress(number, len(tasks))
            try:
                task.run()
                failures = 0
            except Absent:
                failures = 0
                downloader.log.record_absent(task.key, downloader.now)
            except (SourceUnreadable, Refused, Unreachable, OutOfTime) as error:
                failures += 1
                downloader.report.problems.append(str(error))
                logger.warning("download failed", extra={"reason": str(error)})
                wait = error.wait_seconds if isinstance(error, Unreachable) else 0.0
                if wait:
                    downloader.stay_away(wait)
                if wait or failures >= FAILURES_IN_A_ROW or isinstance(error, OutOfTime):
                    downloader.report.unrequested = sum(later.is_bars for later in tasks[number + 1 :])
                    return False
        progress(len(tasks), len(tasks))
        return True

    def fetch(self, session: date, sessions_between: SessionsBetween, now: datetime, progress: Progress) -> None:
        """Download what a run for a session needs, as `Provider.fetch` promises."""
        first = session - timedelta(days=self.days)
        report = self.download_missing(first, session, sessions_between, now, progress)
        if session not in self._folder.stored_bars(all_series=self._all_series):
            reason = " ".join(dict.fromkeys(report.problems[:2])) or "The exchange does not have it (yet)."
            raise SessionNotAvailable(f"There is no daily file for {session}. {reason}")
        if report.unrequested > FEW_UNREQUESTED:
            reason = " ".join(report.problems[-1:])
            raise SessionNotAvailable(
                f"{report.unrequested:,} older daily files are still missing. {reason} Complete files stay; a retry"
                " continues."
            )

    def findings(self) -> list[SourceFinding]:
        """Return what the last download could not bring."""
        findings = []
        if self.report.absent:
            days = sorted(self.report.absent)
            dates = ", ".join(map(str, days[-5:])) + (" and others" if len(days) > 5 else "")
            remedy = "If there was none, say so with import_market_days; otherwise request them again: "
            remedy += f"download_archive --from {days[0]} --to {days[-1]} --again."
            message = f"The exchange has no daily file for {len(days)} days that should be sessions ({dates})."
            findings.append(SourceFinding(SourceCheck.SESSIONS, "warning", f"{message} No session?", remedy))
        if self.report.problems:
            message = " ".join(dict.fromkeys(self.report.problems[:3]))
            more = f" And {len(self.report.problems) - 3} more." if len(self.report.problems) > 3 else ""
            remedy = "The next run requests it again; `download_archive` does so now."
            findings.append(SourceFinding(SourceCheck.DOWNLOAD, "warning", f"{message}{more}", remedy))
        return findings


class _Plan:
    """What to request, given what is stored and what the log says."""

    def __init__(
        self, downloader: Downloader, sessions: list[date], last: date, *, again: bool, all_reports: bool
    ) -> None:
        self._downloader, self._sessions, self._last = downloader, sessions, last
        self._again, self._all_reports = again, all_reports
        self._log, self._now = downloader.log, downloader.now
        self._recent = sessions[-RECENT_SESSIONS:]

    def _was_requested(self, name: str, age: timedelta) -> bool:
        return not self._again and self._log.was_requested(name, self._now, age)

    def bars(self) -> Iterator[_Task]:
        """Sessions without a file, and recent ones whose file is ours and may be revised; newest first."""
        return self.bars_of(self._sessions)

    def bars_of(self, sessions: Sequence[date]) -> Iterator[_Task]:
        """Return those of some sessions, ascending, that are due."""
        for day in reversed(sessions):
            if day in self._downloader.stored:
                is_due = day in self._recent and self._may_be_newer(day)
            else:
                is_old = (self._last - day).days > OLD_DAYS
                requested = self._was_requested(f"{BARS}/{day}", OLD_ABSENT_AGE if is_old else ABSENT_AGE)
                is_due = day == self._last or not requested
            if is_due:
                yield _Task("", partial(self._downloader.download_bars, day), is_bars=True)

    def _may_be_newer(self, day: date) -> bool:
        path, layout = self._downloader.stored[day]
        return self._downloader.is_ours(BARS, path.name) and (
            layout is not FULL or not self._was_requested(f"{BARS}/{path.name}", REVISIONS_AGE)
        )

    def reports(self) -> Iterator[_Task]:
        """Report packs and P/E of the recent sessions, or of all."""
        for day in reversed(self._sessions if self._all_reports else self._recent):
            folder = self._downloader.folder.root / REPORTS / day.isoformat()
            kinds = (
                ("mcap*.csv", addresses.report_pack(day), self._downloader.download_report_pack),
                ("PE_*.csv", addresses.earnings_ratios(day), self._downloader.download_earnings_ratios),
            )
            for pattern, remote, download in kinds:
                key = f"{REPORTS}/{remote.name}"
                if not any(folder.glob(pattern)) and not self._was_requested(key, REPORTS_AGE):
                    yield _Task(key, partial(self._if_traded, day, download))

    def _if_traded(self, day: date, download: Callable[[date], None]) -> None:
        if day in self._downloader.stored:
            download(day)

    def lists(self) -> Iterator[_Task]:
        """The undated lists, once a day."""
        for remote in addresses.lists():
            if not self._was_requested(f"{LISTS}/{remote.name}", LISTS_AGE):
                yield _Task(f"{LISTS}/{remote.name}", partial(self._downloader.download_list, remote))

    def services(self) -> Iterator[_Task]:
        """What only the site offers: holidays and corporate actions, once a day."""
        key = f"{LISTS}/{addresses.holidays(self._last.year).name}"
        if not self._was_requested(key, LISTS_AGE):
            yield _Task(key, partial(self._downloader.download_holidays, self._last.year))
        key, first = f"{LISTS}/{nse_lists.ACTIONS}", self._first_ex_date()
        if first <= self._last and not self._was_requested(key, LISTS_AGE):
            yield _Task(key, partial(self._downloader.download_corporate_actions, first, self._last))

    def _first_ex_date(self) -> date:
        """Return the first ex-date to request: some time before the stored list ends, or the first session."""
        first = min(self._sessions, default=self._last)
        try:
            listed = nse_lists.listed_actions(self._downloader.folder.root / LISTS)["ex_date"]
        except SourceUnreadable:
            return first
        return first if listed.isna().all() else listed.max().date() - OVERLAP

    def recorded_absences(self) -> list[date]:
        """Return the sessions recorded as absent that were not requested this time."""
        absent, reported = self._log.absent, self._downloader.report.absent
        return [
            day
            for day in self._sessions
            if f"{BARS}/{day}" in absent and day not in reported and day not in self._downloader.stored
        ]
