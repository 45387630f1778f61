"""The market of stored bars, as the simulated venue of a paper account meets it.

A daily bar knows two prices of its session. Its opening is given at 09:15 and stands for that minute, so that sales
come before the purchases that they pay for; its close is given at 15:29. Nothing is known in between, and of a session
whose final bar is not stored nothing at all: no price is invented.

Point in time: what is answered for a moment depends on nothing after it. That a share is locked is known from its whole
bar alone; it decides what the venue fills, as the missing other side would, and is never shown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from brokers.charges import Kind, Side
from brokers.prices import Bands, Listing, Price
from brokers.protocol import IST, DailyBar
from brokers.registry import FRICTIONLESS, Behaviour
from market_data import trading_calendar
from market_data.models import DailyBar as StoredBar
from market_data.models import TradingLimits
from market_data.storage import queries
from portfolio.backtest.panel import Panel
from portfolio.trading.bars import exact
from portfolio.trading.impact import price_after_impact
from stocks.models import Stock
from stocks.storage.frames import query_frame

OPENING: Final = time(9, 15)
CLOSING: Final = time(15, 29)
TICK: Final = timedelta(milliseconds=125)
"""From one opening price to the next: at most eight orders a second follow each other."""

_TICKS: Final = timedelta(minutes=1) // TICK
_PAISA: Final = Decimal("0.01")
_LISTED_DAYS: Final = timedelta(days=30)
"""A share without a bar for so long is on no list of what can be traded."""

_DAY: Final = timedelta(days=1)


class StoredBars:
    """Prices, lists and bands from the tables, as a `brokers.prices.PriceSource`.

    Parameters
    ----------
    panel : bars that are read already, with the sessions around them; other shares are read when they are asked for
    symbols : the shares that are listed; all where none are given
    impact : whether an order moves the price (`portfolio.trading.impact`)
    """

    def __init__(
        self, panel: Panel | None = None, symbols: Sequence[str] | None = None, *, impact: bool = True
    ) -> None:
        self._panel, self._symbols, self._impact = panel, None if symbols is None else list(symbols), impact
        self._panels: dict[str, Panel] = {}
        self._bars: dict[str, Mapping[date, DailyBar]] = {}
        self._next: dict[date, date] = {}
        self._listed: tuple[date | None, Sequence[Listing]] = None, ()
        self._latest: date | None = None

    def listings(self, day: date) -> Sequence[Listing]:
        """What can be traded on a day: the series is the day's, else that of the last bar.

        Prices are asked for to the paisa: the exchange judges the rest.
        """
        if self._listed[0] != day:
            self._listed = day, self._read_listings(day)
        return self._listed[1]

    def _read_listings(self, day: date) -> Sequence[Listing]:
        frame = query_frame(
            "SELECT DISTINCT ON (symbol) symbol, b.series, coalesce(s.isin, '') AS isin,"
            " coalesce(s.stock_name, symbol) AS stock_name, s.kind FROM historical_data b JOIN stocks s USING (symbol)"
            " WHERE b.date BETWEEN %s AND %s AND b.status = 'final' AND (%s::text[] IS NULL OR symbol = ANY(%s))"
            " ORDER BY symbol, b.date DESC",
            [day - _LISTED_DAYS, day, self._symbols, self._symbols],
        )
        return [
            Listing(symbol, series, _PAISA, isin, name, Kind.OTHER_FUND if kind == Stock.Kind.FUND else Kind.SHARE)
            for symbol, series, isin, name, kind in frame.itertuples(index=False)
        ]

    def prices(self, symbol: str, after: datetime, until: datetime) -> Sequence[Price]:
        """The opening, as it stands, and the close of each session, as far as they lie in the span."""
        first, last = after.astimezone(IST).date(), until.astimezone(IST).date()
        bars = self._bars_of(symbol)
        days = (first + number * _DAY for number in range((last - first).days + 1))
        return [price for day in days if day in bars for price in _prices(day, bars[day], after, until)]

    def bands(self, symbol: str, day: date) -> Bands | None:
        limits = TradingLimits.objects.filter(symbol=symbol, date=day).first()
        if limits is None or limits.lower_band is None or limits.upper_band is None:
            return None
        return Bands(exact(limits.lower_band), exact(limits.upper_band))

    def history(self, symbol: str, first: date, last: date) -> Sequence[DailyBar]:
        return [bar for day, bar in self._bars_of(symbol).items() if first <= day <= last]

    def next_session(self, day: date) -> date:
        if day not in self._next:
            self._next[day] = trading_calendar.next_session(day)
        return self._next[day]

    def known(self, clock: Callable[[], datetime]) -> Callable[[], datetime]:
        """A clock that waits, before the close of the first session without final bars, until they are stored.

        Else orders of that session would end before its prices are known. A bar that came late is read anew.
        """

        def moment() -> datetime:
            now, latest = clock(), queries.latest_session()
            if latest != self._latest:
                self._latest = latest
                self._bars.clear()
                self._panels.clear()
            if latest is None or now.astimezone(IST).date() <= latest:
                return now
            return min(now, datetime.combine(self.next_session(latest), CLOSING, IST) - TICK)

        return moment

    def behaviour(self, tariff: str | None) -> Behaviour:
        """A venue that gives what a backtest gives, and takes a broker's charges; None: none.

        What was bought can be sold on the next session, before it is delivered, as brokers allow it.
        """
        return replace(FRICTIONLESS, tariff=tariff, execution=self.execution)

    def execution(self, symbol: str, side: Side, quantity: int, price: Price) -> Decimal | None:
        """What an order gets at a price (₹ a share); None where the share is locked against it, or nothing is known."""
        day = price.at.astimezone(IST).date()
        panel = self._panel_of(symbol, day)
        at = panel.sessions.index(day) if day in panel.sessions else None
        bar = None if at is None else panel.bar(symbol, at)
        if at is None or bar is None or (bar.is_locked_up if side == Side.BUY else bar.is_locked_down):
            return None
        if not self._impact:
            return price.price
        liquidity = panel.liquidity(symbol, at)
        return None if liquidity is None else price_after_impact(side, price.price, liquidity, Decimal(quantity))

    def _panel_of(self, symbol: str, day: date) -> Panel:
        if self._panel is not None and self._panel.has(symbol):
            return self._panel
        known = self._panels.get(symbol)
        if known is None or not known.sessions or known.sessions[-1] < day:
            known = self._panels[symbol] = Panel(queries.prices_frame([symbol], day), queries.bar_sessions(day))
        return known

    def _bars_of(self, symbol: str) -> Mapping[date, DailyBar]:
        if symbol not in self._bars:
            rows = StoredBar.objects.filter(symbol__symbol=symbol, status=StoredBar.Status.FINAL).order_by("date")
            self._bars[symbol] = {row.date: bar for row in rows if (bar := _bar_of(row)) is not None}
        return self._bars[symbol]


def _bar_of(row: StoredBar) -> DailyBar | None:
    if not (row.open and row.high and row.low and row.close):
        return None
    return DailyBar(row.date, exact(row.open), exact(row.high), exact(row.low), exact(row.close), row.volume or 0)


def _prices(day: date, bar: DailyBar, after: datetime, until: datetime) -> list[Price]:
    start = datetime.combine(day, OPENING, IST)
    first = max(0, (after - start) // TICK + 1)
    last = min(_TICKS - 1, (until - start) // TICK)
    prices = [Price(start + number * TICK, bar.open, 0) for number in range(first, last + 1)]
    close = datetime.combine(day, CLOSING, IST)
    return [*prices, Price(close, bar.close, bar.volume)] if after < close <= until else prices
