"""Stands in for the exchange's archive where none is set: it has nothing."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Never

import pandas as pd

from market_data.prices.events import official_events
from market_data.providers import (
    CHANGE_COLUMNS,
    DAY_COLUMNS,
    FACT_COLUMNS,
    MEMBER_COLUMNS,
    LocalSource,
    NotOffered,
    SessionNotAvailable,
    SourceCheck,
    SourceFinding,
    limits_frame,
    listed_frame,
)
from market_data.providers.nse.lists import ACTION_COLUMNS


class NoArchive(LocalSource):
    """A provider without any data."""

    name, kind = "no archive", "real"
    calendar: str | None = "XBOM"

    def listed_symbols(self, as_of: date) -> pd.DataFrame:
        return listed_frame(pd.DataFrame({"symbol": []}))

    def symbol_changes(self, as_of: date) -> pd.DataFrame:
        return pd.DataFrame(columns=list(CHANGE_COLUMNS), dtype="object")

    def sessions(self, start: date | None, end: date) -> list[date]:
        return []

    def fingerprint(self, session: date) -> Never:
        raise SessionNotAvailable(f"There is no file of {session}: set NSE_ARCHIVE_DIR to the exchange's daily files.")

    bars = fingerprint

    def corporate_actions(self, as_of: date) -> pd.DataFrame:
        return official_events(pd.DataFrame(columns=list(ACTION_COLUMNS), dtype="object"))

    def official_coverage(self) -> date | None:
        return None

    def daily_facts(self, session: date) -> pd.DataFrame:
        return pd.DataFrame(columns=list(FACT_COLUMNS), dtype="object")

    def trading_limits(self, session: date) -> pd.DataFrame:
        return limits_frame(pd.DataFrame())

    def quotes(self, symbols: Sequence[str], now: datetime) -> Never:
        raise NotOffered("There is no archive.")

    def index_members(self) -> pd.DataFrame:
        return pd.DataFrame(columns=list(MEMBER_COLUMNS), dtype="object")

    def market_days(self, as_of: date) -> pd.DataFrame:
        return pd.DataFrame(columns=list(DAY_COLUMNS), dtype="object")

    def statements(self, as_of: date, since: date | None = None) -> Never:
        raise NotOffered("There are no statements; import them with import_fundamentals.")

    def findings(self) -> list[SourceFinding]:
        message = "The exchange's daily files are not used: bars stay provisional, and no picks are published."
        remedy = "Set NSE_ARCHIVE_DIR, and NSE_ARCHIVE_URL to have them downloaded."
        return [SourceFinding(SourceCheck.FILES, "warning", message, remedy)]
