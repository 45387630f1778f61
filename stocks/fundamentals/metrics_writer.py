"""The only writer of `stock_metrics`, and of the latest metrics in `stocks`.

Each function runs inside the caller's transaction and may run twice with the same result.
"""

from datetime import date

import pandas as pd
from psycopg import sql

from stocks.fundamentals.metrics import METRIC_COLUMNS
from stocks.models import StockMetrics
from stocks.storage import bulk
from stocks.storage.bulk import WriteCounts
from stocks.storage.frames import query_frame

_KEY = ("symbol", "date")
_ONLY_DATED = ("provenance", "turnover_median_20", "atr_percentage", "tradable", "exclusion")
"""Metrics that `stocks` lacks, or that merge there."""

_STOCK_COLUMNS = tuple(column for column in METRIC_COLUMNS if column not in (*_KEY, *_ONLY_DATED))


def record_metrics(frame: pd.DataFrame, session: date, run_id: str) -> WriteCounts:
    """Write the metrics of a session, a frame of `session_metrics`; symbols that it lacks lose their row."""
    symbols = frame["symbol"].astype(str).tolist()
    removed = bulk.delete("stock_metrics", "t.date = %s AND NOT t.symbol = ANY(%s)", [session, symbols], run_id)
    written = bulk.upsert("stock_metrics", frame[list(METRIC_COLUMNS)], _KEY, run_id)
    return WriteCounts(written.inserted, written.updated + removed)


def fill_metrics(frame: pd.DataFrame, session: date, run_id: str) -> dict[str, int]:
    """Write the metrics of a session only where none are stored; return the number of values filled, by column.

    The frame is one of `session_metrics`; before-images of completed rows are kept for the run.
    """
    computed = frame.set_index("symbol")
    records = list(StockMetrics.objects.filter(date=session).values(*METRIC_COLUMNS))
    stored = pd.DataFrame.from_records(records, columns=list(METRIC_COLUMNS)).set_index("symbol")
    lacking = computed.notna() & stored.isna().reindex(computed.index).fillna(True).astype(bool)
    columns = [column for column in METRIC_COLUMNS if column not in (*_KEY, "provenance", "tradable", "exclusion")]
    counts = {column: int(lacking[column].sum()) for column in columns if lacking[column].any()}
    touched = lacking[columns].any(axis=1) | ~computed.index.isin(stored.index)
    rows = computed[touched].copy()
    for column in columns:
        rows[column] = rows[column].where(lacking.loc[touched, column], stored[column].reindex(rows.index))
    bulk.upsert("stock_metrics", rows.reset_index()[list(METRIC_COLUMNS)], _KEY, run_id)
    return counts


def refresh_stocks(session: date, run_id: str) -> int:
    """Copy a session's metrics to `stocks` where they are the symbol's latest; return the number of rows changed."""
    columns = [sql.Identifier(column) for column in _STOCK_COLUMNS]
    changed = query_frame(
        sql.SQL(
            "SELECT t.symbol, {dated}, now()::text AS last_updated, merged::text AS provenance FROM stocks t"
            " JOIN stock_metrics m USING (symbol)"
            " CROSS JOIN LATERAL (SELECT (t.provenance - %s::text[]) || m.provenance) p(merged) WHERE m.date = %s"
            " AND NOT EXISTS (SELECT 1 FROM stock_metrics l WHERE l.symbol = m.symbol AND l.date > m.date)"
            " AND ROW(t.provenance, {stored}) IS DISTINCT FROM ROW(merged, {dated}) ORDER BY t.symbol"
        ).format(
            stored=sql.SQL(", ").join(sql.SQL("t.{}").format(column) for column in columns),
            dated=sql.SQL(", ").join(sql.SQL("m.{}").format(column) for column in columns),
        ),
        [list(METRIC_COLUMNS), session],
    )
    return bulk.update("stocks", changed, ("symbol",), run_id)
