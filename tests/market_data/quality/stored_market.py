"""A small clean market in the tables, and what can be done to it."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from django.db import connection

from market_data import quality
from market_data.models import CorporateAction, MarketDay, SourceFile
from market_data.prices.indicators import indicators, indicators_on
from market_data.storage import queries
from market_data.storage import writer as market_writer
from stocks.models import Stock
from stocks.storage import bulk
from tests.ml.markets import market

SHARES, SESSIONS, COMING = 40, 30, 40
_DAYS = [stamp.date() for stamp in pd.bdate_range("2026-01-05", periods=SESSIONS + COMING)]
DAYS, LATER = _DAYS[:SESSIONS], _DAYS[SESSIONS:]
TODAY, YESTERDAY = DAYS[-1], DAYS[-2]
SYMBOLS = [f"S{number:03d}" for number in range(SHARES)]
ONE, OTHER = SYMBOLS[7], SYMBOLS[8]

Found = dict[str, set[str]]


def stored_market(days: Sequence[date] = DAYS) -> None:
    """Store sessions of forty shares, by default thirty, with indicators and a calendar that goes on."""
    frame = market(SHARES, len(days), seed=3)
    frame["date"] = frame["date"].map(dict(zip(sorted(frame["date"].unique()), map(pd.Timestamp, days), strict=True)))
    prices = ["open", "high", "low", "close", "prev_close", "last_price", "vwap"]
    frame[prices] = frame[prices].round(2)
    frame["prev_close"] = frame.groupby("symbol")["close"].shift().fillna(frame["prev_close"])
    frame["high"] = frame[["open", "high", "close"]].max(axis=1)
    frame["low"] = frame[["open", "low", "close"]].min(axis=1)
    frame["turnover_lakh"] = (frame["vwap"] * frame["volume"] / 1e5).round(2)
    Stock.objects.bulk_create(
        Stock(symbol=symbol, kind="share", first_seen=days[0], last_seen=days[-1]) for symbol in SYMBOLS
    )
    MarketDay.objects.bulk_create(
        MarketDay(date=day, kind="normal", is_session=True, source="test") for day in sorted({*days, *_DAYS})
    )
    SourceFile.objects.bulk_create(
        SourceFile(session=day, name="f", size=1, mtime_ns=1, sha256="0", rows=SHARES, rejected=0) for day in days
    )
    CorporateAction.objects.create(
        symbol="ELSE", ex_date=days[-2], kind="dividend", known_on=days[0], status="official", purpose="d", source="l"
    )
    stored = frame.drop(columns=["factor"]).assign(source="test", adj_close=frame["close"])
    bulk.upsert("historical_data", stored, ("symbol", "date"), "r")
    market_writer.record_indicators(indicators(frame.assign(factor=1.0)), "r")


def stored_metrics() -> None:
    """Store today's figures of every share, in agreement with each other."""
    bars = queries.bars_frame(TODAY, TODAY)
    eps, book = bars["close"] / 20, bars["close"] / 4
    frame = pd.DataFrame({"symbol": bars["symbol"], "date": bars["date"], "current_price": bars["close"]})
    frame = frame.assign(issue_size=10_000_000, market_cap=bars["close"], eps=eps, pe_ratio=20.0, book_value=book)
    frame = frame.assign(pb_ratio=4.0, roe=20.0, earnings_growth=10.0, peg_ratio=2.0, operating_margin=15.0)
    provenance = f'{{"roe": {{"as_of": "{DAYS[3]}"}}}}'
    bulk.upsert("stock_metrics", frame.assign(tradable=True, provenance=provenance), ("symbol", "date"), "r")


def change(table: str, sets: str, symbols: Sequence[str] = SYMBOLS, day: date = TODAY) -> None:
    """Change the rows of a day and of some symbols."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} t SET {sets} WHERE date = %s AND symbol = ANY(%s)", [day, list(symbols)])
        assert cursor.rowcount == len(symbols)


def bars_are(sets: str, symbols: Sequence[str] = SYMBOLS, day: date = TODAY) -> None:
    """Change bars, and compute the day's indicators from them, as an evening would."""
    change("historical_data", sets, symbols, day)
    frame = indicators_on(queries.adjusted_bars(day), day)
    market_writer.record_indicators(frame, "r")


def copied(symbols: Sequence[str] = SYMBOLS, day: date = TODAY, source: date = YESTERDAY) -> None:
    """Let symbols bear the prices and volume of an earlier day again; the previous close is the day's own."""
    names: tuple[str, ...] = ("open", "high", "low", "close", "adj_close", "volume", "vwap", "turnover_lakh", "trades")
    names += ("last_price", "delivered_quantity")
    old = f"(SELECT {', '.join(names)} FROM historical_data o WHERE o.symbol = t.symbol AND o.date = '{source}')"
    bars_are(f"({', '.join(names)}) = {old}", symbols, day)


def drop(table: str, symbols: Sequence[str], day: date = TODAY) -> None:
    """Delete rows."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE date = %s AND symbol = ANY(%s)", [day, list(symbols)])


def vanished(symbols: Sequence[str], day: date = TODAY) -> None:
    """Let bars and indicators of symbols not be there."""
    for table in ("technical_indicators", "historical_data"):
        drop(table, symbols, day)


def findings_by_check(session: date = TODAY, *, blocking: bool = False) -> Found:
    """What the checks find: check → symbols, the whole day as an empty one."""
    return by_check(quality.findings_of(session), blocking=blocking)


def by_check(findings: quality.Findings, *, blocking: bool = False) -> Found:
    """Put findings together: check → symbols, the whole day as an empty one."""
    symbols: Found = {}
    for row in findings:
        if row["blocks"] or not blocking:
            symbols.setdefault(row["check_name"], set()).add(row["symbol"])
    return symbols


def finding(check: str, session: date = TODAY) -> dict[str, Any]:
    """The only finding of a check."""
    (row,) = [row for row in quality.findings_of(session) if row["check_name"] == check]
    return row


def some(count: int, seed: int = 1) -> list[str]:
    """Symbols at random."""
    return sorted(np.random.default_rng(seed).choice(SYMBOLS, count, replace=False))
