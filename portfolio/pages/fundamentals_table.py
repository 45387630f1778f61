"""A stock's figures in groups, each with unit, source and date."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from stocks.models import Stock

# Column, label, style (see `figures.styled`).
_GROUPS: Final = {
    "Price and size": (
        ("current_price", "Close", "rupees"),
        ("market_cap", "Market cap", "crores"),
        ("market_cap_category", "Size by market cap", "text"),
        ("issue_size", "Issued shares", "whole"),
        ("face_value", "Face value", "rupees"),
        ("volume", "Volume", "whole"),
        ("avg_volume_30d", "Average volume, 30 sessions", "whole"),
    ),
    "Valuation": (
        ("pe_ratio", "P/E", "plain"),
        ("pb_ratio", "P/B", "plain"),
        ("peg_ratio", "PEG", "plain"),
        ("eps", "Earnings per share", "rupees"),
        ("book_value", "Book value per share", "rupees"),
    ),
    "Profit and growth": (
        ("roe", "Return on equity", "pct"),
        ("roa", "Return on assets", "pct"),
        ("operating_margin", "Operating margin", "pct"),
        ("net_margin", "Net margin", "pct"),
        ("profit_margin", "Profit margin, latest quarter", "pct"),
        ("revenue_growth", "Revenue growth", "pct"),
        ("earnings_growth", "Earnings growth", "pct"),
    ),
    "Balance and risk": (
        ("debt_to_equity", "Debt to equity", "plain"),
        ("current_ratio", "Current ratio", "plain"),
        ("quick_ratio", "Quick ratio", "plain"),
        ("beta", "Beta", "fine"),
        ("historical_volatility_1y", "Volatility, one year", "pct"),
        ("atr_14", "Average true range, 14 sessions", "rupees"),
    ),
}
_SOURCES: Final = {
    "bars": "daily bars",
    "exchange": "exchange's report pack",
    "statements": "financial statements",
    "screener": "screener",
}


@dataclass(frozen=True)
class Figure:
    """One figure; source, date and kind of origin are None where the figure is not known."""

    name: str
    value: Any
    style: str
    source: str | None
    as_of: date | None
    how: str | None


def groups(stock: Stock) -> list[tuple[str, list[Figure]]]:
    """A stock's figures by group; unknown ones have no value."""
    return [(name, [_figure(stock, *column) for column in columns]) for name, columns in _GROUPS.items()]


def _figure(stock: Stock, column: str, name: str, style: str) -> Figure:
    value = getattr(stock, column)
    origin = stock.provenance.get(column) or {}
    if value is None or not origin:
        return Figure(name, value, style, None, None, None)
    source = str(origin.get("source", ""))
    as_of = origin.get("as_of")
    return Figure(
        name,
        value,
        style,
        _SOURCES.get(source) or _file_of(source),
        date.fromisoformat(as_of) if as_of else None,
        origin.get("how"),
    )


def _file_of(source: str) -> str:
    """The file name in a source such as `nse_archive:EQUITY_L.csv; kind: ISIN in the lists`."""
    return source.partition(";")[0].rpartition(":")[2].strip()
