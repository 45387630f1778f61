"""Providers of market data: the protocol, its errors, and the registry.

To add a provider, write one file (or folder) here and one entry of ``_BUILDERS``. What a provider does not have is an
empty frame where the protocol says "may be empty" and an error otherwise, never an invented value. No provider reads a
clock or the environment: every method takes its date.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import pandas as pd

from market_data.prices.bars import FINAL
from stocks.fundamentals.files import STATEMENT_COLUMNS as STATEMENT_COLUMNS

if TYPE_CHECKING:
    from brokers.protocol import Broker
    from market_data.providers.nse.download import ArchiveDownload
    from market_data.providers.quoted.days import QuotedDays

LISTED_DTYPES = {
    "symbol": "object",
    "stock_name": "object",
    "series": "object",
    "isin": "object",
    "face_value": "float64",
    "listed_on": "datetime64[ns]",
    "kind": "object",
    "sector": "object",
    "industry": "object",
    "source": "object",
}
LISTED_COLUMNS = tuple(LISTED_DTYPES)
CHANGE_COLUMNS = ("from_symbol", "to_symbol", "date", "proof")
FACT_COLUMNS = ("symbol", "issue_size", "market_cap_crores", "pe_ratio", "source")
DAY_COLUMNS = ("date", "kind", "is_session", "open", "close", "source")
QUOTE_COLUMNS = ("symbol", "at", "last_price", "volume", "source")
LIMIT_DTYPES = {
    "symbol": "object",
    "date": "datetime64[ns]",
    "lower_band": "float64",
    "upper_band": "float64",
    "band": "object",
    "surveillance": "object",
    "trade_status": "object",
    "freeze_quantity": "Int64",
    "source": "object",
}
LIMIT_COLUMNS = tuple(LIMIT_DTYPES)
MEMBER_COLUMNS = ("index", "symbol", "industry")
DAILY_FILE = "nse_archive:daily file"
"""Source of a market day that a daily file proves."""


class ProviderError(Exception):
    """A provider cannot answer; the sentence names the remedy.

    `runbook` is the key of the helpful entry in docs/RUNBOOK.md, or empty.
    """

    runbook = ""


class SessionNotAvailable(ProviderError):
    """There are no bars for the session (yet)."""

    runbook = "file-missing"


class SessionMisdated(SessionNotAvailable):
    """The file that bears the session's name holds another day."""

    runbook = "file-refused"


class SourceUnreadable(ProviderError):
    """The source exists but is not what it should be: another format, truncated, for another day."""

    runbook = "file-refused"


class NotOffered(ProviderError):
    """The provider does not have this kind of data."""


class TransientProviderError(ProviderError):
    """The provider may answer a later request: a time-out, a rate limit."""

    runbook = "source-silent"


class SourceCheck(StrEnum):
    """Names of the findings by which providers report what they lack; each replaces those of an earlier run."""

    FILES = "source_files"
    MISDATED = "source_misdated"
    COVERAGE = "official_coverage"
    SESSIONS = "source_sessions"
    DOWNLOAD = "source_download"
    SYMBOLS = "source_symbols"
    QUOTES = "source_quotes"
    LIMITS = "source_limits"


class SourceFinding(NamedTuple):
    """A finding about the source: a missing optional file, a list that ends early."""

    check: SourceCheck
    severity: str
    """``info``, ``warning`` or ``error``."""
    message: str
    remedy: str


@dataclass(frozen=True)
class SourceFingerprint:
    """Identity of the source of a session's bars, so that a revised file is noticed.

    Size and modification time are compared first; ``sha256`` reads the content and decides.
    """

    name: str
    size: int
    mtime_ns: int
    content: Callable[[], bytes] = field(repr=False, compare=False)

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the content."""
        return hashlib.sha256(self.content()).hexdigest()


@dataclass(frozen=True)
class RawBars:
    """One session's rows as parsed.

    - frame: bar frame, one row per symbol, in the first of the share series; not yet through ``bars.checked_bars``;
    - rejects: symbol, date, reason, raw of the rejected rows of share series;
    - source: provider and file, for the ``source`` column;
    - status: ``final`` for the exchange's own rows, ``provisional`` for a vendor's, which those replace;
    - out_of_scope: number of rows per series without shares (government securities, bonds, …), which are not rejected.
    """

    frame: pd.DataFrame
    rejects: pd.DataFrame
    source: str
    out_of_scope: dict[str, int] = field(default_factory=dict)
    status: str = FINAL


@dataclass(frozen=True)
class RawQuotes:
    """Quotes of the running session as they came.

    - frame: ``QUOTE_COLUMNS``, one row per symbol that traded today;
    - rejects: symbol, date, reason, raw, source of quotes without a price that is one;
    - missing: symbols that the source does not know;
    - other_day, untraded: how many quotes were left out, being of another day, or of no trade today.
    """

    frame: pd.DataFrame
    rejects: pd.DataFrame
    missing: tuple[str, ...] = ()
    other_day: int = 0
    untraded: int = 0


@runtime_checkable
class Provider(Protocol):
    """A source of market data.

    Dates are sessions of the exchange. ``as_of`` is the close of a session: nothing known later may be returned.
    """

    name: str
    kind: str
    """``real`` or ``simulated``."""
    calendar: str | None
    """Calendar of the library to seed market days from; None when ``market_days`` is complete in itself."""

    def listed_symbols(self, as_of: date) -> pd.DataFrame:
        """Return ``LISTED_COLUMNS``, one row per symbol; kind is share, fund or unknown, unknown text NA."""

    def symbol_changes(self, as_of: date) -> pd.DataFrame:
        """Return ``CHANGE_COLUMNS``: renames announced by the source; may be empty."""

    def sessions(self, start: date | None, end: date) -> list[date]:
        """Return the sessions with bars from ``start`` to ``end`` (both included), ascending."""

    def fetch(
        self,
        session: date,
        sessions_between: Callable[[date, date], list[date]],
        now: datetime,
        report: Callable[[int, int], None],
    ) -> None:
        """Download what is missing up to a session; a local source does nothing.

        ``sessions_between`` is the calendar, ``now`` the present moment; ``report`` is called with the number of files
        done and their total. Raises SessionNotAvailable when the session is not available now, ProviderError when
        files cannot be stored.
        """

    def fingerprint(self, session: date) -> SourceFingerprint:
        """Return the identity of the source of a session's bars; raises SessionNotAvailable."""

    def bars(self, session: date) -> RawBars:
        """Return a session's bars; raises SessionNotAvailable or SourceUnreadable."""

    def corporate_actions(self, as_of: date) -> pd.DataFrame:
        """Return the official events known by ``as_of``, with ex-dates up to 30 days ahead."""

    def official_coverage(self) -> date | None:
        """Return the ex-date up to which the official events are complete; None without any."""

    def daily_facts(self, session: date) -> pd.DataFrame:
        """Return ``FACT_COLUMNS`` published for a session (shares, ₹ crore, ratio); may be empty."""

    def trading_limits(self, session: date) -> pd.DataFrame:
        """Return ``LIMIT_COLUMNS`` published for a session (₹, shares; unknown is NA); may be empty."""

    def quotes(self, symbols: Sequence[str], now: datetime) -> RawQuotes:
        """Return the quotes of the day of ``now``; raises NotOffered."""

    def index_members(self) -> pd.DataFrame:
        """Return ``MEMBER_COLUMNS``; may be empty."""

    def market_days(self, as_of: date) -> pd.DataFrame:
        """Return ``DAY_COLUMNS``: what the source proves about days, sessions up to ``as_of``; may be empty."""

    def statements(self, as_of: date, since: date | None = None) -> pd.DataFrame:
        """Return ``STATEMENT_COLUMNS`` published by ``as_of``, after ``since`` (₹ crore); raises NotOffered."""

    def findings(self) -> list[SourceFinding]: ...


@dataclass(frozen=True)
class RawHistory:
    """A share's daily bars from one day to another as a source has them.

    - frame: date, open, high, low, close (₹), volume;
    - adjusted: ``raw``, ``vendor`` (for what the source chooses) or ``unknown``.
    """

    frame: pd.DataFrame
    adjusted: str


@runtime_checkable
class HistoryProvider(Protocol):
    """A provider that also has the history of single shares."""

    name: str

    def history(self, symbol: str, first: date, last: date, now: datetime) -> RawHistory:
        """Return a share's daily bars, both days included; raises ProviderError."""


class LocalSource:
    """Base of a provider that needs no download."""

    def fetch(self, *_: object) -> None:
        """Do nothing."""


def listed_frame(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the columns, dtypes and order of a list of symbols; unknown text becomes None."""
    typed = rows.reindex(columns=list(LISTED_COLUMNS)).astype(LISTED_DTYPES)
    for column in typed.columns[typed.dtypes == "object"]:
        typed[column] = typed[column].where(typed[column].notna(), None)
    return typed.sort_values("symbol", ignore_index=True)


def limits_frame(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the columns and dtypes of trading limits, one a symbol; those that say nothing are left out."""
    typed = rows.reindex(columns=list(LIMIT_COLUMNS)).astype(LIMIT_DTYPES)
    for column in typed.columns[typed.dtypes == "object"]:
        typed[column] = typed[column].where(typed[column].notna(), None)
    says = typed[list(LIMIT_COLUMNS[2:-1])].notna().any(axis=1)
    return typed.loc[says].drop_duplicates("symbol").sort_values("symbol", ignore_index=True)


def _simulator() -> Provider:
    from django.conf import settings

    from market_data.providers.simulator import Simulator, chosen_kinds

    try:
        kinds = chosen_kinds(settings.SIMULATOR_INCIDENTS)
    except ValueError as error:
        raise ProviderError(f"SIMULATOR_INCIDENTS: {error}") from error
    return Simulator(
        symbols=settings.SIMULATOR_SYMBOLS,
        sessions=settings.SIMULATOR_SESSIONS,
        seed=settings.SIMULATOR_SEED,
        own_incidents=kinds,
        folder=settings.VAR_DIR / "simulator",
    )


def _nse_archive(*, may_be_empty: bool = False) -> Provider:
    from django.conf import settings

    from market_data.providers.nse.archive import NseArchive

    if settings.NSE_ARCHIVE_DIR is None:
        raise ProviderError("NSE_ARCHIVE_DIR is not set; name the folder that holds the exchange's daily files.")
    return NseArchive(
        Path(settings.NSE_ARCHIVE_DIR),
        series=settings.NSE_ARCHIVE_SERIES,
        download=archive_download() if settings.NSE_ARCHIVE_URL else None,
        memory=settings.VAR_DIR / "nse_archive",
        may_be_empty=may_be_empty,
    )


def archive_download() -> "ArchiveDownload":
    """Return the download of the exchange's files; raises ProviderError when the folder or the address is not set."""
    from django.conf import settings

    from market_data.providers.nse.download import ArchiveDownload, Hosts, Politeness

    if settings.NSE_ARCHIVE_DIR is None or not settings.NSE_ARCHIVE_URL:
        raise ProviderError(
            "Set NSE_ARCHIVE_DIR to the folder to fill and NSE_ARCHIVE_URL to the exchange's archive "
            "(https://nsearchives.nseindia.com)."
        )
    return ArchiveDownload(
        Path(settings.NSE_ARCHIVE_DIR),
        Hosts(settings.NSE_ARCHIVE_URL, settings.NSE_SITE_URL),
        Politeness(
            wait_seconds=settings.NSE_DOWNLOAD_WAIT_SECONDS,
            timeout_seconds=settings.NSE_DOWNLOAD_TIMEOUT_SECONDS,
            file_seconds=settings.NSE_DOWNLOAD_FILE_SECONDS,
            deadline_seconds=settings.NSE_DOWNLOAD_DEADLINE_SECONDS,
            attempts=settings.NSE_DOWNLOAD_ATTEMPTS,
        ),
        days=settings.NSE_ARCHIVE_DAYS,
        all_series=settings.NSE_ARCHIVE_SERIES == "all",
    )


def _fyers() -> Provider:
    from market_data.providers.fyers import FyersFeed

    return FyersFeed(*_broker_sources("fyers"))


def _zerodha() -> Provider:
    from market_data.providers.zerodha import ZerodhaFeed

    return ZerodhaFeed(*_broker_sources("zerodha"))


def _broker_sources(name: str) -> "tuple[Provider, QuotedDays, Callable[[datetime], Broker]]":
    """Return what a broker's provider is made of: the exchange's files, its folder, how its account is opened."""
    from django.conf import settings

    from brokers.connections import data_folder, open_data_account
    from market_data.providers.quoted.days import QuotedDays
    from market_data.providers.quoted.no_archive import NoArchive

    archive = _nse_archive(may_be_empty=True) if settings.NSE_ARCHIVE_DIR is not None else NoArchive()
    return archive, QuotedDays(data_folder(name)), lambda now: open_data_account(name, lambda: now)


_BUILDERS: dict[str, Callable[[], Provider]] = {
    "simulator": _simulator,
    "nse_archive": _nse_archive,
    "fyers": _fyers,
    "zerodha": _zerodha,
}
PROVIDER_NAMES = tuple(_BUILDERS)


def provider(name: str | None = None) -> Provider:
    """Return the provider of that name, or the configured one.

    Raises ProviderError when there is no such provider, or its settings are incomplete.
    """
    from django.conf import settings

    chosen = name or settings.MARKET_DATA_PROVIDER
    builder = _BUILDERS.get(chosen)
    if builder is None:
        raise ProviderError(f"There is no provider {chosen!r}; choose one of {', '.join(PROVIDER_NAMES)}.")
    return builder()
