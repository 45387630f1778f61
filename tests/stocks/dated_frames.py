"""Small frames of dated facts, in the form that the readers return."""

import pandas as pd

from stocks.fundamentals.metrics import METRIC_COLUMNS

STATEMENT = {
    "symbol": "ACME",
    "kind": "quarter",
    "revenue": None,
    "operating_income": None,
    "net_income": None,
    "eps": None,
    "total_assets": None,
    "equity": None,
    "debt": None,
    "current_assets": None,
    "current_liabilities": None,
    "inventory": None,
    "shares": None,
    "source": "made",
}
FIGURES = [name for name in STATEMENT if name not in ("symbol", "kind", "source", "shares")]
SNAPSHOT_FIGURES = [
    "close",
    "market_cap",
    "pe_ratio",
    "peg_ratio",
    "debt_to_equity",
    "roe",
    "roce",
    "operating_margin",
    "eps_quarter",
    "eps_quarter_last_year",
    "eps_last_year",
    "net_profit_quarter",
    "net_profit_quarter_last_year",
    "sales_quarter",
    "sales_quarter_last_year",
    "circuit_limit",
]


def statements(*rows):
    frame = pd.DataFrame([STATEMENT | row for row in rows], columns=[*STATEMENT, "period_end", "published_on"])
    frame = frame.astype(dict.fromkeys(FIGURES, float) | {"shares": "Int64"})
    for column in ("period_end", "published_on"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[ns]")
    return frame


def quarter(period_end, published_on, revenue=None, net_income=None, **figures):
    return {
        "period_end": period_end,
        "published_on": published_on,
        "revenue": revenue,
        "net_income": net_income,
    } | figures


def year(period_end, published_on, **figures):
    return {"kind": "year", "period_end": period_end, "published_on": published_on} | figures


def snapshots(*rows):
    columns = ["symbol", "snapshot", *SNAPSHOT_FIGURES, "results_date"]
    frame = pd.DataFrame([{"symbol": "ACME"} | row for row in rows], columns=columns)
    for column in ("snapshot", "results_date"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[ns]")
    return frame.astype(dict.fromkeys(SNAPSHOT_FIGURES, float))


def facts(*rows):
    columns = ["symbol", "date", "issue_size", "market_cap", "pe_ratio"]
    frame = pd.DataFrame([{"symbol": "ACME"} | row for row in rows], columns=columns)
    frame["date"] = pd.to_datetime(frame["date"]).astype("datetime64[ns]")
    return frame.astype({"issue_size": "Int64", "market_cap": float, "pe_ratio": float})


def events(*rows):
    columns = ["symbol", "ex_date", "kind", "factor", "known_on", "status"]
    frame = pd.DataFrame(
        [{"symbol": "ACME", "status": "official"} | {"known_on": row["ex_date"]} | row for row in rows], columns=columns
    )
    for column in ("ex_date", "known_on"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[ns]")
    return frame.astype({"factor": float})


def keys(*days, close=100.0, symbol="ACME"):
    dates = pd.to_datetime(list(days)).astype("datetime64[ns]")
    return pd.DataFrame({"symbol": symbol, "date": dates, "close": close})


def metrics_row(symbol, day, **values):
    """One row for `metrics_writer`; what is not given is NULL."""
    row = dict.fromkeys(METRIC_COLUMNS) | {
        "symbol": symbol,
        "date": pd.Timestamp(day),
        "tradable": True,
        "provenance": "{}",
    }
    return pd.DataFrame([row | values])
