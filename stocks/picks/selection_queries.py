"""Reads that the selection of picks needs: shares, a session's metrics, yesterday's list."""

from datetime import date

import pandas as pd

from stocks.models import Publication, Stock, SuggestedStock
from stocks.storage.frames import query_frame

_FIGURES = (
    "current_price, market_cap, pe_ratio, pb_ratio, roe, eps, beta, debt_to_equity, revenue_growth, earnings_growth,"
    " operating_margin, net_margin, profit_margin, book_value, peg_ratio, roa, current_ratio, quick_ratio,"
    " historical_volatility_1y, atr_14, turnover_median_20, atr_percentage"
)


def share_symbols() -> list[str]:
    """Return the symbols known to be shares, in alphabetical order; funds and unknown kinds are not among them."""
    return list(Stock.objects.filter(kind=Stock.Kind.SHARE).order_by("symbol").values_list("symbol", flat=True))


def metrics_frame(session: date) -> pd.DataFrame:
    """Return the metrics of a session beside name, sector and industry, one row a symbol; empty where there are none.

    Point in time: figures of the session's own row, never of the latest one.
    """
    columns = ", ".join(f"m.{name.strip()}" for name in _FIGURES.split(","))
    frame = query_frame(
        "SELECT m.symbol, s.stock_name, s.sector, s.industry, m.volume, m.avg_volume_30d, m.market_cap_category,"
        f" m.tradable::int AS tradable, m.exclusion, {columns} FROM stock_metrics m JOIN stocks s USING (symbol)"
        ' WHERE m.date = %s ORDER BY m.symbol COLLATE "C"',
        [session],
    )
    kinds = {name.strip(): "float64" for name in _FIGURES.split(",")} | {"tradable": bool}
    return frame.astype(kinds)


def previous_picks(strategy: str, session: date) -> set[str]:
    """Return the symbols of a strategy's last list published for a session before this one."""
    before = (
        Publication.objects.filter(strategy=strategy, date__lt=session, superseded_at=None).order_by("-date").first()
    )
    if before is None:
        return set()
    return set(SuggestedStock.objects.filter(publication=before).values_list("symbol", flat=True))
