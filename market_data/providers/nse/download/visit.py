"""One visit to the exchange: asks for one file after the other, checks each, and puts it into its place."""

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
from market_data.providers.nse.download.polite_client import Absent, PoliteClient, Refused, Unreachable
from market_data.providers.nse.download.shelf import BARS, LISTS, REPORTS, Memory, Shelf
from market_data.providers.nse.download.transfer import Answer, Validators
from market_data.providers.nse.files import LAYOUTS, Layout

NEAREST = 3
"""Stored sessions that a new one's length is held against."""

OVERLAP = timedelta(days=45)
"""The list of corporate actions is asked for again from so long before its end: entries come and change late."""

_ODD_CONTENT = (ValueError, TypeError, LookupError, ArithmeticError)

logger = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What came of a visit.

    Attributes
    ----------
    fetched, revised
        Names of files that are new, and of files that replaced another version.
    absent
        Sessions by the calendar for which the exchange has no file.
    troubles
        Sentences about what could not be had.
    left
        Sessions that were not asked for, because the visit ended early.
    """

    fetched: list[str] = field(default_factory=list)
    revised: list[str] = field(default_factory=list)
    absent: list[date] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    left: int = 0


class Visit:
    """Fetches single files into a folder that is locked for it.

    Parameters
    ----------
    shelf, memory
        The folder, and what earlier visits learnt.
    client, hosts
        Who asks, and whom.
    stored
        Daily file of each date at hand; kept up to date.
    now
        When the visit began.
    """

    def __init__(
        self,
        shelf: Shelf,
        memory: Memory,
        client: PoliteClient,
        hosts: Hosts,
        stored: dict[date, tuple[Path, Layout]],
        now: datetime,
    ) -> None:
        self.shelf, self.memory, self.stored, self.now = shelf, memory, stored, now
        self.outcome = Outcome()
        self._client, self._hosts = client, hosts
        self._counts: dict[date, int] = {}
        self._began = time.monotonic()

    def stay_away(self, seconds: float) -> None:
        """Remember that the server asked to be left alone for so long."""
        self.memory.stay_away_until = self.now + timedelta(seconds=time.monotonic() - self._began + seconds)
        self.memory.save()

    def bars(self, day: date) -> None:
        """Fetch a session's bars in the best layout to be had; at a stored session look for a better or newer file.

        Raises
        ------
        SourceUnreadable, Refused, Unreachable
            When nothing to be believed came in any layout and nothing is at hand.
        """
        said: list[Exception] = []
        for layout, remote in addresses.bars(day):
            at_hand = self.stored.get(day)
            if at_hand and LAYOUTS.index(at_hand[1]) < LAYOUTS.index(layout):
                break
            if at_hand and at_hand[0].name == remote.name and not self.is_ours(BARS, remote.name):
                break  # somebody put it there: it is not ours to replace
            try:
                self._bars(layout, remote, day)
                break
            except Absent as absent:
                logger.info("not there", extra={"reason": str(absent)})
            except (SourceUnreadable, Refused, Unreachable) as error:
                said.append(error)
                if isinstance(error, Unreachable) and error.wait_seconds:
                    break
        if day in self.stored:
            self.outcome.troubles += map(str, said)
        elif said:
            raise said[0]
        else:
            self.memory.note_absent(f"{BARS}/{day}", self.now)
            self.outcome.absent.append(day)

    def is_ours(self, folder: str, name: str) -> bool:
        """Whether a file came by a download."""
        return f"{folder}/{name}" in self.memory.fetched

    def _bars(self, layout: Layout, remote: Remote, day: date) -> None:
        def judged(path: Path, answer: Answer) -> None:
            nearest = self._nearest(day)
            count = checks.check_bars(path, layout, day, nearest=nearest, end_known=answer.end_known)
            self._counts[day] = count

        self._fetch(remote, BARS, judged)
        self.stored[day] = (self.shelf.root / BARS / remote.name, layout)
        self.memory.absent.pop(f"{BARS}/{day}", None)

    def _nearest(self, day: date) -> list[int]:
        """Return how many shares the nearest stored sessions hold; one that cannot be read does not count."""
        counts: list[int] = []
        for other in sorted(self.stored, key=lambda one: (abs((one - day).days), one)):
            if other == day:
                continue
            if other not in self._counts:
                path, layout = self.stored[other]
                try:
                    with _readable(path.name):
                        self._counts[other] = checks.bars_count(path, layout, other)
                except SourceUnreadable:
                    continue
            counts.append(self._counts[other])
            if len(counts) == NEAREST:
                break
        return counts

    def listed(self, remote: Remote) -> None:
        """Fetch an undated list."""
        place = self.shelf.root / LISTS / remote.name
        self._fetch(remote, LISTS, lambda path, _: checks.check_list(path, place))

    def holidays(self, year: int) -> None:
        """Fetch the holidays; the answer itself says of which year they are."""
        remote = addresses.holidays(year)
        found: list[int] = []
        self._fetch(
            remote,
            LISTS,
            lambda path, _: found.append(checks.year_of_holidays(path)),
            place=lambda: addresses.holidays(found[0]).name,
        )

    def corporate_actions(self, first: date, last: date) -> None:
        """Bring the list of corporate actions up to a day, asking for a year at a time."""
        place = self.shelf.root / LISTS / addresses.corporate_actions(first, last).name
        work = self.shelf.workplace(LISTS)
        parts: list[Path] = []
        for begin, end in _years(first, last):
            remote = addresses.corporate_actions(begin, end)
            parts.append(work / f"{begin}.csv")
            self._client.download(self._hosts.url(remote), parts[-1])
        merged = work / place.name
        with _readable(place.name):
            checks.merged_actions(place, parts, first, last, merged)
        self._put(merged, place, f"{LISTS}/{place.name}", Validators())

    def report_pack(self, day: date) -> None:
        """Fetch and unpack the daily reports of a session."""
        remote, folder = addresses.report_pack(day), self.shelf.root / REPORTS / day.isoformat()
        work = self.shelf.workplace(REPORTS)
        self._client.download(self._hosts.url(remote), work / remote.name)
        unpacked = work / day.isoformat()
        with _readable(remote.name):
            checks.unpacked_reports(work / remote.name, day, unpacked)
        if folder.is_dir():
            for path in sorted(unpacked.iterdir()):
                self.shelf.put(path, folder / path.name)
        else:
            self.shelf.put(unpacked, folder)
        self.memory.note(f"{REPORTS}/{remote.name}", self.now, Validators())
        self.outcome.fetched.append(remote.name)

    def earnings_ratios(self, day: date) -> None:
        """Fetch the official P/E of a session."""
        root = self.shelf.root / REPORTS
        previous = sorted(path for path in root.glob("*/PE_*.csv") if path.parent.name < day.isoformat())[-NEAREST:]
        self._fetch(
            addresses.earnings_ratios(day),
            REPORTS,
            lambda path, _: checks.check_earnings_ratios(path, previous),
            place=lambda: f"{day}/{addresses.earnings_ratios(day).name}",
        )

    def _fetch(
        self,
        remote: Remote,
        folder: str,
        judge: Callable[[Path, Answer], object],
        place: Callable[[], str] | None = None,
    ) -> None:
        """Fetch a file that is missing or has a newer version, judge it, and put it below ``folder``."""
        key = f"{folder}/{remote.name}"
        at_hand = self.shelf.root / folder / remote.name
        known = self.memory.fetched[key].validators if key in self.memory.fetched and at_hand.is_file() else None
        path = self.shelf.workplace(folder) / remote.name
        answer = self._client.download(self._hosts.url(remote), path, known)
        if answer is None:
            self.memory.note(key, self.now, known or Validators())
            return
        with _readable(remote.name):
            judge(path, answer)
        self._put(path, self.shelf.root / folder / place() if place else at_hand, key, answer.validators)

    def _put(self, path: Path, place: Path, key: str, validators: Validators) -> None:
        existed = place.is_file()
        if not existed or place.read_bytes() != path.read_bytes():
            self.shelf.put(path, place)
            (self.outcome.revised if existed else self.outcome.fetched).append(place.name)
        self.memory.note(key, self.now, validators)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Say of content that no reader foresaw that it cannot be read; it came from outside and may be anything."""
    try:
        yield
    except _ODD_CONTENT as error:
        raise SourceUnreadable(f"{name} cannot be read ({type(error).__name__}: {error}). It was not taken.") from error


def _years(first: date, last: date) -> Iterator[tuple[date, date]]:
    """Cut a span of days into calendar years."""
    while first <= last:
        end = min(last, date(first.year, 12, 31))
        yield first, end
        first = end + timedelta(days=1)
