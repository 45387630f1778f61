"""The state of each company's statements after each publication; pure.

Revenue and income are sums of four consecutive quarters; balance figures are those of the newest row, quarter or year,
that has any. Where a line is missing, so is everything computed from it.
"""

import pandas as pd

from stocks.fundamentals.ratios import quotient

_BALANCE = ("total_assets", "equity", "debt", "current_assets", "current_liabilities", "inventory")


def statement_states(statements: pd.DataFrame, keys: pd.DataFrame) -> pd.DataFrame:
    """The state of each symbol's statements from each day on which something was published.

    Returns
    -------
    DataFrame
        One row per (symbol, known_on), sorted: figures of four quarters, of the latest balance, ratios within each,
        and `quarter_on`, `balance_on`: when the newest quarter and balance behind them were published.

    Notes
    -----
    Point in time: a state uses only what was published by its `known_on`. Four quarters must be consecutive.
    """
    moments = _moments(statements, keys)
    known = moments.merge(statements, on="symbol")
    known = known[known["published_on"] <= known["known_on"]]
    known = known.sort_values(["symbol", "known_on", "period_end", "published_on"], kind="stable")
    known = known.drop_duplicates(["symbol", "known_on", "period_end", "kind"], keep="last")
    index = pd.MultiIndex.from_frame(moments)
    states = pd.concat([_four_quarters(known).reindex(index), _latest_balance(known).reindex(index)], axis=1)
    states["operating_margin"] = 100 * quotient(states["operating_income"], states["revenue"])
    states["net_margin"] = 100 * quotient(states["net_income"], states["revenue"])
    states["profit_margin"] = 100 * quotient(states["net_income_quarter"], states["revenue_quarter"])
    states["revenue_growth"] = 100 * (quotient(states["revenue"], states["revenue_before"]) - 1)
    states["earnings_growth"] = 100 * (quotient(states["net_income"], states["net_income_before"]) - 1)
    states["debt_to_equity"] = quotient(states["debt"], states["equity"])
    states["current_ratio"] = quotient(states["current_assets"], states["current_liabilities"])
    liquid = states["current_assets"] - states["inventory"]
    states["quick_ratio"] = quotient(liquid, states["current_liabilities"])
    table: pd.DataFrame = states.reset_index()
    return table


def _moments(statements: pd.DataFrame, keys: pd.DataFrame) -> pd.DataFrame:
    """Dates of publication of each symbol, from the last one before the first key to the last key."""
    first, last = keys["date"].min(), keys["date"].max()
    moments = statements.loc[
        (statements["published_on"] <= last) & statements["symbol"].isin(keys["symbol"].unique()),
        ["symbol", "published_on"],
    ]
    moments = moments.drop_duplicates().sort_values(["symbol", "published_on"], ignore_index=True)
    following = moments.groupby("symbol")["published_on"].shift(-1)
    needed = following.isna() | (following > first)
    recent: pd.DataFrame = moments[needed].rename(columns={"published_on": "known_on"})
    return recent.reset_index(drop=True)


def _four_quarters(known: pd.DataFrame) -> pd.DataFrame:
    quarters = known[known["kind"] == "quarter"]
    months = quarters["period_end"].dt.year * 12 + quarters["period_end"].dt.month
    by_state = [quarters["symbol"], quarters["known_on"]]
    behind = months.groupby(by_state).transform("max") - months
    quarters = quarters.assign(lag=behind // 3)[(behind % 3 == 0) & (behind < 24)]
    group, lines = ["symbol", "known_on"], ["revenue", "operating_income", "net_income"]
    quarters = quarters.drop_duplicates([*group, "lag"], keep="last")
    newest = quarters[quarters["lag"] == 0].set_index(group)
    states: pd.DataFrame = newest[["published_on", "revenue", "net_income"]].set_axis(
        ["quarter_on", "revenue_quarter", "net_income_quarter"], axis=1
    )
    by_lag = [quarters[quarters["lag"] == lag].set_index(group)[lines].reindex(states.index) for lag in range(8)]
    # Added one by one in a fixed order: the last bit must not depend on how many other companies are summed.
    recent = by_lag[0] + by_lag[1] + by_lag[2] + by_lag[3]
    before = by_lag[4] + by_lag[5] + by_lag[6] + by_lag[7]
    return states.join(recent).join(before.add_suffix("_before"))


def _latest_balance(known: pd.DataFrame) -> pd.DataFrame:
    balances = known[known[["equity", "total_assets"]].notna().any(axis=1)]
    latest = balances.drop_duplicates(["symbol", "known_on"], keep="last").set_index(["symbol", "known_on"])
    balance = latest[["published_on", *_BALANCE]].rename(columns={"published_on": "balance_on"})
    return balance.astype(dict.fromkeys(_BALANCE, float))
