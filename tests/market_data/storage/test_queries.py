"""Readers of bars: their results, and that an evening does not read the years before it."""

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest
from django.db import connection

from market_data import quality
from market_data.exports import queries as export_queries
from market_data.models import MarketDay, SourceFile
from market_data.steps import metrics
from market_data.storage import queries
from portfolio.pages.closes import recent_closes
from stocks.fundamentals import latest_facts

pytestmark = pytest.mark.django_db

SYMBOLS = 24
DAYS = [day.date() for day in pd.bdate_range("2016-01-04", periods=1422)]
"""The 900th and the last session lie exactly two years apart: statements are quarterly."""
BIG = ("historical_data", "technical_indicators", "stock_metrics", "exchange_facts", "financial_statements")
_BARS = """
    INSERT INTO historical_data (symbol, date, series, open, high, low, close, adj_close, volume, prev_close,
                                 turnover_lakh, source, status, run_id)
    SELECT 'S' || n, d, 'EQ', p, p + 2, p - 2, p + 1, p + 1, 1000 + n, p, 900, 'test', 'final', 'run_1'
    FROM unnest(%(days)s::date[]) WITH ORDINALITY AS t(d, i), generate_series(1, %(symbols)s) n,
         LATERAL (SELECT 100 + n + (i * n) %% 17 AS p) price
    -- The last symbols have gaps: single sessions, and years.
    WHERE NOT (n > %(symbols)s - 4 AND i %% n = 0) AND NOT (n = 3 AND i BETWEEN 300 AND 900)
    ORDER BY d, 1"""
_OTHERS = (
    "INSERT INTO technical_indicators (symbol, date, rsi_14, sma_20, atr_14, atr_percentage, run_id)"
    " SELECT symbol, date, 50, close, 2, 1, 'run_1' FROM historical_data WHERE date = ANY(%(days)s)",
    "INSERT INTO exchange_facts (symbol, date, issue_size, market_cap, pe_ratio, source, run_id)"
    " SELECT symbol, date, 1000000, 100, CASE WHEN symbol = 'S1' THEN NULL ELSE 20 END, 'test', 'run_1'"
    " FROM historical_data WHERE date = ANY(%(days)s)",
    "INSERT INTO financial_statements (symbol, period_end, kind, published_on, published_assumed, revenue, net_income,"
    " equity, shares, source, run_id) SELECT 'S' || n, q, 'quarter', q + 30, false, 100, 10, 50, 1000, 'test', 'run_1'"
    " FROM generate_series(1, %(symbols)s) n, (SELECT DISTINCT (date_trunc('quarter', d) - interval '1 day')::date q"
    " FROM unnest(%(days)s::date[]) d) quarters ON CONFLICT DO NOTHING",
)


def store(days: list[date]) -> None:
    SourceFile.objects.bulk_create(
        SourceFile(session=day, name="test", size=1, mtime_ns=1, sha256="0", rows=SYMBOLS, rejected=0) for day in days
    )
    MarketDay.objects.bulk_create(MarketDay(date=day, kind="normal", is_session=True, source="test") for day in days)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO stocks (symbol, kind, provenance, first_seen, last_seen)"
            " SELECT 'S' || n, 'share', '{}', %s, %s FROM generate_series(1, %s) n ON CONFLICT (symbol) DO NOTHING",
            [DAYS[0], days[-1], SYMBOLS],
        )
        for statement in (_BARS, *_OTHERS):
            cursor.execute(statement, {"days": days, "symbols": SYMBOLS})
        for table in BIG:
            cursor.execute(f"ANALYZE {table}")


def test_recent_prices_are_the_last_rows_whatever_the_gaps():
    store(DAYS[:1100])
    for session, rows in ((DAYS[1099], 450), (DAYS[1098], 20), (DAYS[905], 150), (DAYS[40], 450), (DAYS[0], 5)):
        every = queries.bars_frame(end=session)
        traded = every.loc[every["date"] == pd.Timestamp(session), "symbol"]
        wanted = every.loc[every["symbol"].isin(traded)].groupby("symbol", sort=False).tail(rows)
        frame = queries.recent_prices(session, rows)
        pd.testing.assert_frame_equal(frame, wanted[frame.columns].reset_index(drop=True))
    assert queries.recent_prices(date(2015, 1, 1), 450).empty


def test_the_window_has_the_last_sessions_of_symbols_that_traded():
    store(DAYS[:320])
    frame = queries.window_bars(DAYS[310], 100)
    every = queries.bars_frame(DAYS[211], DAYS[310])
    wanted = every.loc[every["symbol"] != "S3"]
    assert len(frame) > 2000
    pd.testing.assert_frame_equal(frame, wanted[frame.columns].reset_index(drop=True))


def test_bars_of_some_symbols_contain_no_others():
    store(DAYS[:30])
    assert set(queries.bars_frame(symbols=["S1", "S20"])["symbol"]) == {"S1", "S20"}
    assert queries.bars_frame(symbols=[]).empty
    assert queries.bars_frame(date(2030, 1, 1)).empty


def written_files(session: date) -> None:
    with connection.cursor() as cursor:
        for query in export_queries.file_queries(session, []):
            cursor.execute(query.sql, query.parameters)
            cursor.fetchall()


READERS: dict[str, Callable[[date], object]] = {
    "indicators": lambda session: queries.recent_prices(session, 450),
    "openings": queries.last_bars_before,
    "metrics": metrics.session_frame,
    "window": lambda session: queries.window_bars(session, 253),
    "statements": latest_facts.latest_statements,
    "facts": latest_facts.latest_facts,
    "validation": quality.findings_of,
    "missing indicators": queries.symbols_without_indicators,
    "export": written_files,
    "page": lambda session: recent_closes([f"S{number}" for number in range(1, SYMBOLS)], session),
    "calendar": lambda session: (queries.session_before(session), queries.sessions_before(session, 40)),
}


def rows_read(session: date) -> dict[str, int]:
    """Number of rows of the big tables that each reader touches, dead or alive, by index or not."""
    counted = {}
    for name, reader in READERS.items():
        before = _touched()
        reader(session)
        counted[name] = _touched() - before
    return counted


def _touched() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
            " WHERE relname = ANY(%s)",
            [list(BIG)],
        )
        return int(cursor.fetchone()[0] or 0)


def test_rows_read_by_an_evening_and_a_page_do_not_grow_with_the_history():
    """Small tables are read whole because that is fastest: disable that, so that a missing index shows."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    store(DAYS[:900])
    few = rows_read(DAYS[899])
    store(DAYS[900:])
    many = rows_read(DAYS[-1])
    assert few["indicators"] > 450 * (SYMBOLS - 1), "the counters count"
    grown = {name: (few[name], many[name]) for name in READERS if many[name] > 1.1 * few[name] + SYMBOLS}
    assert not grown, "rows read with 900 and with 1,422 sessions stored"


def test_the_server_prefers_an_index_over_years_of_bars():
    """With the default it scans 11 million bars where a tenth of them, lying together, would do."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW random_page_cost")
        assert cursor.fetchone()[0] == "1.1"
