"""The simulated market as a provider."""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from market_data.prices.bars import BAR_COLUMNS, as_bar_frame, empty_rejects
from market_data.prices.events import official_events
from market_data.providers import (
    CHANGE_COLUMNS,
    DAY_COLUMNS,
    FACT_COLUMNS,
    QUOTE_COLUMNS,
    LocalSource,
    NotOffered,
    RawBars,
    RawQuotes,
    SessionNotAvailable,
    SourceCheck,
    SourceFinding,
    SourceFingerprint,
    limits_frame,
    listed_frame,
)
from market_data.providers.simulator import books
from market_data.providers.simulator.companies import SECTORS, Companies, Floats, Whole, Words, companies, isin
from market_data.providers.simulator.editions import Editions, as_bytes, reprinted
from market_data.providers.simulator.incidents import (
    USUAL,
    Incident,
    Kind,
    Placed,
    factor_of,
    listed_between,
    own_incidents,
    placed,
    purpose_of,
)
from market_data.providers.simulator.market import IN_BE, NOT_TRADED, PRICES
from market_data.providers.simulator.past import GeneratedPast

EPOCH = date(2022, 1, 3)
LAST_DAY = date(2041, 12, 31)
AHEAD_DAYS, ANNOUNCED_DAYS = 30, 14
"""Calendar days: how far ahead official events are included, and how long before the ex-date they are announced."""

_HOLIDAYS = frozenset(
    [(1, 26), (3, 14), (3, 31), (4, 14), (4, 18), (5, 1), (8, 15), (8, 27), (10, 2), (10, 21), (11, 5), (12, 25)]
)
_OPEN, _CLOSE = time(9, 15), time(15, 30)
_INDEX_SIZE = 500
_FOUR_QUARTERS_DAYS = 550
"""Within so many days four quarters are published, even if the latest is late."""


def simulated_sessions(start: date, end: date) -> list[date]:
    """Return the simulated exchange's sessions: weekdays but for a dozen fixed holidays, from ``EPOCH`` on."""
    days = pd.bdate_range(max(start, EPOCH), min(end, LAST_DAY))
    return [day.date() for day in days if (day.month, day.day) not in _HOLIDAYS]


class Simulator(LocalSource):
    """Provider of a synthetic market of some securities, about one in sixteen a fund; each seed gives another one.

    ``sessions`` is the number of sessions offered up to a day when no first one is given. ``eq`` as series leaves out
    series BE, as the exchange's EQ files do; ``all`` includes it. ``own_incidents`` are the kinds of incidents that the
    market draws itself (``incidents.USUAL``, ``EVERY``, or some of them), ``incidents`` those in addition. ``folder``
    is the cache of the generated past for other processes; None caches nothing.

    Point in time: what is returned for a day does not depend on later days requested before. With ``late`` or
    ``correction`` switched on, files are published as of the latest day passed to `sessions`.
    """

    name = "simulator"
    kind = "simulated"
    calendar: str | None = None

    def __init__(
        self,
        symbols: int = 2259,
        sessions: int = 500,
        seed: int = 1,
        *,
        series: str = "eq",
        incidents: Sequence[Incident] = (),
        own_incidents: Collection[Kind] = USUAL,
        folder: Path | None = None,
    ) -> None:
        self.market: Companies = companies(symbols, seed, EPOCH)
        if "listing" not in own_incidents:
            self.market = replace(self.market, lists_at=np.zeros_like(self.market.lists_at))
        self.seed, self.series, self.offered_sessions = seed, series, sessions
        self._latest: tuple[int, bool, pd.DataFrame] | None = None
        self._viewed_at = -1
        self._own_kinds, self._added, self._folder = own_incidents, tuple(incidents), folder

    def sessions(self, start: date | None, end: date) -> list[date]:
        """Return the sessions from ``start`` to ``end``; without a start the last ``offered_sessions`` of them."""
        sessions = simulated_sessions(start or EPOCH, end)
        viewed_at = self._last_at(end)
        self._viewed_at = max(self._viewed_at, viewed_at)
        offered = sessions if start is not None else sessions[-self.offered_sessions :]
        return [day for day in offered if self._editions.is_published(self._index[day], viewed_at)]

    def fingerprint(self, session: date) -> SourceFingerprint:
        """Return a session's identity from what its content follows from, so that no session need be generated.

        The modification time is a digest of everything before the session and of the edition's publication.
        """
        at, viewed_at = self._published(session)
        published_at = self._editions.published_at(at, viewed_at)
        digest = int(hashlib.sha256(f"{self._past.digest(at)} {published_at}".encode()).hexdigest()[:15], 16)
        return SourceFingerprint(
            f"simulator:{session}", len(self.market), digest, lambda: as_bytes(self.bars(session).frame)
        )

    def bars(self, session: date) -> RawBars:
        """Return a session's bars; raises SessionNotAvailable without a session or a published file."""
        at, viewed_at = self._published(session)
        first = self._editions.is_first(at, viewed_at)
        # An evening reads the fingerprint and the bars of one session in turn.
        if self._latest is None or self._latest[:2] != (at, first):
            self._latest = (at, first, self._published_frame(at, first=first))
        return RawBars(frame=self._latest[2].copy(), rejects=empty_rejects(), source="simulator")

    def listed_symbols(self, as_of: date) -> pd.DataFrame:
        """Return ``LISTED_COLUMNS`` of the securities listed by a day, sorted by symbol."""
        at, market = self._last_at(as_of), self.market
        first_sessions, delisted_at = self._listed_between
        sector = np.array(list(SECTORS), dtype=object)[market.sector]
        days = self._days
        listed_on = [days[first] if first else old for first, old in zip(first_sessions, market.listed_on, strict=True)]
        frame = pd.DataFrame(
            {
                "symbol": self.symbols_at(at),
                "stock_name": market.stock_name,
                "series": "EQ",
                "isin": self.isins_at(at),
                "face_value": self.face_values_at(at),
                "listed_on": pd.to_datetime(pd.Series(listed_on)),
                "kind": np.where(market.is_fund, "fund", "share").astype(object),
                "sector": pd.Series(sector).mask(market.is_fund, None),
                "industry": market.industry,
                "source": "simulator",
            }
        )
        return listed_frame(frame[(first_sessions <= at) & (at < delisted_at)])

    def symbol_changes(self, as_of: date) -> pd.DataFrame:
        """Return ``CHANGE_COLUMNS`` of the renames in effect by a day."""
        market = self.market
        records = [
            (market.symbol[place], market.new_symbol[place], pd.Timestamp(self._days[at]), "simulated list")
            for place, at in self._renames.items()
            if self._days[at] <= as_of
        ]
        return pd.DataFrame.from_records(sorted(records), columns=list(CHANGE_COLUMNS))

    def corporate_actions(self, as_of: date) -> pd.DataFrame:
        """Return the events announced by a day, under the symbols of that day.

        Point in time: an event is announced ``ANNOUNCED_DAYS`` before its ex-date.
        """
        return official_events(self.published_actions(as_of))

    def published_actions(self, as_of: date) -> pd.DataFrame:
        """Return the announced actions in the exchange's wording, with the columns that ``official_events`` takes."""
        at = self._last_at(as_of)
        symbols, face = self.symbols_at(at), self.face_values_at(at)
        records = []
        for incident in self._incidents:
            ex_date = self._days[incident.at]
            known_on = max(ex_date - timedelta(days=ANNOUNCED_DAYS), EPOCH)
            if incident.kind not in ("split", "bonus", "dividend", "demerger") or known_on > as_of:
                continue
            if ex_date <= as_of + timedelta(days=AHEAD_DAYS):
                place, purpose = incident.place, purpose_of(incident)
                records.append((symbols[place], "EQ", purpose, face[place], ex_date, known_on, "simulator"))
        columns = ["symbol", "series", "purpose", "face_value", "ex_date", "known_on", "source"]
        return pd.DataFrame.from_records(sorted(records, key=lambda row: (row[4], row[0])), columns=columns)

    def official_coverage(self) -> date | None:
        """Return the end of the simulated time: the list is always complete."""
        return LAST_DAY

    def daily_facts(self, session: date) -> pd.DataFrame:
        """Return issued shares, market cap and P/E (none for a loss) on the last session of each week; else empty."""
        self._at(session)
        following = simulated_sessions(session + timedelta(days=1), session + timedelta(days=14))
        if following and following[0].isocalendar()[1] == session.isocalendar()[1]:
            return pd.DataFrame(columns=list(FACT_COLUMNS), dtype="object")
        return self.facts_on(session)

    def facts_on(self, session: date) -> pd.DataFrame:
        """Return ``FACT_COLUMNS`` of the shares that traded on a session."""
        at = self._at(session)
        past, shares = self._past, self.shares_at(at)
        cap = shares * past.prices["close"][at] / 100 / 1e7
        published = self._statements_of_first_symbols(session, session - timedelta(days=_FOUR_QUARTERS_DAYS))
        income = books.trailing_net_income(published).reindex(self.market.symbol).to_numpy(dtype="float64")
        frame = pd.DataFrame(
            {
                "symbol": self.symbols_at(at),
                "issue_size": shares,
                "market_cap_crores": np.round(cap, 4),
                "pe_ratio": np.where(income > 0, np.round(cap / income, 2), np.nan),
                "source": "simulator",
            }
        )
        traded = ~self.market.is_fund & (past.status[at] != NOT_TRADED)
        facts: pd.DataFrame = frame[traded].astype({"symbol": "object", "source": "object"})
        return facts.sort_values("symbol", ignore_index=True)

    def trading_limits(self, session: date) -> pd.DataFrame:
        """Return nothing: the simulated exchange publishes no bands."""
        return limits_frame(pd.DataFrame())

    def quotes(self, symbols: Sequence[str], now: datetime) -> RawQuotes:
        """Raise NotOffered: only daily bars are simulated."""
        raise NotOffered(
            f"The simulator has daily bars only, so no {', '.join(QUOTE_COLUMNS[2:4])} of {len(symbols)} symbols."
        )

    def index_members(self) -> pd.DataFrame:
        """Return ``MEMBER_COLUMNS``: the largest companies of the first session under their first symbols."""
        market = self.market
        cap = np.where(market.is_fund | (market.lists_at > 0), -1.0, market.price * market.shares)
        largest = np.argsort(-cap, kind="stable")[: min(_INDEX_SIZE, int((cap > 0).sum()))]
        names = np.array(list(SECTORS), dtype=object)[market.sector[largest]]
        return pd.DataFrame({"index": "SIM 500", "symbol": market.symbol[largest], "industry": names})

    def market_days(self, as_of: date) -> pd.DataFrame:
        """Return ``DAY_COLUMNS`` of the whole simulated calendar up to the end of the year after ``as_of``."""
        end = date(as_of.year + 1, 12, 31)
        records = [(day, "normal", True, _OPEN, _CLOSE, "simulator") for day in simulated_sessions(EPOCH, end)]
        return pd.DataFrame.from_records(records, columns=list(DAY_COLUMNS))

    def statements(self, as_of: date, since: date | None = None) -> pd.DataFrame:
        """Return ``STATEMENT_COLUMNS`` published by a day, after ``since``, under the symbols of that day (₹ crore)."""
        published = self._statements_of_first_symbols(as_of, since)
        now = dict(zip(self.market.symbol, self.symbols_at(self._last_at(as_of)), strict=True))
        return published.assign(symbol=published["symbol"].map(now))

    def findings(self) -> list[SourceFinding]:
        message = "Every price is simulated; nothing here is a real company."
        return [SourceFinding(SourceCheck.FILES, "info", message, "Set MARKET_DATA_PROVIDER for real data.")]

    def incidents(self, first: date, last: date) -> list[Incident]:
        """Return the incidents from one session to another, in order."""
        days = ((self._days[incident.at], incident) for incident in self._incidents)
        return [Incident(incident.kind, day, *incident[2:]) for day, incident in days if first <= day <= last]

    def symbol_on(self, place: int, session: date) -> str:
        return str(self.symbols_at(self._at(session))[place])

    def symbols_at(self, at: int) -> Words:
        """Return the symbol of each security on a session (by index)."""
        renamed = [place for place, since in self._renames.items() if since <= at]
        symbols = self.market.symbol.copy()
        symbols[renamed] = self.market.new_symbol[renamed]
        return symbols

    def isins_at(self, at: int) -> Words:
        """Return the ISIN of each security on a session (by index)."""
        isins, changes = self._first_isins.copy(), Counter[int]()
        for incident in self._changes_of_capital:
            if incident.kind == "split" and incident.at <= at:
                changes[incident.place] += 1
                isins[incident.place] = isin(str(self.market.issuer[incident.place]), changes[incident.place])
        return isins

    def face_values_at(self, at: int) -> Floats:
        """Return the face value in ₹ of each security on a session (by index)."""
        face = self.market.face_value.copy()
        for incident in self._changes_of_capital:
            if incident.kind == "split" and incident.at <= at:
                face[incident.place] = incident.ratio[1]
        return face

    def shares_at(self, at: int) -> Floats:
        """Return the issued shares of each security on a session (by index)."""
        shares = self.market.shares.copy()
        for incident in self._changes_of_capital:
            if incident.at <= at:
                shares[incident.place] = np.floor(shares[incident.place] / factor_of(incident))
        return shares

    @cached_property
    def _first_isins(self) -> Words:
        return np.array([isin(str(issuer), 0) for issuer in self.market.issuer], dtype=object)

    @cached_property
    def _changes_of_capital(self) -> list[Placed]:
        return [incident for incident in self._incidents if incident.kind in ("split", "bonus")]

    @cached_property
    def _editions(self) -> Editions:
        return Editions(self.seed, self._incidents)

    @cached_property
    def _days(self) -> list[date]:
        return simulated_sessions(EPOCH, LAST_DAY)

    @cached_property
    def _index(self) -> dict[date, int]:
        return {day: number for number, day in enumerate(self._days)}

    @cached_property
    def _incidents(self) -> list[Placed]:
        incidents = own_incidents(self.market, self.seed, len(self._days), self._own_kinds)
        incidents += placed(self._added, self._days, len(self.market))
        return sorted(incidents, key=lambda incident: (incident.at, incident.place, incident.kind))

    @cached_property
    def _renames(self) -> dict[int, int]:
        """Place → session of its rename; a company is renamed at most once."""
        first: dict[int, int] = {}
        for incident in self._incidents:
            if incident.kind == "rename":
                first.setdefault(incident.place, incident.at)
        return first

    @cached_property
    def _listed_between(self) -> tuple[Whole, Whole]:
        return listed_between(self.market, self._incidents, len(self._days))

    def _at(self, session: date) -> int:
        at = self._index.get(session)
        if at is None:
            raise SessionNotAvailable(f"{session} is no session of the simulated market; it starts on {EPOCH}.")
        return at

    def _published(self, session: date) -> tuple[int, int]:
        """Return the index of a session whose file is published, and that of the session it is viewed on."""
        at, viewed_at = self._at(session), max(self._viewed_at, self._at(session))
        if not self._editions.is_published(at, viewed_at):
            raise SessionNotAvailable(f"The simulated file of {session} is not published on {self._days[viewed_at]}.")
        return at, viewed_at

    def _last_at(self, day: date) -> int:
        """Return the index of the last session up to a day; -1 before the first."""
        return int(np.searchsorted(np.array(self._days, dtype="datetime64[D]"), np.datetime64(day), side="right")) - 1

    @cached_property
    def _past(self) -> GeneratedPast:
        return GeneratedPast(self.market, self.seed, self._days, self._incidents, self._folder)

    def _published_frame(self, at: int, *, first: bool) -> pd.DataFrame:
        """Return the bars in a session's file, misprints included."""
        source = at - 1 if self._editions.repeats(at) else at
        frame = self._frame(source).assign(date=pd.Timestamp(self._days[at]))
        for place, other in self._editions.frozen(at):
            frame = reprinted(frame, self._frame(other), place)
        frame = self._editions.misprinted(frame, at, first=first)
        state = self._past.status[source]
        traded = (state != NOT_TRADED) & ((state != IN_BE) | (self.series != "eq"))
        return as_bar_frame(frame.loc[traded, list(BAR_COLUMNS)])

    def _frame(self, at: int) -> pd.DataFrame:
        """Return the true figures of a session, one row per place whether it traded or not."""
        past = self._past
        surveilled = past.status[at] == IN_BE
        columns: dict[str, object] = {column: past.prices[column][at] / 100 for column in PRICES}
        frame = pd.DataFrame(columns).assign(
            symbol=self.symbols_at(at),
            series=np.where(surveilled, "BE", "EQ").astype(object),
            volume=past.volume[at],
            trades=past.trades[at],
            # The exchange does not publish deliveries of the trade-for-trade series.
            delivered_quantity=pd.array(past.delivered[at], dtype="Int64"),
            isin=self.isins_at(at),
        )
        frame.loc[surveilled, "delivered_quantity"] = pd.NA
        return frame.assign(turnover_lakh=(frame["volume"] * frame["vwap"] / 1e5).round(2))

    def _statements_of_first_symbols(self, as_of: date, since: date | None) -> pd.DataFrame:
        return books.statements(self.market, self.seed, as_of, lambda day: self.shares_at(self._last_at(day)), since)
