"""Which files are missing or may be newer, and in which order they are asked for: the newest session first.

Not asked for: what is no session by the calendar, what lies here and came from elsewhere, and what was not there when
it was last asked for (a day for a late session, a month for an old one). Tonight's session is always asked for.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

from market_data.providers import SessionNotAvailable, SourceFinding, SourceUnreadable
from market_data.providers.nse import lists as nse_lists
from market_data.providers.nse.download import addresses
from market_data.providers.nse.download.addresses import Hosts
from market_data.providers.nse.download.polite_client import (
    Absent,
    OutOfTime,
    PoliteClient,
    Politeness,
    Refused,
    Unreachable,
)
from market_data.providers.nse.download.shelf import BARS, LISTS, REPORTS, Busy, Memory, Shelf
from market_data.providers.nse.download.visit import OVERLAP, Outcome, Visit
from market_data.providers.nse.files import FULL

RECENT_SESSIONS = 5
"""So many last sessions are looked at for revised files, better layouts and reports."""

REVISIONS_AGE, LISTS_AGE, REPORTS_AGE = timedelta(hours=6), timedelta(hours=20), timedelta(minutes=50)
"""What was looked for within this time is not asked for again."""

ABSENT_AGE, OLD_ABSENT_AGE, OLD_DAYS = timedelta(hours=20), timedelta(days=30), 10
REMEMBERED = timedelta(days=40)
TROUBLES_IN_A_ROW = 3
"""So many files in a row that cannot be had end the visit."""

LOCK_PATIENCE_SECONDS = 30.0
FEW_LEFT = 5
"""A visit that ended with more sessions unasked leaves the archive too incomplete for a run."""

SessionsBetween = Callable[[date, date], list[date]]
Report = Callable[[int, int], None]

logger = logging.getLogger(__name__)


class _Task(NamedTuple):
    key: str
    """What is remembered as absent; empty where the visit remembers by itself."""
    run: Callable[[], None]
    is_bars: bool = False


class ArchiveDownload:
    """Brings the files of a span of sessions into the archive's folder.

    Parameters
    ----------
    root
        The folder.
    hosts
        Addresses of the exchange.
    politeness
        Waits and limits.
    days
        How many calendar days before a session are looked at for what is missing.
    all_series
        Whether ``bhavcopy_all_series/`` counts as stored too.
    """

    def __init__(
        self, root: Path, hosts: Hosts, politeness: Politeness, *, days: int, all_series: bool = False
    ) -> None:
        self.root, self.days = root, days
        self.outcome = Outcome()
        self._hosts, self._politeness, self._all_series = hosts, politeness, all_series
        self._shelf = Shelf(root)

    def bring(
        self,
        first: date,
        last: date,
        sessions_between: SessionsBetween,
        asked_at: datetime,
        report: Report,
        *,
        again: bool = False,
        reports: bool = False,
    ) -> Outcome:
        """Fetch what is missing or revised; what cannot be had is told in the outcome, not raised.

        Parameters
        ----------
        first, last
            Span of days; the last one is asked for even if it was absent a moment ago.
        sessions_between
            The calendar of sessions.
        asked_at
            Now.
        report
            Gets how many files of how many are done.
        again
            Ask also for what was absent lately, and for all revisions.
        reports
            Fetch the daily reports of all sessions, not only of the last ones.

        Raises
        ------
        ProviderError
            When the folder cannot be written.
        """
        self.outcome = Outcome()
        sessions = sessions_between(first, last)
        try:
            with self._shelf.alone(LOCK_PATIENCE_SECONDS):
                self._visit(sessions, last, asked_at, report, again, reports)
        except Busy as busy:
            self.outcome.troubles.append(str(busy))
        logger.info(
            "archive visited",
            extra={
                "fetched": len(self.outcome.fetched),
                "revised": len(self.outcome.revised),
                "absent": len(self.outcome.absent),
                "troubles": len(self.outcome.troubles),
                "left": self.outcome.left,
            },
        )
        return self.outcome

    def _visit(
        self, sessions: list[date], last: date, now: datetime, report: Report, again: bool, reports: bool
    ) -> None:
        memory = Memory(self.root)
        away = memory.stay_away_until
        if away is not None and now < away and not again:
            self.outcome.troubles.append(f"The exchange asked not to be asked again before {away:%Y-%m-%d %H:%M %Z}.")
            return
        memory.stay_away_until = None
        memory.forget_before(now - REMEMBERED)
        stored = self._shelf.bars_stored(all_series=self._all_series)
        with PoliteClient(self._hosts.site, self._politeness) as client:
            visit = Visit(self._shelf, memory, client, self._hosts, stored, now)
            self.outcome = visit.outcome
            plan = _Plan(visit, sessions, last, again=again, all_reports=reports)
            tasks = [*plan.bars(), *plan.reports(), *plan.lists(), *(plan.services() if self._hosts.site else ())]
            self._work(visit, tasks, report)
            visit.outcome.absent += plan.remembered_absent()

    def _work(self, visit: Visit, tasks: Sequence[_Task], report: Report) -> None:
        """Do the tasks one after the other, and stop where going on would be of no use or no manners."""
        in_a_row = 0
        for number, task in enumerate(tasks):
            report(number, len(tasks))
            try:
                task.run()
                in_a_row = 0
            except Absent:
                in_a_row = 0
                visit.memory.note_absent(task.key, visit.now)
            except (SourceUnreadable, Refused, Unreachable, OutOfTime) as error:
                in_a_row += 1
                visit.outcome.troubles.append(str(error))
                logger.warning("not to be had", extra={"reason": str(error)})
                wait = error.wait_seconds if isinstance(error, Unreachable) else 0.0
                if wait:
                    visit.stay_away(wait)
                if wait or in_a_row >= TROUBLES_IN_A_ROW or isinstance(error, OutOfTime):
                    visit.outcome.left = sum(one.is_bars for one in tasks[number + 1 :])
                    return
        report(len(tasks), len(tasks))

    def fetch(self, session: date, sessions_between: SessionsBetween, asked_at: datetime, report: Report) -> None:
        """Bring what a run for a session needs, as `Provider.fetch` says."""
        first = session - timedelta(days=self.days)
        outcome = self.bring(first, session, sessions_between, asked_at, report)
        if session not in self._shelf.bars_stored(all_series=self._all_series):
            told = " ".join(dict.fromkeys(outcome.troubles[:2])) or "The exchange does not have it (yet)."
            raise SessionNotAvailable(f"No daily file for {session} came. {told}")
        if outcome.left > FEW_LEFT:
            told = " ".join(outcome.troubles[-1:])
            raise SessionNotAvailable(
                f"{outcome.left:,} older daily files are still to come. {told} What came stays; a retry goes on."
            )

    def findings(self) -> list[SourceFinding]:
        """Say what the last visit did not bring."""
        found = []
        if self.outcome.absent:
            days = sorted(self.outcome.absent)
            named = ", ".join(map(str, days[-5:])) + (" and others" if len(days) > 5 else "")
            remedy = "If there was none, say so with import_market_days; otherwise `download_archive` asks again: "
            remedy += f"--from {days[0]} --to {days[-1]} --again."
            message = f"The exchange has no daily file for {len(days)} days that should be sessions ({named})."
            found.append(SourceFinding("source_sessions", "warning", f"{message} No session?", remedy))
        if self.outcome.troubles:
            message = " ".join(dict.fromkeys(self.outcome.troubles[:3]))
            more = f" And {len(self.outcome.troubles) - 3} more." if len(self.outcome.troubles) > 3 else ""
            remedy = "The next run asks again; `download_archive` does it now."
            found.append(SourceFinding("source_download", "warning", f"{message}{more}", remedy))
        return found


class _Plan:
    """What to ask for, given what is here and what is remembered."""

    def __init__(self, visit: Visit, sessions: list[date], last: date, *, again: bool, all_reports: bool) -> None:
        self._visit, self._sessions, self._last = visit, sessions, last
        self._again, self._all_reports = again, all_reports
        self._memory, self._now = visit.memory, visit.now
        self._recent = sessions[-RECENT_SESSIONS:]

    def _was_asked(self, name: str, age: timedelta) -> bool:
        return not self._again and self._memory.was_asked(name, self._now, age)

    def bars(self) -> Iterator[_Task]:
        """Sessions without a file, and the last ones with a file of ours that may be revised; newest first."""
        for day in reversed(self._sessions):
            if day in self._visit.stored:
                wanted = day in self._recent and self._may_be_newer(day)
            else:
                old = (self._last - day).days > OLD_DAYS
                asked = self._was_asked(f"{BARS}/{day}", OLD_ABSENT_AGE if old else ABSENT_AGE)
                wanted = day == self._last or not asked
            if wanted:
                yield _Task("", partial(self._visit.bars, day), is_bars=True)

    def _may_be_newer(self, day: date) -> bool:
        path, layout = self._visit.stored[day]
        return self._visit.is_ours(BARS, path.name) and (
            layout is not FULL or not self._was_asked(f"{BARS}/{path.name}", REVISIONS_AGE)
        )

    def reports(self) -> Iterator[_Task]:
        """Report packs and P/E of the last sessions, or of all."""
        for day in reversed(self._sessions if self._all_reports else self._recent):
            folder = self._visit.shelf.root / REPORTS / day.isoformat()
            wanted = (
                ("mcap*.csv", addresses.report_pack(day), self._visit.report_pack),
                ("PE_*.csv", addresses.earnings_ratios(day), self._visit.earnings_ratios),
            )
            for pattern, remote, fetch in wanted:
                key = f"{REPORTS}/{remote.name}"
                if not any(folder.glob(pattern)) and not self._was_asked(key, REPORTS_AGE):
                    yield _Task(key, partial(self._if_traded, day, fetch))

    def _if_traded(self, day: date, fetch: Callable[[date], None]) -> None:
        if day in self._visit.stored:
            fetch(day)

    def lists(self) -> Iterator[_Task]:
        """The undated lists, once a day."""
        for remote in addresses.lists():
            if not self._was_asked(f"{LISTS}/{remote.name}", LISTS_AGE):
                yield _Task(f"{LISTS}/{remote.name}", partial(self._visit.listed, remote))

    def services(self) -> Iterator[_Task]:
        """What only the site answers: holidays and corporate actions, once a day."""
        key = f"{LISTS}/{addresses.holidays(self._last.year).name}"
        if not self._was_asked(key, LISTS_AGE):
            yield _Task(key, partial(self._visit.holidays, self._last.year))
        key, first = f"{LISTS}/{nse_lists.ACTIONS}", self._actions_from()
        if first <= self._last and not self._was_asked(key, LISTS_AGE):
            yield _Task(key, partial(self._visit.corporate_actions, first, self._last))

    def _actions_from(self) -> date:
        """Return the first ex-date to ask for: a while before the list at hand ends, or the first session."""
        first = min(self._sessions, default=self._last)
        try:
            listed = nse_lists.listed_actions(self._visit.shelf.root / LISTS)["ex_date"]
        except SourceUnreadable:
            return first
        return first if listed.isna().all() else listed.max().date() - OVERLAP

    def remembered_absent(self) -> list[date]:
        """Sessions known to have no file that were not asked for this time; tonight's is not among them."""
        absent, named = self._memory.absent, self._visit.outcome.absent
        return [
            day
            for day in self._sessions
            if f"{BARS}/{day}" in absent and day not in named and day not in self._visit.stored
        ]
