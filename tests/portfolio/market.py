"""A small stored market with sectors, indicators and sessions, for the tests of readers."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from market_data.models import DailyBar, SourceFile, TechnicalIndicator
from stocks.models import Stock
from tests.published import SESSION


def sessions(count: int, last: date = SESSION) -> list[date]:
    """The last weekdays up to a day, ascending."""
    days: list[date] = []
    day = last
    while len(days) < count:
        if day.weekday() < 5:
            days.append(day)
        day -= timedelta(days=1)
    return days[::-1]


def store_sessions(days: Sequence[date]) -> None:
    """Record source files, as if the bars of these sessions had been loaded."""
    SourceFile.objects.bulk_create(
        SourceFile(session=day, name=f"{day}.csv", size=1, mtime_ns=1, sha256="0" * 64, rows=3, rejected=0)
        for day in days
    )


def store_share(symbol: str, closes: Mapping[date, float], factor: float = 1.0, **facts: Any) -> None:
    """Store a share with a bar per session; `factor` is the adjustment for later splits."""
    defaults = {"kind": "share", "last_seen": max(closes), "stock_name": f"{symbol} Limited"}
    Stock.objects.create(symbol=symbol, **{**defaults, **facts})
    DailyBar.objects.bulk_create(
        DailyBar(
            symbol_id=symbol, date=day, series="EQ", open=c, high=c * 1.01, low=c * 0.99, close=c, adj_close=c * factor,
            volume=1000, turnover_lakh=c, source="t",
        )
        for day, c in closes.items()
    )  # fmt: skip


def store_indicators(symbol: str, day: date, **values: float) -> None:
    TechnicalIndicator.objects.create(symbol_id=symbol, date=day, **values)


def store_market(days: Sequence[date]) -> None:
    """Store three shares in two sectors and a fund: AAA rises, BBB falls, CCC did not trade the day before."""
    store_sessions(days)
    store_share("AAA", {day: 100.0 + n for n, day in enumerate(days)}, sector="Banks", market_cap=300.0)
    store_share("BBB", {day: 200.0 - n for n, day in enumerate(days)}, sector="Banks", market_cap=100.0)
    store_share("CCC", dict.fromkeys((*days[:-2], days[-1]), 50.0), sector="Realty", market_cap=50.0)
    store_share("FUND", {day: 10.0 + n for n, day in enumerate(days)}, kind="fund")
