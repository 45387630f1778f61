"""Checks of a session's data: how serious each is, and whether it keeps the day, or a symbol, out of the picks."""

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from django.db import connection


class Check(NamedTuple):
    """One check: a name, how serious what it finds is, whether that blocks, and the query that finds it.

    The query gets the session (and may use it any number of times as ``%(session)s``); each row it returns is one
    finding: symbol (empty for the whole day), message.
    """

    name: str
    severity: str
    blocks: bool
    query: str
    remedy: str


_COUNT = """
    WITH counts AS (SELECT session, rows FROM source_files WHERE session <= %(session)s ORDER BY session DESC LIMIT 21),
    usual AS (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY rows) AS rows FROM counts WHERE session < %(session)s)
    SELECT '', format('%%s bars on %%s, usually %%s', c.rows, c.session, round(u.rows)) FROM counts c, usual u
    WHERE c.session = %(session)s AND (c.rows < 0.7 * u.rows OR c.rows > 1.5 * u.rows)"""
_NO_BARS = """
    SELECT '', 'no bars on ' || %(session)s::date
    WHERE NOT EXISTS (SELECT 1 FROM historical_data WHERE date = %(session)s)"""
_MISSING_SESSION = """
    SELECT '', 'no bars on the session ' || d.date FROM market_days d
    WHERE d.is_session AND d.date BETWEEN (SELECT min(session) FROM source_files) AND %(session)s
    AND d.date > %(session)s::date - 365 AND NOT EXISTS (SELECT 1 FROM source_files f WHERE f.session = d.date)"""
_NO_INDICATORS = """
    SELECT h.symbol, h.symbol || ' has a bar and no indicators' FROM historical_data h WHERE h.date = %(session)s
    AND NOT EXISTS (SELECT 1 FROM technical_indicators t WHERE t.symbol = h.symbol AND t.date = h.date)"""
_INDICATOR_BOUNDS = """
    SELECT symbol, symbol || ' has an indicator out of bounds' FROM technical_indicators WHERE date = %(session)s AND (
    rsi_14 NOT BETWEEN 0 AND 100 OR atr_14 < 0
    OR bollinger_lower > bollinger_middle OR bollinger_middle > bollinger_upper
    OR sma_20 <= 0 OR abs(macd - signal_line - macd_histogram) > 1e-6 * (1 + abs(macd)))"""
_UNIT_ERROR = """
    SELECT h.symbol, format('%%s: %%s traded at %%s on average, but its turnover over volume is %%s',
    h.symbol, h.date, h.vwap, round((h.turnover_lakh * 1e5 / h.volume)::numeric, 2))
    FROM historical_data h WHERE h.date = %(session)s AND h.volume > 1000
    AND h.turnover_lakh > 1 AND h.turnover_lakh * 1e5 / h.volume NOT BETWEEN 0.9 * h.low AND 1.1 * h.high"""
_FROZEN = """
    SELECT '', count(*) || ' shares bear exactly the bar of the session before' FROM historical_data h
    JOIN historical_data p ON p.symbol = h.symbol
    AND p.date = (SELECT max(session) FROM source_files WHERE session < %(session)s)
    WHERE h.date = %(session)s
    AND (h.open, h.high, h.low, h.close, h.volume) = (p.open, p.high, p.low, p.close, p.volume)
    HAVING count(*) > 0.2 * (SELECT rows FROM source_files WHERE session = %(session)s)"""

CHECKS = (
    Check("no_bars", "error", True, _NO_BARS, "Run the pipeline for this session."),
    Check(
        "bar_count",
        "error",
        True,
        _COUNT,
        "Compare the day's file with the exchange's; replace it and run the pipeline again.",
    ),
    Check(
        "missing_session",
        "warning",
        False,
        _MISSING_SESSION,
        "Put the missing day's file in place; the next pipeline run loads it.",
    ),
    Check("missing_indicators", "error", True, _NO_INDICATORS, "Run fill_data; it computes what is missing."),
    Check(
        "indicator_bounds",
        "error",
        True,
        _INDICATOR_BOUNDS,
        "Report it with the symbol: an indicator cannot have this value.",
    ),
    Check(
        "unit_error",
        "warning",
        True,
        _UNIT_ERROR,
        "Compare the day's file with the exchange's: price and turnover contradict each other.",
    ),
    Check(
        "frozen_market",
        "error",
        True,
        _FROZEN,
        "The file repeats the day before; fetch it anew and run the pipeline again.",
    ),
)


def findings_of(session: date, report: Callable[[int, int], None] | None = None) -> list[dict[str, Any]]:
    """Run every check on a session and return what they found, as fields of a finding.

    Point in time: looks at the session and at those before.
    """
    found: list[dict[str, Any]] = []
    for number, check in enumerate(CHECKS, start=1):
        with connection.cursor() as cursor:
            cursor.execute(check.query, {"session": session})
            rows = cursor.fetchall()
        found += [
            {
                "check_name": check.name,
                "severity": check.severity,
                "blocks": check.blocks,
                "symbol": symbol,
                "message": message,
                "remedy": check.remedy,
            }
            for symbol, message in rows
        ]
        if report:
            report(number, len(CHECKS))
    return found
