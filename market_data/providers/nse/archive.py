"""Provider on a folder of the exchange's own files; it needs no account and no broker.

Layout of the folder: bars in ``bhavcopy/`` or directly in it, ``lists/``, ``reports/<YYYY-MM-DD>/``, and with
``series="all"`` also ``bhavcopy_all_series/``, which then takes precedence for its dates. Everything but bars is
optional; ``findings`` names what is missing. With a download, ``fetch`` fills the folder first.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time
from pathlib import Path

import pandas as pd

from market_data.prices.events import official_events
from market_data.providers import (
    CHANGE_COLUMNS,
    DAILY_FILE,
    DAY_COLUMNS,
    FACT_COLUMNS,
    LISTED_COLUMNS,
    MEMBER_COLUMNS,
    NotOffered,
    ProviderError,
    RawBars,
    RawQuotes,
    SessionMisdated,
    SessionNotAvailable,
    SourceCheck,
    SourceFinding,
    SourceFingerprint,
    listed_frame,
)
from market_data.providers.nse import lists
from market_data.providers.nse.bands import price_bands
from market_data.providers.nse.download import ArchiveDownload
from market_data.providers.nse.download.folder import daily_files, file_of_day
from market_data.providers.nse.file_days import other_days
from market_data.providers.nse.files import Layout, content_of, misdated, parsed_bars
from market_data.providers.nse.security_kinds import Claim, decide_kinds, is_worded_as_fund, isin_claims, tick_claims
from market_data.providers.nse.traded_evidence import DailyFile, traded_evidence

MISDATED_NAMED = 5
AHEAD_DAYS = 30
"""Official events up to so many days ahead are included."""

_OPEN, _CLOSE = time(9, 15), time(15, 30)
_HOLIDAY = "holiday"


class NseArchive:
    """Provider on a folder of the exchange's files.

    With ``eq`` as series it reads ``bhavcopy/`` or the top folder only; ``all`` prefers ``bhavcopy_all_series/`` for
    its dates. With a download the folder may be empty at first. `memory` is the cache folder of what was counted in
    daily files; None caches nothing. Raises ProviderError when the folder does not exist, or holds no daily file
    without a download unless it `may_be_empty`, or ``series`` is neither.
    """

    name = "nse_archive"
    kind = "real"
    calendar: str | None = "XBOM"

    def __init__(
        self,
        root: Path,
        *,
        series: str = "eq",
        download: ArchiveDownload | None = None,
        memory: Path | None = None,
        may_be_empty: bool = False,
    ) -> None:
        if not root.is_dir():
            raise ProviderError(f"{root} is not a folder; set NSE_ARCHIVE_DIR to the one with the exchange's files.")
        if series not in ("eq", "all"):
            raise ProviderError(f"NSE_ARCHIVE_SERIES is {series!r}; it must be eq or all.")
        self.root, self.series = root, series
        self._lists, self._reports = root / "lists", root / "reports"
        self._download, self._memory = download, memory
        self._files: dict[date, list[tuple[Path, Layout]]] = {}
        self._folder_times: tuple[int, ...] = ()
        if download is None and not may_be_empty and not self._daily_files():
            raise ProviderError(
                f"{root} holds no daily file of bars (sec_bhavdata_full_01012026.csv and the like), neither directly "
                "nor in bhavcopy/; set NSE_ARCHIVE_DIR to the folder above, or NSE_ARCHIVE_URL to have them downloaded."
            )

    def fetch(
        self,
        session: date,
        sessions_between: Callable[[date, date], list[date]],
        now: datetime,
        report: Callable[[int, int], None],
    ) -> None:
        """Download what is missing up to a session; without a download, do nothing."""
        if self._download is not None:
            self._download.fetch(session, sessions_between, now, report)

    def sessions(self, start: date | None, end: date) -> list[date]:
        """Return the dates with a daily file from ``start`` to ``end``, ascending.

        A file that holds another day than its name says makes no session; the first row of each new file is read.
        """
        files = self._daily_files()
        within = sorted(day for day in files if (start is None or day >= start) and day <= end)
        return [day for day in within if file_of_day(files[day]) is not None]

    def fingerprint(self, session: date) -> SourceFingerprint:
        """Return the identity of a session's file; raises SessionNotAvailable."""
        path, _ = self._file(session)
        state = path.stat()
        return SourceFingerprint(str(path.relative_to(self.root)), state.st_size, state.st_mtime_ns, path.read_bytes)

    def bars(self, session: date) -> RawBars:
        """Return the bars of a session, raw as published; raises SessionNotAvailable or SourceUnreadable."""
        path, layout = self._file(session)
        return parsed_bars(content_of(path), name=path.name, layout=layout, session=session)

    def listed_symbols(self, as_of: date) -> pd.DataFrame:
        """Return ``LISTED_COLUMNS`` of every symbol listed or traded by a day, one row per symbol, sorted.

        ``source`` tells where the names come from and what proves the kind. ``sector`` is the exchange's (index list),
        which publishes no finer industry here.

        Point in time: symbols first listed or traded later are absent; issued capital and names come from reports up to
        ``as_of``. Kind, name, ISIN and sector of undated lists are as of the day those were made.
        """
        traded = self._traded(as_of)
        facts = self._listing_facts(as_of)
        symbols = facts.index.union(traded.index)
        verdict = decide_kinds(symbols, self._claims(facts, traded))
        listed = facts.reindex(verdict.index)
        source = listed["source"].where(listed["source"].notna(), "nse_archive:bars")
        listed = listed.assign(kind=verdict["kind"], source=source + "; kind: " + verdict["because"], industry=None)
        return listed_frame(listed.reset_index())

    def symbol_changes(self, as_of: date) -> pd.DataFrame:
        """Return the renames of ``lists/symbolchange.csv`` up to a day; empty without the list."""
        changes = lists.symbol_changes(self._lists)
        return changes.loc[pd.to_datetime(changes["date"]) <= pd.Timestamp(as_of), list(CHANGE_COLUMNS)]

    def corporate_actions(self, as_of: date) -> pd.DataFrame:
        """Return the event frame of the official list and of the reports' ``bc`` files.

        Point in time: the list has no announcement dates, so its rows are known from the ex-date on; a ``bc`` row is
        known from the day of its report on. Nothing that became known after ``as_of`` is returned.
        """
        published = [lists.listed_actions(self._lists), lists.announced_actions(self._reports)]
        raw = pd.concat([part for part in published if not part.empty] or published[:1], ignore_index=True)
        known = pd.to_datetime(raw["known_on"]) <= pd.Timestamp(as_of)
        ahead = pd.to_datetime(raw["ex_date"]) <= pd.Timestamp(as_of) + pd.Timedelta(days=AHEAD_DAYS)
        return official_events(raw[known & ahead])

    def official_coverage(self) -> date | None:
        """Return the last ex-date of the official list; later ones in single reports do not prove completeness."""
        last = lists.listed_actions(self._lists)["ex_date"].max()
        return None if pd.isna(last) else pd.Timestamp(last).date()

    def daily_facts(self, session: date) -> pd.DataFrame:
        """Return issued shares, market cap (₹ crore) and P/E of the session's report pack; empty without one."""
        for day, pack in lists.report_packs(self._reports):
            if day == session:
                return lists.daily_facts(pack)
        return pd.DataFrame(columns=list(FACT_COLUMNS), dtype="object")

    def trading_limits(self, session: date) -> pd.DataFrame:
        """Return the price bands of the session's report pack; empty without one."""
        packs = (pack for day, pack in lists.report_packs(self._reports) if day == session)
        return price_bands(next(packs, self._reports), session)

    def quotes(self, symbols: Sequence[str], now: datetime) -> RawQuotes:
        """Raise NotOffered: an archive has no quotes."""
        raise NotOffered("The exchange's archive has daily files only; quotes need a broker: set QUOTES_PROVIDER.")

    def index_members(self) -> pd.DataFrame:
        """Return ``MEMBER_COLUMNS`` of the index lists in ``lists/``."""
        return lists.index_members(self._lists)[list(MEMBER_COLUMNS)]

    def market_days(self, as_of: date) -> pd.DataFrame:
        """Return what the files prove: a daily file makes a session, and so does a list that announces one.

        Other listed days are closed unless they have a file. Files after ``as_of`` are ignored; holidays are announced
        a year ahead and all included. A file on a weekend means a special session, any other a normal one; the calendar
        module knows the Muhurat sessions and drills among them. The hours of special ones are unknown.
        """
        listed = {
            stamp.date(): (kind, f"nse_archive:holiday list, {description}"[:60])
            for stamp, description, kind in lists.holidays(self._lists).itertuples(index=False)
        }
        days: dict[date, tuple[object, ...]] = {
            day: (day, kind, kind != _HOLIDAY, None, None, source) for day, (kind, source) in listed.items()
        }
        for day in self.sessions(None, as_of):
            announced = listed.get(day, (_HOLIDAY, ""))[0]
            if announced != _HOLIDAY:
                days[day] = (day, announced, True, None, None, DAILY_FILE)
            elif day.weekday() < 5:
                days[day] = (day, "normal", True, _OPEN, _CLOSE, DAILY_FILE)
            else:
                days[day] = (day, "special", True, None, None, DAILY_FILE)
        records = [days[day] for day in sorted(days)]
        return pd.DataFrame.from_records(records, columns=list(DAY_COLUMNS))

    def statements(self, as_of: date, since: date | None = None) -> pd.DataFrame:
        """Raise NotOffered: companies' statements are imported."""
        raise NotOffered("The exchange's archive has no statements; import them with import_fundamentals.")

    def findings(self) -> list[SourceFinding]:
        """Return missing optional files, skipped lines of lists, and where the official events end."""
        optional = {
            lists.EQUITIES: ("names, ISIN and listing dates stay empty", "the list of equities"),
            lists.ACTIONS: ("splits and bonuses are inferred from prices", "the list of corporate actions"),
            "ind_nifty500list.csv": ("sectors and index members stay empty", "the list of the NIFTY 500"),
        }
        findings = [
            SourceFinding(SourceCheck.FILES, "warning", f"lists/{name} is missing: {effect}.", f"Put {what} there.")
            for name, (effect, what) in optional.items()
            if not (self._lists / name).is_file()
        ]
        if not any(lists.report_packs(self._reports)):
            message = "reports/ holds no report pack: issued capital and official P/E stay empty."
            remedy = "Unpack the daily report pack into reports/YYYY-MM-DD/."
            findings.append(SourceFinding(SourceCheck.FILES, "warning", message, remedy))
        if self._download is not None:
            findings += self._download.findings()
        findings += self._misdated()
        covered, newest = self.official_coverage(), max(self.sessions(None, date.max), default=None)
        if covered is not None and newest is not None and covered < newest:
            message = (
                f"Official corporate actions end on {covered}, bars on {newest}: later ones are inferred from prices."
            )
            remedy = f"Replace lists/{lists.ACTIONS} by a newer one."
            findings.append(SourceFinding(SourceCheck.COVERAGE, "warning", message, remedy))
        return findings + lists.findings(self._lists, self._reports)

    def _misdated(self) -> list[SourceFinding]:
        """Return the daily files that hold another day than their names say."""
        holding = ((path, other_days(path)) for files in self._daily_files().values() for path, _ in files)
        sentences = sorted(f"{path.parent.name}/{misdated(path, days)}" for path, days in holding if days)
        if not sentences:
            return []
        named = "; ".join(sentences[:MISDATED_NAMED])
        more = f"; and {len(sentences) - MISDATED_NAMED} more" if len(sentences) > MISDATED_NAMED else ""
        message = f"Daily files of other days were left aside, and prove no session: {named}{more}."
        remedy = "Remove them; if the exchange did trade on the day in the name, put that day's own file there."
        return [SourceFinding(SourceCheck.MISDATED, "warning", message, remedy)]

    def _daily_files(self) -> dict[date, list[tuple[Path, Layout]]]:
        """Return the files of each date by name; read again when a folder changed: tonight's file arrives late."""
        folders = [self.root, self.root / "bhavcopy"]
        if self.series == "all":
            folders.append(self.root / "bhavcopy_all_series")
        folders = [folder for folder in folders if folder.is_dir()]
        state = tuple(folder.stat().st_mtime_ns for folder in folders)
        if state != self._folder_times:
            self._files = daily_files(folders)
            self._folder_times = state
        return self._files

    def _file(self, session: date) -> tuple[Path, Layout]:
        files = self._daily_files().get(session, [])
        file = file_of_day(files)
        if file is None:
            own = f"put sec_bhavdata_full_{session:%d%m%Y}.csv"
            if files:
                aside = "; ".join(misdated(path, other_days(path)) for path, _ in files)
                raise SessionMisdated(f"{aside}: {own} of that day in its place.")
            raise SessionNotAvailable(f"There is no daily file for {session} in {self.root}: {own} there.")
        return file

    def _traded(self, as_of: date) -> pd.DataFrame:
        """Return the evidence of the daily files up to a day, as `traded_evidence` does."""
        files = [DailyFile(session, *self._file(session)) for session in self.sessions(None, as_of)]
        return traded_evidence(files, self._memory)

    def _listing_facts(self, as_of: date) -> pd.DataFrame:
        """Return the lists joined, fullest names first; index symbol, columns of ``LISTED_COLUMNS``."""
        equities = lists.listed_equities(self._lists)
        equities = equities[~(equities["listed_on"] > pd.Timestamp(as_of))]
        members = lists.index_members(self._lists).drop_duplicates("symbol").drop(columns=["index"])
        parts = [
            equities.assign(source=f"nse_archive:{lists.EQUITIES}"),
            members.rename(columns={"industry": "sector"}).assign(source="nse_archive:index list"),
        ]
        # The newest report takes precedence.
        for day, pack in reversed(list(lists.report_packs(self._reports))):
            if day <= as_of:
                source = f"nse_archive:reports/{pack.name}"
                capital = lists.issued_capital(pack).drop(columns=["issue_size", "market_cap_crores"])
                parts.append(capital.assign(source=source))
                parts.append(lists.traded_as_equity(pack).assign(series="EQ", source=source))
        return _first_known(parts)

    def _claims(self, facts: pd.DataFrame, traded: pd.DataFrame) -> list[Claim]:
        """Return each source's claims about kinds, the strongest first (see ``security_kinds``)."""
        claims = isin_claims(traded["isin"], "the daily file")
        claims += isin_claims(facts["isin"], "the lists")
        claims.append(Claim("share", frozenset(lists.listed_equities(self._lists)["symbol"]), "list of equities"))
        packs = [pack for _, pack in lists.report_packs(self._reports)]
        claims += [claim for pack in packs for claim in _report_claims(pack)]
        claims.append(Claim("share", frozenset(lists.index_members(self._lists)["symbol"]), "index list"))
        actions = lists.listed_actions(self._lists)
        claims.append(Claim("share", frozenset(actions["symbol"]), "list of corporate actions in equities"))
        surveilled = frozenset(traded.index[traded["surveilled"]])
        claims.append(Claim("share", surveilled, "trades in a series of shares only"))
        claimed = frozenset().union(*(claim.symbols for claim in claims))
        undecided = traded[~traded.index.isin(claimed)]
        by_tick_fund, by_tick_share = tick_claims(undecided)
        worded = frozenset(symbol for symbol in undecided.index if is_worded_as_fund(symbol))
        return [*claims, by_tick_fund, Claim("fund", worded, "wording of the symbol"), by_tick_share]


def _report_claims(pack: Path) -> list[Claim]:
    """Claims of one report pack: ``mcap`` lists every company, so the rest of series EQ are funds."""
    companies = frozenset(lists.issued_capital(pack)["symbol"])
    if not companies:
        return []
    others = frozenset(lists.traded_as_equity(pack)["symbol"]) - companies
    return [
        Claim("share", companies | lists.changed_series(pack), f"issued capital in reports/{pack.name}"),
        Claim("fund", others, f"traded in EQ without issued capital in reports/{pack.name}"),
    ]


def _first_known(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return, per symbol and column, the first known value of several lists; ``source`` names the first list."""
    columns = [column for column in LISTED_COLUMNS if column not in ("kind", "industry")]
    frames = [part.reindex(columns=columns).astype("object") for part in parts]
    joined = pd.concat(frames, ignore_index=True)
    joined = joined.where(joined.notna() & (joined != ""), None)
    # GroupBy.first skips missing values, as intended here.
    return joined.groupby("symbol", sort=True).first()
