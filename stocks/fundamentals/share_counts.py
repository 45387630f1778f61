"""Issued shares of companies from every source, with the date from which each count was known."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd

from stocks.storage.frames import query_frame
from stocks.universe.symbols import current_symbols, successors

_COUNTS = """
    SELECT symbol, date, date AS known_on, issue_size::float8 AS shares, 'exchange_facts' AS source FROM exchange_facts
    WHERE symbol = ANY(%(names)s) AND issue_size IS NOT NULL AND date <= %(as_of)s
    UNION ALL
    SELECT symbol, period_end, published_on, shares::float8, 'statements' FROM financial_statements
    WHERE symbol = ANY(%(names)s) AND shares IS NOT NULL AND published_on <= %(as_of)s
    UNION ALL
    SELECT symbol, snapshot, snapshot + 1, market_cap * 1e7 / close, 'snapshots' FROM fundamental_snapshots
    WHERE symbol = ANY(%(names)s) AND market_cap > 0 AND close > 0 AND snapshot < %(as_of)s"""

_KINDS: dict[str, Any] = {
    "symbol": object,
    "date": "datetime64[ns]",
    "known_on": "datetime64[ns]",
    "shares": "float64",
    "source": object,
}


def share_counts(as_of: date, symbols: Sequence[str]) -> pd.DataFrame:
    """Issued shares of some symbols as known on a day: symbol, date (of the count), known_on, shares, source.

    Sorted by symbol and date. A screener's count is its market cap over its close, known from the day after.
    """
    if not symbols:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _KINDS.items()})
    wanted = set(symbols)
    names = sorted(wanted | {old for old, new in successors(as_of).items() if new in wanted})
    counts = query_frame(_COUNTS, {"names": names, "as_of": as_of}, dates=("date", "known_on"))
    frame = current_symbols(counts, as_of).astype(_KINDS)
    return frame[frame["symbol"].isin(wanted)].sort_values(["symbol", "date"], kind="stable", ignore_index=True)


def issue_sizes_around(session: date) -> pd.DataFrame:
    """Issued shares of each symbol before (the last report pack within a week) and today; often empty."""
    return query_frame(
        "SELECT t.symbol, b.issue_size AS before, t.issue_size AS today FROM exchange_facts t"
        " CROSS JOIN LATERAL (SELECT issue_size FROM exchange_facts b"
        " WHERE b.symbol = t.symbol AND b.issue_size IS NOT NULL"
        " AND b.date < t.date AND b.date >= t.date - 7 ORDER BY b.date DESC LIMIT 1) b"
        " WHERE t.date = %s AND t.issue_size IS NOT NULL ORDER BY t.symbol",
        [session],
    )
