"""What can be imported: one entry of KINDS per kind of file, with its columns, checks and writer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pandas as pd

from market_data.imports import cells, records
from market_data.imports.cells import Column
from market_data.imports.parsing import RowError
from market_data.models import DailyBar, MarketDay
from market_data.prices.bars import MAX_PRICE, MAX_QUANTITY, MAX_TURNOVER_LAKH, SERIES_ORDER
from market_data.trading_phases import ORDER_TYPES, Phase, Shares
from stocks.fundamentals.files import MAX_FIGURE, MAX_NAME
from stocks.fundamentals.ratios import LIMITS
from stocks.models import Stock
from stocks.storage.bulk import WriteCounts

_TEXT, _FLOAT, _WHOLE, _DAY = "object", "float64", "Int64", "datetime64[ns]"


@dataclass(frozen=True)
class Kind:
    """One kind of file: an import adds rows to `table`, and the `computed` tables are recomputed from them.

    No two rows may agree in the `key` columns. `check` returns, given the current time, the errors of rows against each
    other and against what is stored. `record` writes rows, given the file's name and the run's id, within the caller's
    transaction. `note` says what rows mean beyond themselves, if anything.
    """

    title: str
    description: str
    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    check: Callable[[pd.DataFrame, datetime], list[RowError]]
    record: Callable[[pd.DataFrame, str, str], WriteCounts]
    computed: tuple[str, ...] = ()
    note: Callable[[pd.DataFrame], str] = records.no_note


def _symbol() -> Column:
    return Column("symbol", cells.symbol, _TEXT, "as the exchange writes it: RELIANCE", needed=True)


def _name(name: str, description: str) -> Column:
    return Column(name, cells.words(MAX_NAME), _TEXT, description)


def _amount(
    name: str, description: str, low: float = -MAX_FIGURE, high: float = MAX_FIGURE, *, zero: bool = True
) -> Column:
    return Column(name, cells.number(low, high, zero=zero), _FLOAT, description)


def _ratio(name: str, description: str) -> Column:
    return _amount(name, description, *LIMITS[name], zero=name == "debt_to_equity")


def _price(name: str, *, needed: bool = False) -> Column:
    return Column(name, cells.number(0, MAX_PRICE, zero=False), _FLOAT, "₹, as published, not adjusted", needed)


def _count(name: str, description: str, *, needed: bool = False) -> Column:
    return Column(name, cells.whole(0, MAX_QUANTITY), _WHOLE, description, needed)


_BARS = Kind(
    "Historical bars",
    "Daily prices for missing sessions up to the latest one loaded. A bar that no import brought is never"
    " replaced. Indicators of the imported symbols are recomputed from their first imported date; published picks stay"
    " as they are.",
    "historical_data",
    (
        _symbol(),
        Column("date", cells.day, _DAY, "session: 2026-04-30", needed=True),
        Column("series", cells.one_of(*SERIES_ORDER), _TEXT, "EQ (the default), BE, BZ, SM or ST"),
        *(_price(name, needed=True) for name in ("open", "high", "low", "close")),
        _count("volume", "shares", needed=True),
        *(_price(name) for name in ("prev_close", "last_price", "vwap")),
        _amount("turnover_lakh", "₹ lakh", 0, MAX_TURNOVER_LAKH),
        _count("trades", "number of trades"),
        _count("delivered_quantity", "shares delivered"),
        Column("isin", cells.isin, _TEXT, "INE002A01018"),
        Column("status", cells.one_of(*DailyBar.Status.values), _TEXT, "final (the default) or provisional"),
    ),
    ("symbol", "date"),
    records.check_bars,
    records.record_bars,
    ("technical_indicators",),
    records.new_stocks_note,
)
_STATEMENTS = Kind(
    "Financial statements",
    "Reported figures of a quarter or year, used from their publication date on. Without one, 60 days after the end of"
    " a quarter and 75 after that of a year are assumed, and marked as assumed. A stored period is replaced.",
    "financial_statements",
    (
        _symbol(),
        Column("period_end", cells.day, _DAY, "2026-03-31", needed=True),
        Column("kind", cells.one_of("quarter", "year"), _TEXT, "quarter or year", needed=True),
        Column("published_on", cells.day, _DAY, "first day on which it may be used"),
        Column("published_assumed", cells.yes_no, _TEXT, "yes where published_on is not known but assumed"),
        _amount("revenue", "₹ crore", 0, zero=False),
        _amount("operating_income", "₹ crore"),
        _amount("net_income", "₹ crore"),
        _amount("eps", "₹ per share, of the period", -MAX_PRICE, MAX_PRICE),
        _amount("total_assets", "₹ crore", 0, zero=False),
        _amount("equity", "₹ crore", zero=False),
        _amount("debt", "₹ crore", 0),
        _amount("current_assets", "₹ crore", 0, zero=False),
        _amount("current_liabilities", "₹ crore", 0, zero=False),
        _amount("inventory", "₹ crore", 0),
        _count("shares", "issued shares at the period's end"),
    ),
    ("symbol", "period_end", "kind"),
    records.check_statements,
    records.record_statements,
    note=records.no_stocks_note,
)
_FUNDAMENTALS = Kind(
    "Fundamentals of stocks",
    "A screener's figures of one evening, used from the next session on. Leave unknown figures empty: a 0 that cannot"
    " be true is rejected.",
    "fundamental_snapshots",
    (
        _symbol(),
        Column("snapshot", cells.day, _DAY, "the evening: 2026-04-30", needed=True),
        _name("stock_name", "the company's name"),
        _name("sector", "its sector"),
        _name("industry", "its industry"),
        _price("close"),
        _amount("market_cap", "₹ crore", 0, zero=False),
        *(_ratio(name, "ratio") for name in ("pe_ratio", "peg_ratio", "debt_to_equity")),
        *(_ratio(name, "percent") for name in ("roe", "roce", "operating_margin")),
        *(_amount(name, "₹ per share", -MAX_PRICE, MAX_PRICE, zero=False) for name in records.EPS_COLUMNS),
        *(_amount(name, "₹ crore", zero=False) for name in records.PROFIT_COLUMNS),
        *(_amount(name, "₹ crore", 0, zero=False) for name in records.SALES_COLUMNS),
        _amount("circuit_limit", "percent, daily price band", 0, 100, zero=False),
        Column("results_date", cells.day, _DAY, "latest results"),
    ),
    ("snapshot", "symbol"),
    records.check_fundamentals,
    records.record_fundamentals,
    note=records.no_stocks_note,
)
_MEMBERS = Kind(
    "Index members",
    "Names, industries, series and ISINs of an index's members, or the stocks that an export lists. They count as"
    " shares where no kind is given, and details that differ are stored with the file as source.",
    "stocks",
    (
        _symbol(),
        Column("index", cells.words(MAX_NAME), _TEXT, "NIFTY 500"),
        _name("stock_name", "the company's name"),
        Column("kind", cells.one_of(*Stock.Kind.values), _TEXT, ", ".join(Stock.Kind.values)),
        _name("sector", "where it is empty, the industry becomes the stock's sector"),
        _name("industry", "as in the exchange's index lists"),
        Column("series", cells.one_of(*SERIES_ORDER), _TEXT, "EQ, BE, BZ, SM or ST"),
        Column("isin", cells.isin, _TEXT, "INE002A01018"),
    ),
    ("symbol",),
    records.no_errors,
    records.record_members,
    note=records.new_stocks_note,
)
_MARKET_DAYS = Kind(
    "Holidays and sessions",
    "Days of the exchange's calendar; imported days override the calendar library and the exchange's files. The whole"
    " list of a coming year's holidays makes its other weekdays sessions; a shorter list speaks of its own days only.",
    "market_days",
    (
        Column("date", cells.day, _DAY, "2027-01-26", needed=True),
        Column("kind", cells.one_of(*MarketDay.Kind.values), _TEXT, ", ".join(MarketDay.Kind.values), needed=True),
        Column("is_session", cells.yes_no, _TEXT, "yes or no", needed=True),
        Column("open", cells.hour, _TEXT, "Indian time: 09:15"),
        Column("close", cells.hour, _TEXT, "Indian time: 15:30"),
        Column("source", cells.words(60), _TEXT, "as exported: a row that is stored exactly so stays as it is"),
    ),
    ("date",),
    records.check_market_days,
    records.record_market_days,
    note=records.coverage_note,
)
_TRADING_PHASES = Kind(
    "Phases of the trading day",
    "From which day on, for which shares, orders can be entered between which hours. A row takes the place of the"
    " stored one of the same phase, shares and first day: to change hours, end that one and add the next, in one file."
    " Rows that overlap or leave days out are refused.",
    "trading_phases",
    (
        Column("phase", cells.one_of(*Phase), _TEXT, ", ".join(Phase), needed=True),
        Column("shares", cells.one_of(*Shares), _TEXT, "all, or those with derivatives, or the others", needed=True),
        Column("first", cells.day, _DAY, "first day: 2026-08-03", needed=True),
        Column("last", cells.day, _DAY, "last day; empty: until further notice"),
        Column("opens", cells.hour, _TEXT, "Indian time: 15:15", needed=True),
        Column("closes", cells.hour, _TEXT, "Indian time: 15:35; nothing is entered from then on", needed=True),
        Column("order_types", cells.words(40), _TEXT, f"those taken, all where empty: {' '.join(ORDER_TYPES)}"),
        Column("source", cells.words(60), _TEXT, "as exported: a row that is stored exactly so stays as it is"),
    ),
    ("phase", "shares", "first"),
    records.check_phases,
    records.record_phases,
)

KINDS: Final[dict[str, Kind]] = {
    "historical_bars": _BARS,
    "fundamentals": _FUNDAMENTALS,
    "financial_statements": _STATEMENTS,
    "index_members": _MEMBERS,
    "market_days": _MARKET_DAYS,
    "trading_phases": _TRADING_PHASES,
}
