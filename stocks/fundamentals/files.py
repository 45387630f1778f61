"""Reads the fundamentals folder: quarterly and yearly statements, and evenings of a public screener.

Properties of the sources, and how they are handled:

* A missing figure is stored as 0. Revenue, profit, assets, P/E and the like cannot be exactly 0: they become NULL. A
  debt of 0 can be true; it is accepted only where the row names a quarter and its two returns are consistent with it
  (`_is_debt_free`).
* Statements name a month (``Dec-24``): the period ends with it. They have no publication date: the law allows 45 days
  for a quarter and 60 for a year, so 60 and 75 days are assumed, and marked as assumed.
* Share counts and EPS of the statement files are ignored. They were restated for splits and bonuses up to the day on
  which the files were made (EPS for all companies, counts for two in three; NMDC's of 2020 includes its bonus of 2024),
  so on any earlier day they would leak the future, and so would leaving out only the companies affected.
* A period may appear twice. Figures on which both rows agree are kept, the others become NULL.
* Meaningless figures (return on a negative equity, a margin of −72,177 %) become NULL and are listed as rejected.

Pure: files in, frames out; nothing is written here. The reasons of rejected rows are part of their key in the database,
so a reworded one would list the same row again.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stocks.fundamentals.ratios import LIMITS
from stocks.fundamentals.tables import REJECT_COLUMNS, read_table
from stocks.fundamentals.tables import FundamentalsUnreadableError as FundamentalsUnreadableError
from stocks.storage.file_contents import SYMBOL, plausible_dates, storable_text

QUARTER_DELAY_DAYS = 60
YEAR_DELAY_DAYS = 75
# A screener's row that shows a quarter older than this says nothing about today: 60 days to publish, 200 to age.
STALE_QUARTER_DAYS = 260
MAX_NAME = 100
"""Characters of a name, sector or industry."""

MAX_FIGURE = 1e9
"""₹ crore, percent or ratio; India's yearly product is 33 million ₹ crore."""

_MISSING_TEXTS = ("", "-", "N/A", "NA", "nan", "None")

STATEMENT_COLUMNS = (
    *("symbol", "period_end", "kind", "published_on", "published_assumed"),
    *("revenue", "operating_income", "net_income", "eps"),
    *("total_assets", "equity", "debt", "current_assets", "current_liabilities", "inventory", "shares", "source"),
)
STATEMENT_FIGURES = STATEMENT_COLUMNS[5:-1]
"""A statement without any of these is empty."""

SNAPSHOT_COLUMNS = {
    "snapshot": "snapshot",
    "symbol": "symbol",
    "name": "stock_name",
    "sector": "sector",
    "industry": "industry",
    "close": "close",
    "market_cap_crore": "market_cap",
    "pe_ratio": "pe_ratio",
    "peg_ratio": "peg_ratio",
    "debt_to_equity": "debt_to_equity",
    "roe_percent": "roe",
    "roce_percent": "roce",
    "operating_margin_ttm_percent": "operating_margin",
    "eps_latest_quarter": "eps_quarter",
    "eps_last_year_quarter": "eps_quarter_last_year",
    "eps_last_year": "eps_last_year",
    "net_profit_latest_quarter": "net_profit_quarter",
    "net_profit_last_year_quarter": "net_profit_quarter_last_year",
    "sales_latest_quarter": "sales_quarter",
    "sales_last_year_quarter": "sales_quarter_last_year",
    "circuit_limit": "circuit_limit",
    "latest_earnings_date": "results_date",
    "latest_quarter": "latest_quarter",
}
_TEXTS = ("snapshot", "symbol", "stock_name", "sector", "industry", "results_date", "latest_quarter")
_INCOME = {
    "Total Revenue/Income": "revenue",
    "Total Operating Expense": "operating_expense",
    "EBITDA": "ebitda",
    "Net Income": "net_income_total",
    "Net Income Applicable to Common Share": "net_income_common",
}
_BALANCE = {
    "Total Stockholders Fund": "equity",
    "Total Assets": "total_assets",
    "Total Current Assets": "current_assets",
    "Total Current Liabilities": "current_liabilities",
}
_CASHFLOW = {"Net Income": "net_income"}
_MEANINGLESS = {
    "roe": "return on an equity that is negative or next to nothing",
    "roce": "return on a capital next to nothing",
    "debt_to_equity": "debt over an equity that is negative or next to nothing",
    "operating_margin": "margin over sales next to nothing",
    "pe_ratio": "price over earnings next to nothing, or under one year's",
    "peg_ratio": "price over growth next to nothing",
}


class Reading(NamedTuple):
    """Usable rows, rejected rows with their reasons, and the number of rows without any figure."""

    rows: pd.DataFrame
    rejects: pd.DataFrame
    empty: int


def read_statements(folder: Path) -> Reading:
    """Read quarterly income and yearly balance sheets (with the net income of the yearly cash flow).

    Files are ``statements_income_quarterly*``, ``statements_balance_yearly*`` and ``statements_cashflow_yearly*``; each
    is optional.

    Returns
    -------
    Reading
        ``rows`` with ``STATEMENT_COLUMNS``, one per (symbol, period_end, kind), ₹ crore; ``rejects`` with
        ``REJECT_COLUMNS``.

    Raises
    ------
    FundamentalsUnreadableError
        The folder is missing, or a file is damaged or lacks a column.

    Notes
    -----
    Point in time: ``published_on`` is the first day on which a row may be used.
    """
    rejects: list[pd.DataFrame] = []
    quarters = [_quarters(path, rejects) for path in _files(folder, "statements_income_quarterly*.csv*")]
    years = [_years(path, rejects) for path in _files(folder, "statements_balance_yearly*.csv*")]
    profits = [_read_periods(path, _CASHFLOW, rejects) for path in _files(folder, "statements_cashflow_yearly*.csv*")]
    if years and profits:
        income = pd.concat(profits).drop_duplicates(["symbol", "period_end"], keep="last")
        years = [frame.merge(income[["symbol", "period_end", "net_income"]], how="left") for frame in years]
    frames = [_with_publication_date(frame, "quarter", QUARTER_DELAY_DAYS) for frame in quarters]
    frames += [_with_publication_date(frame, "year", YEAR_DELAY_DAYS) for frame in years]
    rows = _concat(frames, STATEMENT_COLUMNS).drop_duplicates(["symbol", "period_end", "kind"], keep="last")
    figures = list(STATEMENT_FIGURES)
    empty = rows[figures].isna().all(axis=1) if len(rows) else pd.Series(dtype=bool)
    rows = rows[~empty].astype({"shares": "Int64"}).reset_index(drop=True)
    return Reading(rows, _concat(rejects, REJECT_COLUMNS), int(empty.sum()))


def read_snapshots(folder: Path) -> Reading:
    """Read the evenings of a public screener: columns of ``fundamental_snapshots``, one row per (snapshot, symbol).

    Files are ``snapshots_*.parquet``, ``snapshots_*.csv*`` and ``fundamentals_*.csv*``; each is optional.

    Raises
    ------
    FundamentalsUnreadableError
        The folder is missing, or a file is damaged or lacks a column.

    Notes
    -----
    Point in time: a row counts from the session after its ``snapshot``.
    """
    rejects: list[pd.DataFrame] = []
    paths = _files(folder, "snapshots_*.parquet", "snapshots_*.csv*", "fundamentals_*.csv*")
    frames = [_snapshot_rows(path, rejects) for path in paths]
    columns = [column for column in SNAPSHOT_COLUMNS.values() if column != "latest_quarter"]
    rows = _concat(frames, (*columns, "source"))
    # Files overlap (a month and its last day): of the same evening the last file in name order counts.
    rows = rows.drop_duplicates(["snapshot", "symbol"], keep="last").reset_index(drop=True)
    figures = [column for column in columns if column not in (*_TEXTS, "circuit_limit")]
    empty = rows[figures].isna().all(axis=1) if len(rows) else pd.Series(dtype=bool)
    # A figure shown unchanged on many evenings is rejected once, on the first of them.
    rejected = _concat(rejects, REJECT_COLUMNS).sort_values("date", kind="stable")
    rejected = rejected.drop_duplicates(["symbol", "reason", "raw"])
    return Reading(rows[~empty].reset_index(drop=True), rejected.reset_index(drop=True), int(empty.sum()))


def _files(folder: Path, *patterns: str) -> list[Path]:
    if not folder.is_dir():
        raise FundamentalsUnreadableError(
            f"The fundamentals folder {folder} does not exist. Set FUNDAMENTALS_DIR, or pass --dir."
        )
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})


def _concat(frames: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    filled = [frame.reindex(columns=list(columns)) for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))


def _numbers(frame: pd.DataFrame, columns: list[str], rejects: list[pd.DataFrame]) -> pd.DataFrame:
    """Parse texts as floats; whatever is neither a number nor a placeholder for a missing one is rejected."""
    for column in columns:
        text = frame[column]
        if not pd.api.types.is_numeric_dtype(text):
            clean = text.astype(str).str.strip().str.replace(",", "", regex=False)
            frame[column] = pd.to_numeric(clean, errors="coerce")
            broken = frame[column].isna() & ~clean.isin(_MISSING_TEXTS)
            _reject(frame, broken, f"{column} is not a number", text, rejects)
        frame[column] = frame[column].astype(float)
        _clear(frame, column, frame[column].abs() > MAX_FIGURE, f"{column} is absurd", rejects)
    return frame


def _reject(
    frame: pd.DataFrame, where: "pd.Series[bool]", reason: str, raw: "pd.Series[float]", rejects: list[pd.DataFrame]
) -> None:
    """Add the rows that `where` marks to the rejects; `frame` has symbol, date and source."""
    if where.any():
        rows = frame.loc[where, ["symbol", "date", "source"]]
        symbols = [storable_text(str(value)) for value in rows["symbol"]]
        texts = [storable_text(str(value)) for value in raw[where]]
        rejects.append(rows.assign(symbol=symbols, reason=reason, raw=texts)[list(REJECT_COLUMNS)])


def _clear(
    frame: pd.DataFrame, column: str, where: "pd.Series[bool]", reason: str, rejects: list[pd.DataFrame]
) -> None:
    """Set a meaningless figure to NULL and list it as rejected."""
    where = where & frame[column].notna()
    _reject(frame, where, reason, frame[column], rejects)
    frame.loc[where, column] = np.nan


def _with_valid_symbols(frame: pd.DataFrame, rejects: list[pd.DataFrame]) -> pd.DataFrame:
    frame["symbol"] = frame["symbol"].astype(str).str.strip().str.upper()
    broken = ~frame["symbol"].str.fullmatch(SYMBOL)
    _reject(frame, broken, "the symbol is not one of the exchange", frame["symbol"], rejects)
    return frame[~broken].reset_index(drop=True)


def _read_periods(path: Path, columns: dict[str, str], rejects: list[pd.DataFrame]) -> pd.DataFrame:
    """One row per (symbol, period_end); figures as floats, 0 as missing."""
    frame = read_table(path, ["symbol", "Date", *columns], rejects).rename(columns=columns)
    ends = pd.to_datetime(frame["Date"].str.strip(), format="%b-%y", errors="coerce") + pd.offsets.MonthEnd(0)
    frame = frame.assign(source=path.name, date=ends)
    _reject(frame, ends.isna(), "the period is not a month like Dec-24", frame["Date"], rejects)
    frame = _with_valid_symbols(frame[ends.notna()].copy(), rejects)
    figures = list(columns.values())
    frame = _numbers(frame, figures, rejects)
    frame[figures] = frame[figures].where(frame[figures] != 0)
    frame = frame.drop_duplicates(["symbol", "date", *figures])
    return _merge_duplicates(frame, figures, rejects).rename(columns={"date": "period_end"})


def _merge_duplicates(frame: pd.DataFrame, figures: list[str], rejects: list[pd.DataFrame]) -> pd.DataFrame:
    """Merge rows of one period: a figure stays where all rows that have it agree."""
    doubled = frame.duplicated(["symbol", "date"], keep=False)
    if not doubled.any():
        return frame.reset_index(drop=True)
    groups = frame[doubled].groupby(["symbol", "date"], sort=True)
    merged = groups.first().reset_index()
    differ = groups[figures].nunique().reset_index(drop=True) > 1
    for figure in figures:
        _clear(merged, figure, differ[figure], f"{figure}: two rows of one period contradict each other", rejects)
    single = frame[~doubled]
    return pd.concat([single, merged[single.columns]], ignore_index=True)


def _quarters(path: Path, rejects: list[pd.DataFrame]) -> pd.DataFrame:
    frame = _read_periods(path, _INCOME, rejects).rename(columns={"period_end": "date"})
    _clear(frame, "revenue", frame["revenue"] < 0, "revenue is negative", rejects)
    # Screeners define operating profit as sales less operating expenses, before depreciation; of the source's lines
    # this one agrees best with the margins that a screener shows. EBITDA adds other income to it, so it is the larger.
    frame["operating_income"] = frame["revenue"] - frame["operating_expense"]
    excess = frame["operating_income"] - frame["ebitda"] > 0.05 * frame["revenue"]
    _clear(frame, "operating_income", excess, "operating income above EBITDA", rejects)
    frame["net_income"] = frame["net_income_common"].fillna(frame["net_income_total"])
    return frame.rename(columns={"date": "period_end"})


def _years(path: Path, rejects: list[pd.DataFrame]) -> pd.DataFrame:
    frame = _read_periods(path, _BALANCE, rejects).rename(columns={"period_end": "date"})
    for column in ("total_assets", "current_assets", "current_liabilities"):
        _clear(frame, column, frame[column] < 0, f"{column} is negative", rejects)
    most = 1.01 * frame["total_assets"]
    _clear(frame, "equity", frame["equity"] > most, "equity above total assets", rejects)
    _clear(frame, "current_assets", frame["current_assets"] > most, "current assets above total assets", rejects)
    return frame.rename(columns={"date": "period_end"})


def _with_publication_date(frame: pd.DataFrame, kind: str, delay_days: int) -> pd.DataFrame:
    published = frame["period_end"] + pd.Timedelta(days=delay_days)
    return frame.assign(kind=kind, published_on=published, published_assumed=True)


def _snapshot_rows(path: Path, rejects: list[pd.DataFrame]) -> pd.DataFrame:
    frame = read_table(path, list(SNAPSHOT_COLUMNS), rejects).rename(columns=SNAPSHOT_COLUMNS)
    shown = frame["snapshot"].astype(str).str.strip()
    days = plausible_dates(pd.to_datetime(shown, format="%Y-%m-%d", errors="coerce"))
    frame = frame.assign(source=path.name, date=days)
    _reject(frame, days.isna(), "the snapshot's date is not like 2026-04-30", frame["snapshot"], rejects)
    frame = _with_valid_symbols(frame[days.notna()].copy(), rejects)
    frame["snapshot"] = frame["date"]
    figures = [column for column in SNAPSHOT_COLUMNS.values() if column not in _TEXTS]
    bands = frame["circuit_limit"].astype(str)
    frame["circuit_limit"] = bands.where(bands != "No Band", "")
    frame = _numbers(frame, figures, rejects)
    for column in ("stock_name", "sector", "industry"):
        text = frame[column].astype(object).astype(str).str.strip()
        is_valid = text.str.len().le(MAX_NAME) & ~text.str.contains("\0", regex=False)
        frame[column] = text.where(is_valid & ~text.isin(_MISSING_TEXTS), None)
    results = pd.to_datetime(frame["results_date"].astype(str), format="%Y-%m-%d", errors="coerce")
    frame["results_date"] = plausible_dates(results)
    quarter = frame["latest_quarter"].astype(str).str.replace(r"\.0$", "", regex=True)
    months = plausible_dates(pd.to_datetime(quarter, format="%Y%m", errors="coerce"))
    frame["latest_quarter"] = months + pd.offsets.MonthEnd(0)
    return _clean_snapshots(frame, figures, rejects)


def _is_debt_free(frame: pd.DataFrame) -> "pd.Series[bool]":
    """Where a D/E of 0 is credible: a quarter is named, and the return on capital is that on equity before tax."""
    ratio = frame["roce"] / frame["roe"]
    return frame["latest_quarter"].notna() & (frame["roe"] > 0) & ratio.between(1.0, 1.6)


def _clean_snapshots(frame: pd.DataFrame, figures: list[str], rejects: list[pd.DataFrame]) -> pd.DataFrame:
    debt_free = (frame["debt_to_equity"] == 0) & _is_debt_free(frame)
    frame[figures] = frame[figures].where(frame[figures] != 0)
    frame.loc[debt_free, "debt_to_equity"] = 0.0
    for column in ("close", "market_cap", "sales_quarter", "sales_quarter_last_year", "circuit_limit"):
        _clear(frame, column, frame[column] < 0, f"{column} is negative", rejects)
    _clear_meaningless_ratios(frame, rejects)
    stale = (frame["date"] - frame["latest_quarter"]).dt.days > STALE_QUARTER_DAYS
    _reject(frame, stale, "the latest quarter shown is stale", frame["latest_quarter"], rejects)
    of_market = ("close", "market_cap", "circuit_limit")
    frame.loc[stale, [column for column in figures if column not in of_market]] = np.nan
    return frame


def _clear_meaningless_ratios(frame: pd.DataFrame, rejects: list[pd.DataFrame]) -> None:
    negative_equity = frame["debt_to_equity"] < 0
    for column, reason in _MEANINGLESS.items():
        low, high = LIMITS[column]
        beyond = (frame[column] < low) | (frame[column] > high)
        if column == "roe":
            beyond |= negative_equity
        if column == "pe_ratio":
            # With its one decimal, earnings computed from a P/E below 1 would be a guess.
            beyond |= frame[column].abs() < 1
        _clear(frame, column, beyond, f"{column}: {reason}", rejects)
