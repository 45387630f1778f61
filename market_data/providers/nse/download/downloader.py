"""Downloads single files of the exchange, checks each, and moves it to its place."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from market_data.providers import SourceUnreadable
from market_data.providers.nse.download import addresses, checks
from market_data.providers.nse.download.addresses import Hosts, Remote
from market_data.providers.nse.download.client import Absent, Answer, PoliteClient, Refused, Unreachable, Validators
from market_data.providers.nse.download.folder import BARS, LISTS, REPORTS, ArchiveFolder, DownloadLog
from market_data.providers.nse.files import LAYOUTS, Layout

NEAREST_SESSIONS = 3
"""Stored sessions that the length of a new one is compared with."""

OVERLAP = timedelta(days=45)
"""The list of corporate actions is requested again from so long before its end: entries come and change late."""

_PARSING_ERRORS = (ValueError, TypeError, LookupError, ArithmeticError)

logger = logging.getLogger(__name__)


@dataclass
class DownloadReport:
    """What a download achieved.

    ``new`` and ``revised`` are names of files that are new, and that replaced another version; ``absent`` are sessions
    of the calendar for which the exchange has no file, ``problems`` sentences about what could not be downloaded.
    ``unrequested`` is the number of sessions not requested, because the download ended early.
    """

    new: list[str] = field(default_factory=list)
    revised: list[str] = field(default_factory=list)
    absent: list[date] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unrequested: int = 0


class Downloader:
    """Downloads into a folder whose lock is held.

    ``stored`` is the daily file of each stored date, kept up to date; ``now`` is when the download started.
    """

    def __init__(
        self,
        folder: ArchiveFolder,
        log: DownloadLog,
        client: PoliteClient,
        hosts: Hosts,
        stored: dict[date, tuple[Path, Layout]],
        now: datetime,
    ) -> None:
        self.folder, self.log, self.stored, self.now = folder, log, stored, now
        self.report = DownloadReport()
        self._client, self._hosts = client, hosts
        self._counts: dict[date, int] = {}
        self._started = time.monotonic()

    def stay_away(self, seconds: float) -> None:
        """Record that the server asked for no requests for so long."""
        self.log.stay_away_until = self.now + timedelta(seconds=time.monotonic() - self._started + seconds)
        self.log.save()

    def download_bars(self, day: date) -> None:
        """Download a session's bars in the best available layout; for a stored session, a better or newer file.

        Raises SourceUnreadable, Refused or Unreachable when no layout brought a valid file and none is stored.
        """
        errors: list[Exception] = []
        for layout, remote in addresses.bars(day):
            stored = self.stored.get(day)
            if stored and LAYOUTS.index(stored[1]) < LAYOUTS.index(layout):
                break
            if stored and stored[0].name == remote.name and not self.is_ours(BARS, remote.name):
                break  # somebody put it there: it is not ours to replace
            try:
                self._download_layout(layout, remote, day)
                break
            except Absent as absent:
                logger.info("file absent", extra={"reason": str(absent)})
            except (SourceUnreadable, Refused, Unreachable) as error:
                errors.append(error)
                if isinstance(error, Unreachable) and error.wait_seconds:
                    break
        if day in self.stored:
            self.report.problems += map(str, errors)
        elif errors:
            raise errors[0]
        else:
            self.log.record_absent(f"{BARS}/{day}", self.now)
            self.report.absent.append(day)

    def is_ours(self, folder: str, name: str) -> bool:
        """Whether a file came by a download."""
        return f"{folder}/{name}" in self.log.files

    def _download_layout(self, layout: Layout, remote: Remote, day: date) -> None:
        def check(path: Path, answer: Answer) -> None:
            nearest = self._nearest_counts(day)
            self._counts[day] = checks.check_bars(path, layout, day, nearest=nearest, end_known=answer.end_known)

        if day not in self.stored:
            # A file of another day may lie under this name: it must be replaced, not found unchanged.
            self.log.files.pop(f"{BARS}/{remote.name}", None)
        self._download(remote, BARS, check)
        self.stored[day] = (self.folder.root / BARS / remote.name, layout)
        self.log.absent.pop(f"{BARS}/{day}", None)

    def _nearest_counts(self, day: date) -> list[int]:
        """Return how many shares the nearest stored sessions hold, leaving out unreadable ones."""
        counts: list[int] = []
        for other in sorted(self.stored, key=lambda stored: (abs((stored - day).days), stored)):
            if other == day:
                continue
            if other not in self._counts:
                path, layout = self.stored[other]
                try:
                    with _as_unreadable(path.name):
                        self._counts[other] = checks.bars_count(path, layout, other)
                except SourceUnreadable:
                    continue
            counts.append(self._counts[other])
            if len(counts) == NEAREST_SESSIONS:
                break
        return counts

    def download_list(self, remote: Remote) -> None:
        place = self.folder.root / LISTS / remote.name
        self._download(remote, LISTS, lambda path, _: checks.check_list(path, place))

    def download_holidays(self, year: int) -> None:
        """Download the holidays; the answer itself says which year it is for."""
        years: list[int] = []
        self._download(
            addresses.holidays(year),
            LISTS,
            lambda path, _: years.append(checks.year_of_holidays(path)),
            place=lambda: addresses.holidays(years[0]).name,
        )

    def download_corporate_actions(self, first: date, last: date) -> None:
        """Bring the list of corporate actions up to a day, requesting a year at a time."""
        place = self.folder.root / LISTS / addresses.corporate_actions(first, last).name
        work = self.folder.work_folder(LISTS)
        parts: list[Path] = []
        for start, end in _calendar_years(first, last):
            parts.append(work / f"{start}.csv")
            self._client.download(self._hosts.url(addresses.corporate_actions(start, end)), parts[-1])
        merged = work / place.name
        with _as_unreadable(place.name):
            checks.merge_actions(place, parts, first, last, merged)
        self._put(merged, place, f"{LISTS}/{place.name}", Validators())

    def download_report_pack(self, day: date) -> None:
        """Download and unpack the daily reports of a session."""
        remote, folder = addresses.report_pack(day), self.folder.root / REPORTS / day.isoformat()
        work = self.folder.work_folder(REPORTS)
        self._client.download(self._hosts.url(remote), work / remote.name)
        unpacked = work / day.isoformat()
        with _as_unreadable(remote.name):
            checks.unpack_reports(work / remote.name, day, unpacked)
        if folder.is_dir():
            for path in sorted(unpacked.iterdir()):
                self.folder.put(path, folder / path.name)
        else:
            self.folder.put(unpacked, folder)
        self.log.record_file(f"{REPORTS}/{remote.name}", self.now, Validators())
        self.report.new.append(remote.name)

    def download_earnings_ratios(self, day: date) -> None:
        """Download the official P/E of a session."""
        packs = (self.folder.root / REPORTS).glob("*/PE_*.csv")
        previous = sorted(path for path in packs if path.parent.name < day.isoformat())[-NEAREST_SESSIONS:]
        self._download(
            addresses.earnings_ratios(day),
            REPORTS,
            lambda path, _: checks.check_earnings_ratios(path, previous),
            place=lambda: f"{day}/{addresses.earnings_ratios(day).name}",
        )

    def _download(
        self,
        remote: Remote,
        folder: str,
        check: Callable[[Path, Answer], object],
        place: Callable[[], str] | None = None,
    ) -> None:
        """Download a file that is missing or has a newer version, check it, and put it below ``folder``."""
        key = f"{folder}/{remote.name}"
        stored = self.folder.root / folder / remote.name
        known = self.log.files[key].validators if key in self.log.files and stored.is_file() else None
        path = self.folder.work_folder(folder) / remote.name
        answer = self._client.download(self._hosts.url(remote), path, known)
        if answer is None:
            self.log.record_file(key, self.now, known or Validators())
            return
        with _as_unreadable(remote.name):
            check(path, answer)
        self._put(path, self.folder.root / folder / place() if place else stored, key, answer.validators)

    def _put(self, path: Path, place: Path, key: str, validators: Validators) -> None:
        existed = place.is_file()
        if not existed or place.read_bytes() != path.read_bytes():
            self.folder.put(path, place)
            (self.report.revised if existed else self.report.new).append(place.name)
        self.log.record_file(key, self.now, validators)


@contextmanager
def _as_unreadable(name: str) -> Iterator[None]:
    """Turn what unforeseen content makes a reader raise into SourceUnreadable: the content may be anything."""
    try:
        yield
    except _PARSING_ERRORS as error:
        raise SourceUnreadable(
            f"{name} cannot be read ({type(error).__name__}: {error}). It was not accepted."
        ) from error


def _calendar_years(first: date, last: date) -> Iterator[tuple[date, date]]:
    while first <= last:
        end = min(last, date(first.year, 12, 31))
        yield first, end
        first = end + timedelta(days=1)
