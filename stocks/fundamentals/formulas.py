"""Ratios of a share on a day, from what was published by that day.

For each figure the newest of three kinds of dated facts wins: company statements (usable from `published_on`), evenings
of a public screener (usable from the next day), and the exchange's report packs (usable the same evening). Facts older
than 200 days, counted from their publication, are not used; only the number of issued shares is carried on until a
newer fact or a split or bonus changes it.

Definitions (percent unless noted; a ratio over zero or over a negative equity is NULL):

===================  ==================================================================================================
eps                  ₹: close over P/E of the exchange or screener, else net income of four quarters over issued shares
pe_ratio             as the exchange prints it, on its own day; else close over eps, NULL for a loss. An official P/E
                     without a price beside it serves 7 days
book_value           ₹: equity over issued shares
pb_ratio             close over book value
market_cap           ₹ crore: issued shares × close
roe, roa             net income of four quarters over equity, over total assets
debt_to_equity       ratio: debt over equity; of a screener as measured
operating_margin     operating income over revenue, four quarters
net_margin           net income attributable over revenue, four quarters
profit_margin        net income over revenue, latest quarter
revenue_growth       four quarters over the four before; from a screener, which shows no more: the latest quarter over
earnings_growth      the same quarter of the year before. The base must be positive
peg_ratio            P/E over earnings growth, both positive
current_ratio        current assets over current liabilities
quick_ratio          current assets less inventory over current liabilities; NULL without a known inventory
===================  ==================================================================================================
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from stocks.fundamentals import point_in_time as pit
from stocks.fundamentals.point_in_time import NEVER, Dated, Days, Floats, Rows
from stocks.fundamentals.ratios import CRORE, quotient, within_limits
from stocks.fundamentals.statement_states import statement_states

MAX_AGE_DAYS = 200
# An official P/E is carried for five sessions, which are at most a week.
OFFICIAL_PE_DAYS = 7
SOURCES = ("", "statements", "screener", "exchange")
STATEMENTS, SCREENER, EXCHANGE = 1, 2, 3
PANEL_COLUMNS = (
    *("pe_ratio", "pb_ratio", "roe", "eps", "debt_to_equity", "revenue_growth", "earnings_growth"),
    *("operating_margin", "net_margin", "market_cap"),
)
ALL_COLUMNS = (
    *PANEL_COLUMNS,
    *("profit_margin", "book_value", "peg_ratio", "roa", "current_ratio", "quick_ratio", "issue_size"),
)
_OF_QUARTERS = ("operating_margin", "net_margin", "profit_margin", "revenue_growth", "earnings_growth")
_OF_BALANCE = ("debt_to_equity", "current_ratio", "quick_ratio")
_OF_SCREENER = ("roe", "debt_to_equity", "operating_margin", "profit_margin", "revenue_growth", "earnings_growth")


def dated_fundamentals(
    statements: pd.DataFrame,
    snapshots: pd.DataFrame,
    exchange_facts: pd.DataFrame,
    keys: pd.DataFrame,
    events: pd.DataFrame,
    *,
    columns: Sequence[str] = PANEL_COLUMNS,
    provenance: bool = False,
) -> pd.DataFrame:
    """Ratios of each (symbol, date), each from what was known at that date's close.

    Parameters
    ----------
    statements
        symbol, period_end, kind, published_on and figures in ₹ crore, as `statements_frame` reads them.
    snapshots
        As `snapshots_frame` reads them: symbol, snapshot, close, market_cap, pe_ratio, …
    exchange_facts
        symbol, date, issue_size, market_cap (₹ crore), pe_ratio.
    keys
        symbol, date, close (raw ₹); one row or 1.5 million.
    events
        Event frame under the same symbols; splits and bonuses change share counts and per-share figures.
    columns
        Which of ``ALL_COLUMNS`` to return.
    provenance
        Add for each column `<column>_source` (number in ``SOURCES``) and `<column>_as_of` (day of the fact).

    Returns
    -------
    DataFrame
        symbol, date and the columns as float64 (NaN where not known), index of `keys`.

    Notes
    -----
    Point in time: statements with ``published_on <= date``, snapshots before the date, facts of the date or before,
    events that took effect and were known by the date.
    """
    figures = _figures(statements, snapshots, exchange_facts, keys, events)
    result: dict[str, object] = {"symbol": keys["symbol"], "date": keys["date"]}
    for column in columns:
        dated = _dated(*figures[column])  # what has no value (the P/E of a loss) has no source either
        result[column] = dated.values
        if provenance:
            result[f"{column}_source"] = dated.source
            result[f"{column}_as_of"] = pit.dates_of(dated.on)
    return pd.DataFrame(result, index=keys.index)


def _figures(
    statements: pd.DataFrame, snapshots: pd.DataFrame, facts: pd.DataFrame, keys: pd.DataFrame, events: pd.DataFrame
) -> dict[str, Dated]:
    today = pit.days(keys["date"])
    close = keys["close"].to_numpy(dtype=np.float64)
    states = statement_states(statements, keys)
    screens = _screens(snapshots)
    of_state = pit.latest_known(keys, states, "known_on")
    of_screen = pit.latest_known(keys, screens, "known_on")
    quarters = _fresh(pit.days_at(pit.days(states["quarter_on"]), of_state), today)
    balance = _fresh(pit.days_at(pit.days(states["balance_on"]), of_state), today)
    screened = _fresh(pit.days_at(pit.days(screens["snapshot"]), of_screen), today)
    figures = _plain_ratios(states, of_state, quarters, balance, screens, of_screen, screened)
    shares = _shares(statements, snapshots, facts, keys, events)
    both = np.where((quarters == NEVER) | (balance == NEVER), NEVER, np.maximum(quarters, balance))
    net_income = pit.values_at(states["net_income"].to_numpy(), of_state)
    equity = pit.values_at(states["equity"].to_numpy(), of_state)
    earned = _dated(net_income * CRORE / shares.values, quarters, STATEMENTS)
    eps = _eps(earned, screens, of_screen, screened, facts, keys, events)
    book = _dated(np.where(equity > 0, equity, np.nan) * CRORE / shares.values, balance, STATEMENTS)
    assets = pit.values_at(states["total_assets"].to_numpy(), of_state)
    figures["roe"] = pit.newest(
        _limited("roe", 100 * quotient(net_income, equity), both, STATEMENTS),
        _dated(pit.values_at(screens["roe"].to_numpy(), of_screen), screened, SCREENER),
    )
    figures["roa"] = _limited("roa", 100 * quotient(net_income, assets), both, STATEMENTS)
    figures |= {"issue_size": shares, "eps": eps, "book_value": book}
    figures["market_cap"] = shares._replace(values=shares.values * close / CRORE)
    figures["pb_ratio"] = book._replace(values=close / book.values)
    figures["pe_ratio"] = _price_earnings(close, eps, facts, keys)
    figures["peg_ratio"] = _peg(figures["pe_ratio"], figures["earnings_growth"])
    return figures


def _screens(snapshots: pd.DataFrame) -> pd.DataFrame:
    """Evenings of the screener with ratios computed from them, sorted by symbol and first day of use."""
    screens = snapshots.sort_values(["symbol", "snapshot"], kind="stable", ignore_index=True)
    screens["known_on"] = screens["snapshot"] + pd.Timedelta(days=1)
    screens["eps"] = screens["close"] / screens["pe_ratio"]
    screens["profit_margin"] = 100 * quotient(screens["net_profit_quarter"], screens["sales_quarter"])
    sales, profit = screens["sales_quarter_last_year"], screens["net_profit_quarter_last_year"]
    screens["revenue_growth"] = 100 * (quotient(screens["sales_quarter"], sales) - 1)
    screens["earnings_growth"] = 100 * (quotient(screens["net_profit_quarter"], profit) - 1)
    return screens


def _plain_ratios(
    states: pd.DataFrame,
    of_state: Rows,
    quarters: Days,
    balance: Days,
    screens: pd.DataFrame,
    of_screen: Rows,
    screened: Days,
) -> dict[str, Dated]:
    """Ratios that involve neither price nor share count, from statements or screener, whichever is newer."""
    figures = {}
    for column in (*_OF_QUARTERS, *_OF_BALANCE):
        on = quarters if column in _OF_QUARTERS else balance
        dated = _limited(column, pit.values_at(states[column].to_numpy(), of_state), on, STATEMENTS)
        if column in _OF_SCREENER:
            shown = pit.values_at(screens[column].to_numpy(), of_screen)
            dated = pit.newest(dated, _limited(column, shown, screened, SCREENER))
        figures[column] = dated
    return figures


def _shares(
    statements: pd.DataFrame, snapshots: pd.DataFrame, facts: pd.DataFrame, keys: pd.DataFrame, events: pd.DataFrame
) -> Dated:
    """Issued shares: the newest known count, adjusted for splits and bonuses since."""
    counts = _share_counts(statements, snapshots, facts)
    rows = pit.latest_known(keys, counts, "known_on")
    on = pit.days_at(pit.days(counts["date"]), rows)
    source = pit.values_at(counts["source"].to_numpy(), rows)
    factor = pit.share_factors(keys["symbol"], on, pit.days(keys["date"]), events)
    shares = pit.values_at(counts["shares"].to_numpy(), rows) / factor
    return Dated(shares, on, np.nan_to_num(source).astype(np.int8))


def _share_counts(statements: pd.DataFrame, snapshots: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """Every count of issued shares, in the order in which they became known.

    Returns
    -------
    DataFrame
        symbol, known_on (first day of use), date (of the count), shares, source (number in ``SOURCES``); sorted by
        symbol and known_on, without counts that were published after a newer one.
    """
    screens = snapshots.assign(known=snapshots["snapshot"] + pd.Timedelta(days=1))
    implied = (snapshots["market_cap"] * CRORE / snapshots["close"]).round()
    of_sources = [
        _count(statements, "published_on", "period_end", statements["shares"], STATEMENTS),
        _count(screens, "known", "snapshot", implied, SCREENER),
        _count(facts, "date", "date", facts["issue_size"], EXCHANGE),
    ]
    counts = pd.concat(of_sources, ignore_index=True)
    counts = counts[counts["shares"] > 0].sort_values(["symbol", "known_on", "date"], kind="stable")
    # A count that is published late (a year's report in June) is outdated by a newer one known already.
    on = pd.Series(pit.days(counts["date"]), index=counts.index)
    newest_before = on.groupby(counts["symbol"]).cummax().groupby(counts["symbol"]).shift()
    return counts[~(on <= newest_before)].reset_index(drop=True)


def _count(frame: pd.DataFrame, known: str, on: str, shares: pd.Series, source: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "symbol": frame["symbol"].astype(object),
            "known_on": frame[known],
            "date": frame[on],
            "shares": shares.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan),
            "source": float(source),
        }
    )


def _eps(
    earned: Dated,
    screens: pd.DataFrame,
    of_screen: Rows,
    screened: Days,
    facts: pd.DataFrame,
    keys: pd.DataFrame,
    events: pd.DataFrame,
) -> Dated:
    """Earnings per share: implied by a published P/E until the next results, else of four quarters."""
    today, symbols = pit.days(keys["date"]), keys["symbol"]
    priced = facts[facts["pe_ratio"].gt(0) & facts["issue_size"].gt(0) & facts["market_cap"].gt(0)]
    priced = priced.sort_values(["symbol", "date"], kind="stable")
    price = priced["market_cap"] * CRORE / priced["issue_size"].astype(float)
    of_fact = pit.latest_known(keys, priced, "date")
    published = _fresh(pit.days_at(pit.days(priced["date"]), of_fact), today)
    results = pit.days_at(pit.days(screens["results_date"]), of_screen)
    overtaken = (results <= today) & (published < results)
    candidates = [earned]
    for values, rows, on, source in (
        (screens["eps"].to_numpy(), of_screen, screened, SCREENER),
        ((price / priced["pe_ratio"]).to_numpy(), of_fact, np.where(overtaken, NEVER, published), EXCHANGE),
    ):
        factor = pit.share_factors(symbols, on, today, events)
        candidates.append(_dated(pit.values_at(values, rows) * factor, on, source))
    return pit.newest(*reversed(candidates))


def _price_earnings(close: Floats, eps: Dated, facts: pd.DataFrame, keys: pd.DataFrame) -> Dated:
    """Close over earnings; the exchange's own figure on its day, and for a week where no earnings are known."""
    computed = eps._replace(values=np.where(eps.values > 0, close / np.where(eps.values > 0, eps.values, 1), np.nan))
    official = facts[facts["pe_ratio"].gt(0)].sort_values(["symbol", "date"], kind="stable")
    rows, today = pit.latest_known(keys, official, "date"), pit.days(keys["date"])
    on = _fresh(pit.days_at(pit.days(official["date"]), rows), today, OFFICIAL_PE_DAYS)
    printed = _dated(pit.values_at(official["pe_ratio"].to_numpy(), rows), on, EXCHANGE)
    use = ~np.isnan(printed.values) & (np.isnan(eps.values) | (printed.on == today))
    return Dated(
        np.where(use, printed.values, computed.values),
        np.where(use, printed.on, computed.on),
        np.where(use, printed.source, computed.source),
    )


def _peg(price_earnings: Dated, growth: Dated) -> Dated:
    positive = (price_earnings.values > 0) & (growth.values > 0)
    values = np.where(positive, price_earnings.values / np.where(positive, growth.values, 1), np.nan)
    return Dated(within_limits("peg_ratio", values), np.minimum(price_earnings.on, growth.on), growth.source)


def _fresh(on: Days, today: Days, max_age_days: int = MAX_AGE_DAYS) -> Days:
    """Days not older than a maximum age; ``NEVER`` for the others."""
    return np.where(today - on > max_age_days, NEVER, on)


def _dated(values: Floats, on: Days, source: int | npt.NDArray[np.int8]) -> Dated:
    """Facts, without a value where the day is ``NEVER``."""
    known = (on != NEVER) & np.isfinite(values)
    return Dated(
        np.where(known, values, np.nan), np.where(known, on, NEVER), np.where(known, source, 0).astype(np.int8)
    )


def _limited(column: str, values: Floats, on: Days, source: int) -> Dated:
    return _dated(within_limits(column, values), on, source)
