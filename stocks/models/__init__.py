"""The tables of stocks; the app's other modules import them from here."""

from stocks.models.picks import Publication, SuggestedStock
from stocks.models.shares import (
    ExchangeFact,
    FinancialStatement,
    Fundamentals,
    FundamentalSnapshot,
    Stock,
    StockMetrics,
    SymbolChange,
    amount,
)

__all__ = [
    "ExchangeFact",
    "FinancialStatement",
    "FundamentalSnapshot",
    "Fundamentals",
    "Publication",
    "Stock",
    "StockMetrics",
    "SuggestedStock",
    "SymbolChange",
    "amount",
]
