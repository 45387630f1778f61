"""What the selection of picks reads: shares, a session's metrics, the list of the session before."""

from datetime import date

import pandas as pd

from stocks.models import Publication, Stock, StockMetrics, SuggestedStock
from stocks.picks.standings import ListBefore, Listed
from stocks.storage.frames import query_frame
from stocks.universe.symbols import successors

_FIGURES = (
    "current_price market_cap pe_ratio pb_ratio roe eps beta debt_to_equity revenue_growth earnings_growth"
    " operating_margin net_margin profit_margin book_value peg_ratio roa current_ratio quick_ratio"
    " historical_volatility_1y atr_14 turnover_median_20 atr_percentage"
)


def share_symbols() -> list[str]:
    """Symbols known to be shares, in alphabetical order, without funds and unknown kinds."""
    return list(Stock.objects.filter(kind=Stock.Kind.SHARE).order_by("symbol").values_list("symbol", flat=True))


def share_groups() -> pd.DataFrame:
    """Symbol, sector and industry of the shares that have a sector; undated, as the lists have them today."""
    return query_frame(
        "SELECT symbol, sector, nullif(industry, '') AS industry FROM stocks"
        " WHERE kind = %s AND nullif(sector, '') IS NOT NULL ORDER BY symbol COLLATE \"C\"",
        [Stock.Kind.SHARE],
    )


def tradable_symbols(session: date) -> set[str]:
    """Symbols of the shares that were tradable on a session, as stored then, under their current names."""
    tradable = StockMetrics.objects.filter(date=session, tradable=True)
    return set(map(str, tradable.values_list("symbol_id", flat=True)))


def metrics_frame(session: date) -> pd.DataFrame:
    """Metrics of a session with name, sector and industry, one row a symbol; empty where there are none.

    Point in time: figures of the session's own row, never of the latest one.
    """
    figures = _FIGURES.split()
    columns = ", ".join(f"m.{name}" for name in figures)
    frame = query_frame(
        "SELECT m.symbol, s.stock_name, s.sector, s.industry, m.volume, m.avg_volume_30d, m.market_cap_category,"
        f" m.tradable::int AS tradable, m.exclusion, {columns} FROM stock_metrics m JOIN stocks s USING (symbol)"
        ' WHERE m.date = %s ORDER BY m.symbol COLLATE "C"',
        [session],
    )
    return frame.astype(dict.fromkeys(figures, "float64") | {"tradable": bool})


def list_before(strategy: str, session: date) -> ListBefore | None:
    """The strategy's last list in force before a session, by the symbols in use on it; None without one.

    A session on which the system abstained says nothing of any share: the list before that counts.
    """
    earlier = Publication.objects.filter(strategy=strategy, date__lt=session, superseded_at=None, abstention="")
    publication = earlier.order_by("-date").only("date").first()
    if publication is None:
        return None
    renamed = successors(session)
    rows = SuggestedStock.objects.filter(publication=publication).order_by("rank", "symbol")
    shares = {
        renamed.get(symbol, symbol): Listed(name, rank, place, since or publication.date)
        for symbol, name, rank, place, since in rows.values_list(
            "symbol", "stock_name", "rank", "place", "listed_since"
        )
    }
    return ListBefore(publication.pk, publication.date, shares)
