"""Readers of the fundamentals folder: quarterly and yearly statements, and evenings of a public screener.

What the sources do, and what is made of it:

* A missing figure is stored as 0. Revenue, profit, assets, P/E and the like cannot be exactly 0: they become NULL. A
  debt of 0 can be true; it is believed only where the row names a quarter and its two returns agree with it
  (`_zero_debt`).
* Statements name a month (``Dec-24``): the period ends with it. They carry no publication date: the law allows 45 days
  for a quarter and 60 for a year, so 60 and 75 days are assumed, and marked as assumed.
* Share counts and EPS of the statement files are not taken. They were restated for splits and bonuses up to the day on
  which the files were made (EPS for all companies, counts for two in three; NMDC's of 2020 foresees its bonus of 2024),
  so on any earlier day they would tell the future, and so would leaving out only the companies concerned.
* A period may come twice. Figures on which both rows agree are kept, the others are NULL.
* Figures without meaning (return on a negative equity, a margin of −72,177 %) become NULL and are listed as rejected.

Pure: files in, frames out; nothing is written here.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stocks.fundamentals.ratios import LIMITS
from stocks.fundamentals.tables import REJECT_COLUMNS, table_of
from stocks.fundamentals.tables import FundamentalsUnreadableError as FundamentalsUnreadableError
from stocks.storage.file_contents import SYMBOL, plausible_dates, storable_text

QUARTER_DELAY_DAYS = 60
YEAR_DELAY_DAYS = 75
# A row of a screener that still shows a quarter older than this tells nothing about today (60 days to publish, 200 to
# age).
STALE_QUARTER_DAYS = 260
MAX_NAME = 100
"""Characters of a name, sector or industry."""

MAX_FIGURE = 1e9
"""₹ crore, percent or ratio; India's yearly product is 33 million ₹ crore."""

_MISSING_TEXTS = ("", "-", "N/A", "NA", "nan", "None")

STATEMENT_COLUMNS = (
    "symbol",
    "period_end",
    "kind",
    "published_on",
    "published_assumed",
    "revenue",
    "operating_income",
    "net_income",
    "eps",
    "total_assets",
    "equity",
    "debt",
    "current_assets",
    "current_liabilities",
    "inventory",
    "shares",
    "source",
)
STATEMENT_FIGURES = STATEMENT_COLUMNS[5:-1]
"""What a statement tells: a row without any of these tells nothing."""

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
    """What was read: usable rows, what was refused and why, and how many rows held no figure at all."""

    rows: pd.DataFrame
    rejects: pd.DataFrame
    empty: int


def read_statements(folder: Path) -> Reading:
    """Read quarterly income and yearly balance sheets (with the net income of the yearly cash flow).

    Parameters
    ----------
    folder
        Holds ``statements_income_quarterly*``, ``statements_balance_yearly*``, ``statements_cashflow_yearly*``; each is
        optional.

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
    frames = [_published(frame, "quarter", QUARTER_DELAY_DAYS) for frame in quarters]
    frames += [_published(frame, "year", YEAR_DELAY_DAYS) for frame in years]
    rows = _concat(frames, STATEMENT_COLUMNS).drop_duplicates(["symbol", "period_end", "kind"], keep="last")
    figures = list(STATEMENT_FIGURES)
    empty = rows[figures].isna().all(axis=1) if len(rows) else pd.Series(dtype=bool)
    rows = rows.loc[~empty].astype({"shares": "Int64"}).reset_index(drop=True)
    return Reading(rows, _concat(rejects, REJECT_COLUMNS), int(empty.sum()))


def read_snapshots(folder: Path) -> Reading:
    """Read the evenings of a public screener.

    Parameters
    ----------
    folder
        Holds ``snapshots_*.parquet``, ``snapshots_*.csv*`` or ``fundamentals_*.csv*``; each is optional.

    Returns
    -------
    Reading
        ``rows`` with the columns of ``fundamental_snapshots``, one per (snapshot, symbol); ``rejects``.

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
    # Files overlap (a month and its last day): the same evening is taken once, in a fixed order.
    rows = rows.drop_duplicates(["snapshot", "symbol"], keep="last").reset_index(drop=True)
    figures = [column for column in columns if column not in (*_TEXTS, "circuit_limit")]
    empty = rows[figures].isna().all(axis=1) if len(rows) else pd.Series(dtype=bool)
    # A figure shown unchanged on many evenings is refused once, on the first of them.
    refused = _concat(rejects, REJECT_COLUMNS).sort_values("date", kind="stable")
    refused = refused.drop_duplicates(["symbol", "reason", "raw"])
    return Reading(rows.loc[~empty].reset_index(drop=True), refused.reset_index(drop=True), int(empty.sum()))


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
    """Turn texts into floats; what is neither a number nor a sign of absence is refused."""
    for column in columns:
        text = frame[column]
        if not pd.api.types.is_numeric_dtype(text):
            clean = text.astype(str).str.strip().str.replace(",", "", regex=False)
            frame[column] = pd.to_numeric(clean, errors="coerce")
            broken = frame[column].isna() & ~clean.isin(_MISSING_TEXTS)
            _refuse(frame, broken, f"{column} is not a number", text, rejects)
        frame[column] = frame[column].astype(float)
        _void(frame, column, frame[column].abs() > MAX_FIGURE, f"{column} is absurd", rejects)
    return frame


def _refuse(
    frame: pd.DataFrame, where: "pd.Series[bool]", reason: str, raw: "pd.Series[float]", rejects: list[pd.DataFrame]
) -> None:
    """Add the rows that `where` marks to the rejects; `frame` has symbol, date and source."""
    if where.any():
        found = frame.loc[where, ["symbol", "date", "source"]]
        symbol = [storable_text(str(value)) for value in found["symbol"]]
        said = [storable_text(str(value)) for value in raw.loc[where]]
        rejects.append(found.assign(symbol=symbol, reason=reason, raw=said)[list(REJECT_COLUMNS)])


def _void(
    frame: pd.DataFrame,
    column: str,
    where: "pd.Series[bool]",
    reason: str,
    rejects: list[pd.DataFrame],
) -> None:
    """Make a figure NULL where it has no meaning, and say so."""
    where = where & frame[column].notna()
    _refuse(frame, where, reason, frame[column], rejects)
    frame.loc[where, column] = np.nan


def _known_symbols(frame: pd.DataFrame, rejects: list[pd.DataFrame]) -> pd.DataFrame:
    frame["symbol"] = frame["symbol"].astype(str).str.strip().str.upper()
    broken = ~frame["symbol"].str.fullmatch(SYMBOL)
    _refuse(frame, broken, "the symbol is not one of the exchange", frame["symbol"], rejects)
    return frame.loc[~broken].reset_index(drop=True)


def _read_periods(path: Path, columns: dict[str, str], rejects: list[pd.DataFrame]) -> pd.DataFrame:
    """One row per (symbol, period_end), figures as floats, a stored 0 as missing."""
    frame = table_of(path, ["symbol", "Date", *columns], rejects).rename(columns=columns)
    ends = pd.to_datetime(frame["Date"].str.strip(), format="%b-%y", errors="coerce") + pd.offsets.MonthEnd(0)
    frame = frame.assign(source=path.name, date=ends)
    _refuse(frame, ends.isna(), "the period is not a month like Dec-24", frame["Date"], rejects)
    frame = _known_symbols(frame.loc[ends.notna()].copy(), rejects)
    figures = list(columns.values())
    frame = _numbers(frame, figures, rejects)
    frame[figures] = frame[figures].where(frame[figures] != 0)
    frame = frame.drop_duplicates(["symbol", "date", *figures])
    return _agreed(frame, figures, rejects).rename(columns={"date": "period_end"})


def _agreed(frame: pd.DataFrame, figures: list[str], rejects: list[pd.DataFrame]) -> pd.DataFrame:
    """Join rows of one period: a figure stays where all rows that have it agree."""
    doubled = frame.duplicated(["symbol", "date"], keep=False)
    if not doubled.any():
        return frame.reset_index(drop=True)
    groups = frame.loc[doubled].groupby(["symbol", "date"], sort=True)
    joined = groups.first().reset_index()
    differ = groups[figures].nunique().reset_index(drop=True) > 1
    for figure in figures:
        _void(joined, figure, differ[figure], f"{figure}: two rows of one period contradict each other", rejects)
    kept = frame.loc[~doubled]
    return pd.concat([kept, joined[kept.columns]], ignore_index=True)


def _quarters(path: Path, rejects: list[pd.DataFrame]) -> pd.DataFrame:
    frame = _read_periods(path, _INCOME, rejects).rename(columns={"period_end": "date"})
    _void(frame, "revenue", frame["revenue"] < 0, "revenue is negative", rejects)
    # Screeners call sales less operating expenses the operating profit, before depreciation; of the source's own
    # lines it agrees best with the margins that a screener shows. It cannot exceed EBITDA, which adds other income to
    # it.
    frame["operating_income"] = frame["revenue"] - frame["operating_expense"]
    excess = frame["operating_income"] - frame["ebitda"] > 0.05 * frame["revenue"]
    _void(frame, "operating_income", excess, "operating income above EBITDA", rejects)
    frame["net_income"] = frame["net_income_common"].fillna(frame["net_income_total"])
    return frame.rename(columns={"date": "period_end"})


def _years(path: Path, rejects: list[pd.DataFrame]) -> pd.DataFrame:
    frame = _read_periods(path, _BALANCE, rejects).rename(columns={"period_end": "date"})
    for column in ("total_assets", "current_assets", "current_liabilities"):
        _void(frame, column, frame[column] < 0, f"{column} is negative", rejects)
    _void(frame, "equity", frame["equity"] > 1.01 * frame["total_assets"], "equity above total assets", rejects)
    _void(
        frame,
        "current_assets",
        frame["current_assets"] > 1.01 * frame["total_assets"],
        "current assets above total assets",
        rejects,
    )
    return frame.rename(columns={"date": "period_end"})


def _published(frame: pd.DataFrame, kind: str, delay_days: int) -> pd.DataFrame:
    published = frame["period_end"] + pd.Timedelta(days=delay_days)
    return frame.assign(kind=kind, published_on=published, published_assumed=True)


def _snapshot_rows(path: Path, rejects: list[pd.DataFrame]) -> pd.DataFrame:
    frame = table_of(path, list(SNAPSHOT_COLUMNS), rejects).rename(columns=SNAPSHOT_COLUMNS)
    days = plausible_dates(
        pd.to_datetime(frame["snapshot"].astype(str).str.strip(), format="%Y-%m-%d", errors="coerce")
    )
    frame = frame.assign(source=path.name, date=days)
    _refuse(frame, days.isna(), "the snapshot's date is not like 2026-04-30", frame["snapshot"], rejects)
    frame = _known_symbols(frame.loc[days.notna()].copy(), rejects)
    frame["snapshot"] = frame["date"]
    figures = [column for column in SNAPSHOT_COLUMNS.values() if column not in _TEXTS]
    bands = frame["circuit_limit"].astype(str)
    frame["circuit_limit"] = bands.where(bands != "No Band", "")
    frame = _numbers(frame, figures, rejects)
    for column in ("stock_name", "sector", "industry"):
        text = frame[column].astype(object).astype(str).str.strip()
        sayable = text.str.len().le(MAX_NAME) & ~text.str.contains("\0", regex=False)
        frame[column] = text.where(sayable & ~text.isin(_MISSING_TEXTS), None)
    results = pd.to_datetime(frame["results_date"].astype(str), format="%Y-%m-%d", errors="coerce")
    frame["results_date"] = plausible_dates(results)
    quarter = frame["latest_quarter"].astype(str).str.replace(r"\.0$", "", regex=True)
    named = plausible_dates(pd.to_datetime(quarter, format="%Y%m", errors="coerce"))
    frame["latest_quarter"] = named + pd.offsets.MonthEnd(0)
    return _judged_snapshots(frame, figures, rejects)


def _zero_debt(frame: pd.DataFrame) -> "pd.Series[bool]":
    """Where a D/E of 0 is believed: a quarter is named, and the return on capital is that on equity before tax."""
    ratio = frame["roce"] / frame["roe"]
    return frame["latest_quarter"].notna() & (frame["roe"] > 0) & ratio.between(1.0, 1.6)


def _judged_snapshots(frame: pd.DataFrame, figures: list[str], rejects: list[pd.DataFrame]) -> pd.DataFrame:
    debt_free = (frame["debt_to_equity"] == 0) & _zero_debt(frame)
    frame[figures] = frame[figures].where(frame[figures] != 0)
    frame.loc[debt_free, "debt_to_equity"] = 0.0
    for column in ("close", "market_cap", "sales_quarter", "sales_quarter_last_year", "circuit_limit"):
        _void(frame, column, frame[column] < 0, f"{column} is negative", rejects)
    _judge_ratios(frame, rejects)
    stale = (frame["date"] - frame["latest_quarter"]).dt.days > STALE_QUARTER_DAYS
    _refuse(frame, stale, "the latest quarter shown is stale", frame["latest_quarter"], rejects)
    market = ("close", "market_cap", "circuit_limit")
    frame.loc[stale, [column for column in figures if column not in market]] = np.nan
    return frame


def _judge_ratios(frame: pd.DataFrame, rejects: list[pd.DataFrame]) -> None:
    negative_equity = frame["debt_to_equity"] < 0
    for column, reason in _MEANINGLESS.items():
        low, high = LIMITS[column]
        beyond = (frame[column] < low) | (frame[column] > high)
        if column == "roe":
            beyond |= negative_equity
        if column == "pe_ratio":
            # One decimal is printed: below 1 the earnings that follow from it are a guess.
            beyond |= frame[column].abs() < 1
        _void(frame, column, beyond, f"{column}: {reason}", rejects)
