"""A broker as a provider: the evening's quotes complete what the exchange's files do not have yet.

Bars, lists, events and facts come from the exchange's archive as far as it goes. A session that it lacks on the evening
itself gets provisional bars from the broker, kept in the day's folder (`days`): replays read that folder, and the
exchange's file takes its place as soon as it is there.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime, time, timedelta

import pandas as pd

from brokers.answers import FieldError
from brokers.masters import MASTER_FILE
from brokers.protocol import IST, Broker, BrokerError, Quote, Quotes, SymbolMaster, Unavailable
from market_data.providers import (
    DAY_COLUMNS,
    LISTED_COLUMNS,
    Provider,
    ProviderError,
    RawBars,
    RawHistory,
    RawQuotes,
    SessionNotAvailable,
    SourceCheck,
    SourceFinding,
    SourceFingerprint,
    TransientProviderError,
    listed_frame,
)
from market_data.providers.nse.security_kinds import Claim, decide_kinds, is_worded_as_fund, isin_claims
from market_data.providers.quoted.bars import bars_of, live_quotes, sorted_rows
from market_data.providers.quoted.days import QuotedDays
from market_data.providers.quoted.limits import sent_limits

_OPEN, _CLOSE = time(9, 15), time(15, 30)
_NAMED = 10
_CALLS_A_REPORT = 5


class BrokerSilent(TransientProviderError):
    """The broker cannot answer now."""


class BrokerRefusal(ProviderError):
    """The broker does not answer until somebody acts: a log-in, a permission, an account."""


class BrokerFeed(ABC):
    """The exchange's archive, completed by a broker.

    Parameters
    ----------
    archive : the exchange's files, or `NoArchive`
    folder : where what the broker sent is kept, a folder a day; the last good list of symbols lies beside them
    open_account : opens the account for data at a moment, for the thread that calls; raises BrokerError
    """

    name: str
    title: str
    kind = "real"
    calendar: str | None = "XBOM"

    def __init__(self, archive: Provider, folder: QuotedDays, open_account: Callable[[datetime], Broker]) -> None:
        self._archive, self._days, self._open = archive, folder, open_account
        self._last_good = folder.root / MASTER_FILE
        self._refused: dict[SourceCheck, str] = {}

    @staticmethod
    @abstractmethod
    def parsed_master(content: bytes) -> SymbolMaster:
        """Return a list of symbols; raises FieldError."""

    def fetch(
        self,
        session: date,
        sessions_between: Callable[[date, date], list[date]],
        now: datetime,
        report: Callable[[int, int], None],
    ) -> None:
        """Let the archive download; on the session's own evening ask the broker for its list, and for missing quotes.

        Nothing is asked twice on a day. With the exchange's file a broker that does not answer is a finding.
        """
        late: ProviderError | None = None
        try:
            self._archive.fetch(session, sessions_between, now, report)
        except (SessionNotAvailable, TransientProviderError) as error:
            late = error
            self._refused[SourceCheck.DOWNLOAD] = f"The exchange's files were not all downloaded. {error}"
        today = now.astimezone(IST).date()
        is_final = bool(self._archive.sessions(session, session))
        if today - session <= timedelta(days=1):
            self._ask(today, now, report, with_quotes=today == session and not is_final)
        if not is_final and not self._days.has_quotes(session):
            raise late or SessionNotAvailable(
                f"{self.title} quotes the running day alone, and it is {today}: the bars of {session} come with the"
                " exchange's file."
            )

    def sessions(self, start: date | None, end: date) -> list[date]:
        """Return the sessions of the archive and those with quotes, ascending."""
        quoted = [day for day in self._days.sessions() if (start is None or day >= start) and day <= end]
        return sorted({*self._archive.sessions(start, end), *quoted})

    def fingerprint(self, session: date) -> SourceFingerprint:
        """Return the identity of the exchange's file, or of the quotes where there is none."""
        if self._has_quotes_alone(session):
            return self._days.fingerprint(session)
        return self._archive.fingerprint(session)

    def bars(self, session: date) -> RawBars:
        """Return the exchange's bars, final; or those of the quotes, provisional."""
        if self._has_quotes_alone(session):
            return bars_of(self._days.quotes(session), f"{self.name}:quotes")
        return self._archive.bars(session)

    def listed_symbols(self, as_of: date) -> pd.DataFrame:
        """Return what the archive lists, and of the broker's list what no other one knows.

        With an archive these are the symbols quoted on the day alone, by name: what they are, the exchange's lists and
        files say.
        """
        listed = self._archive.listed_symbols(as_of)
        kept = self._days.latest_master(as_of)
        if kept is None:
            return listed
        rows = self._listed_by_broker(*kept)
        if len(listed):
            traded = set(self.bars(as_of).frame["symbol"]) if self._has_quotes_alone(as_of) else set()
            rows = rows.loc[rows["symbol"].isin(traded)].assign(stock_name=None, isin=None, kind="unknown")
        rows = rows.loc[~rows["symbol"].isin(listed["symbol"])]
        return listed_frame(pd.concat([listed, rows], ignore_index=True)) if len(rows) else listed

    def symbol_changes(self, as_of: date) -> pd.DataFrame:
        return self._archive.symbol_changes(as_of)

    def corporate_actions(self, as_of: date) -> pd.DataFrame:
        return self._archive.corporate_actions(as_of)

    def official_coverage(self) -> date | None:
        return self._archive.official_coverage()

    def daily_facts(self, session: date) -> pd.DataFrame:
        return self._archive.daily_facts(session)

    def trading_limits(self, session: date) -> pd.DataFrame:
        """Return the exchange's limits of a session; of symbols that it does not name, those that the broker sent."""
        listed, sent = self._archive.trading_limits(session), self._sent_limits(session)
        more = sent.loc[~sent["symbol"].isin(listed["symbol"])]
        return pd.concat([part for part in (listed, more) if len(part)] or [listed], ignore_index=True)

    def _sent_limits(self, session: date) -> pd.DataFrame:
        """The broker's limits of a session: those of its quotes, unless it publishes a list."""
        rows = self._days.quotes(session).rows if self._days.has_quotes(session) else []
        return sent_limits([row for row in rows if row["day"] == session.isoformat()], f"{self.name}:quotes")

    def _keep_more(self, broker: Broker, day: date) -> None:  # noqa: B027  # most brokers publish no more
        """Keep what else the broker publishes of a day."""

    def index_members(self) -> pd.DataFrame:
        return self._archive.index_members()

    def statements(self, as_of: date, since: date | None = None) -> pd.DataFrame:
        return self._archive.statements(as_of, since)

    def market_days(self, as_of: date) -> pd.DataFrame:
        """Return what the archive proves, and the days on which shares were quoted with a volume."""
        days = self._archive.market_days(as_of)
        proven = set(days.loc[days["is_session"].astype(bool), "date"])
        source = f"{self.name}:quotes"
        rows = [
            (day, "normal" if day.weekday() < 5 else "special", True, *_hours(day), source)
            for day in self._days.sessions()
            if day <= as_of and day not in proven
        ]
        if not rows:
            return days
        kept = days.loc[~days["date"].isin([row[0] for row in rows])]
        quoted = pd.DataFrame.from_records(rows, columns=list(DAY_COLUMNS)).astype("object")
        return pd.concat([part for part in (kept, quoted) if len(part)]).sort_values("date", ignore_index=True)

    def quotes(self, symbols: Sequence[str], now: datetime) -> RawQuotes:
        """Return the quotes of today; symbols that today's list does not have are missing and not asked for."""
        kept = self._days.latest_master(now.astimezone(IST).date())
        listed = {row.symbol for row in self.parsed_master(kept[1]).rows} if kept else set(symbols)
        known = [symbol for symbol in symbols if symbol in listed]
        with self._opened(now) as broker:
            answer = broker.quotes(known)
        missing = [*answer.missing, *(symbol for symbol in symbols if symbol not in listed)]
        return live_quotes(answer.rows, missing, now.astimezone(IST).date(), self.name)

    def history(self, symbol: str, first: date, last: date, now: datetime) -> RawHistory:
        """Return a share's daily bars as the broker has them, adjusted or not."""
        with self._opened(now) as broker:
            history = broker.history(symbol, first, last)
        rows = [(row.date, row.open, row.high, row.low, row.close, row.volume) for row in history.rows]
        frame = pd.DataFrame(rows, columns=["date", "open", "high", "low", "close", "volume"])
        prices = dict.fromkeys(("open", "high", "low", "close"), "float64")
        return RawHistory(frame.astype(prices | {"date": "datetime64[ns]"}), str(history.adjusted))

    def findings(self) -> list[SourceFinding]:
        """Return the archive's, what the broker refused, and what became of the latest quotes."""
        findings = self._archive.findings()
        remedy = "docs/brokers.md says what each broker's data needs."
        findings += [SourceFinding(check, "warning", text, remedy) for check, text in self._refused.items()]
        quoted = self._days.sessions()
        if quoted and self._has_quotes_alone(quoted[-1]):
            findings.append(self._counts(quoted[-1]))
        return findings

    def _has_quotes_alone(self, session: date) -> bool:
        return self._days.has_quotes(session) and not self._archive.sessions(session, session)

    def _ask(self, day: date, now: datetime, report: Callable[[int, int], None], *, with_quotes: bool) -> None:
        with_quotes = with_quotes and not self._days.has_quotes(day)
        if not with_quotes and self._days.file(day, MASTER_FILE).is_file():
            return
        try:
            with closing(self._open(now)) as broker:
                master = self._kept_master(broker, day)
                if with_quotes:
                    self._keep_quotes(broker, master, day, now, report)
                self._keep_more(broker, day)
        except BrokerError as error:
            if with_quotes:
                raise _translated(error) from error
            self._refused[SourceCheck.SYMBOLS] = f"The list of symbols of {day} was not read. {error}"

    def _kept_master(self, broker: Broker, day: date) -> SymbolMaster:
        """Today's list; a refused one is a finding, and the last good one takes its place."""
        try:
            master = broker.symbol_master()
        except BrokerError as error:
            if not self._last_good.is_file():
                raise
            self._refused[SourceCheck.SYMBOLS] = f"The list of symbols of {day} was refused. {error}"
            return self.parsed_master(self._last_good.read_bytes())
        self._days.keep(day, MASTER_FILE, self._last_good.read_bytes())
        return master

    def _keep_quotes(
        self, broker: Broker, master: SymbolMaster, day: date, now: datetime, report: Callable[[int, int], None]
    ) -> None:
        symbols = list(dict.fromkeys(row.symbol for row in master.rows))
        step = broker.capabilities.quotes_a_call * _CALLS_A_REPORT
        rows: list[Quote] = []
        missing: list[str] = []
        for start in range(0, len(symbols), step):
            part = broker.quotes(symbols[start : start + step])
            rows += part.rows
            missing += part.missing
            report(min(start + step, len(symbols)), len(symbols))
        if not any(row.day == day and row.volume for row in rows):
            raise SessionNotAvailable(
                f"{self.title} has no quote of {day} with a trade: all {len(rows):,} are of another day or without"
                " volume, and none of them is kept."
            )
        self._days.keep_quotes(day, now.astimezone(IST), Quotes(tuple(rows), tuple(missing)), master.rows)

    def _listed_by_broker(self, day: date, content: bytes) -> pd.DataFrame:
        try:
            master = self.parsed_master(content)
        except FieldError as error:
            self._refused[SourceCheck.SYMBOLS] = f"The list of symbols kept on {day} is damaged: {error}."
            return pd.DataFrame(columns=list(LISTED_COLUMNS))
        rows = pd.DataFrame([(row.symbol, row.series, row.isin, row.name) for row in master.rows])
        rows = rows.set_axis(["symbol", "series", "isin", "stock_name"], axis=1).drop_duplicates("symbol")
        isin = rows.set_index("symbol")["isin"]
        worded = frozenset(symbol for symbol in rows["symbol"] if is_worded_as_fund(symbol))
        kinds = decide_kinds(
            rows["symbol"], [*isin_claims(isin, "the broker's list"), Claim("fund", worded, "wording of the symbol")]
        )
        verdict = kinds.reindex(rows["symbol"]).reset_index(drop=True)
        source = f"{self.name}:list of {day}; kind: " + verdict["because"]
        return rows.reset_index(drop=True).assign(kind=verdict["kind"], source=source)

    def _counts(self, day: date) -> SourceFinding:
        quoted = self._days.quotes(day)
        rows, missing = sorted_rows(quoted), quoted.missing
        named = ", ".join(missing[:_NAMED]) + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")
        message = (
            f"The bars of {day} come from {self.title}: {len(rows.traded):,} of {len(quoted.rows) + len(missing):,}"
            f" symbols traded, {len(rows.untraded):,} did not, {len(rows.other_day):,} quotes were of another day,"
            f" {len(missing):,} symbols are unknown to it" + (f": {named}." if missing else ".")
        )
        remedy = "The exchange's file replaces them; run the pipeline again once it is there."
        return SourceFinding(SourceCheck.QUOTES, "info", message, remedy)

    @contextmanager
    def _opened(self, now: datetime) -> Iterator[Broker]:
        """The account for data; what it raises is a provider's error."""
        try:
            with closing(self._open(now)) as broker:
                yield broker
        except BrokerError as error:
            raise _translated(error) from error


def _translated(error: BrokerError) -> ProviderError:
    kind = BrokerSilent if isinstance(error, Unavailable) else BrokerRefusal
    return kind(f"{error} No bars or quotes were made.")


def _hours(day: date) -> tuple[time | None, time | None]:
    return (_OPEN, _CLOSE) if day.weekday() < 5 else (None, None)
