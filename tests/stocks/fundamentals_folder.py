"""A folder of fundamentals in the layouts of the sources, made by hand."""

import gzip
from pathlib import Path

import pandas as pd

INCOME_HEADER = (
    "symbol,Date,Total Revenue/Income,Total Operating Expense,Operating Income/Profit,EBITDA,EBIT,"
    "Income/Profit Before Tax,Net Income From Continuing Operation,Net Income,"
    "Net Income Applicable to Common Share,EPS (Earning Per Share),date"
)
BALANCE_HEADER = (
    "symbol,Date,Total Stockholders Fund,Minority Interest,Total Non Current Liabilities,Total Current Liabilities,"
    "Total Liabilities,Liabilities & Sh Holder Eq,Total Non Current Assets,Total Current Assets,Total Assets,"
    "Net Working Capital,Net Invested Capital,Common Share Oustanding,Book Value / Share,date"
)
CASHFLOW_HEADER = (
    "symbol,Date,Net Income,Cash From Operating Activities,Cash From Investing Activities,"
    "Cash from Financing Activities,Cash And Cash Equivalent Change,Free Cash Flow,date"
)
SNAPSHOT = {
    "snapshot": "2026-04-30",
    "symbol": "ACME",
    "name": "Acme",
    "sector": "Banks",
    "industry": "Private Bank",
    "latest_quarter": "202512",
    "pe_ratio": 20.0,
    "forward_pe_ratio": 0.0,
    "historical_pe5": 0.0,
    "peg_ratio": 1.5,
    "debt_to_equity": 0.5,
    "roe_percent": 15.0,
    "roce_percent": 18.0,
    "operating_margin_ttm_percent": 12.0,
    "eps_latest_quarter": 2.5,
    "eps_last_year_quarter": 2.0,
    "eps_last_year": 9.0,
    "eps_2_years_back": 8.0,
    "net_profit_latest_quarter": 25.0,
    "net_profit_last_year_quarter": 20.0,
    "sales_latest_quarter": 220.0,
    "sales_last_year_quarter": 200.0,
    "sales_growth_5_years_percent": 10.0,
    "market_cap_crore": 2000.0,
    "free_float_percent": 40.0,
    "circuit_limit": "20",
    "latest_earnings_date": "2026-02-10",
    "listing_date": "N/A",
    "close": 200.0,
    "fno_eligible": "No",
}


def write_income(folder: Path, *rows: str, name: str = "statements_income_quarterly.csv.gz") -> None:
    text = "\n".join([INCOME_HEADER, *rows]) + "\n"
    (folder / name).write_bytes(gzip.compress(text.encode()))


def write_balance(folder: Path, *rows: str) -> None:
    text = "\n".join([BALANCE_HEADER, *rows]) + "\n"
    (folder / "statements_balance_yearly.csv.gz").write_bytes(gzip.compress(text.encode()))


def write_cashflow(folder: Path, *rows: str) -> None:
    text = "\n".join([CASHFLOW_HEADER, *rows]) + "\n"
    (folder / "statements_cashflow_yearly.csv.gz").write_bytes(gzip.compress(text.encode()))


def write_snapshots(folder: Path, *rows: dict[str, object], name: str = "fundamentals_2026-04-30.csv") -> None:
    frame = pd.DataFrame([SNAPSHOT | row for row in rows])
    if name.endswith(".parquet"):
        frame.to_parquet(folder / name)
    else:
        frame.to_csv(folder / name, index=False)


def income(
    symbol: str, month: str, revenue: float, expense: float, ebitda: float, net: float, common: float, eps: float
) -> str:
    return f"{symbol},{month},{revenue},{expense},1,{ebitda},1,1,1,{net},{common},{eps},2000-01-01"
