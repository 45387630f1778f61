"""Volatility, beta and usual volume of each share at the close of a session.

Formulas: a return is the log of close over the previous close of the exchange, made comparable by the day's own factor;
historical volatility is the standard deviation (n - 1) of the last 252 of them times the square root of 252, in
percent; beta is the covariance with the market's return over its variance on the same days; the market is the mean
return of all shares of the day, each with the same weight, unless an index is given.
"""

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

SESSIONS_PER_YEAR = 252
# Half a year of returns: below it a yearly figure is a guess.
MIN_RETURNS = 126
VOLUME_SESSIONS = 30
MIN_VOLUME_SESSIONS = 10
# Fewer shares than this are no market to measure a beta against.
MIN_MARKET_SHARES = 20
# A previous close within this of the last row's close is that close.
SAME_PRICE = 0.005
# No holiday season closes the exchange for longer.
MAX_DAYS_APART = 10
METRIC_COLUMNS = ("historical_volatility_1y", "beta", "avg_volume_30d", "returns_counted")


def daily_returns(adjusted_bars: pd.DataFrame) -> pd.Series:
    """One-session log returns of an adjusted frame, sorted by symbol and date, adjusted for splits and bonuses.

    Returns
    -------
    Series
        Plain log return of each row, same index; NaN on a symbol's first row and where a price is missing.

    Notes
    -----
    PREV_CLOSE is the close of the session just before, also when the share traded in another series then: after a gap
    it gives the return of one session, where the last row would give that of weeks. It is published unadjusted on an
    ex-date, so it is scaled by the change of the factor since the last row; after a gap with an event the ex-date may
    be this day or an earlier one, and the scale that leaves the smaller opening move is taken. On a first row it may be
    decades old, and after a suspension it is as old as the last row: neither is a return of one session.
    """
    close, previous = adjusted_bars["close"].to_numpy(float), adjusted_bars["prev_close"].to_numpy(float)
    factor, symbol = adjusted_bars["factor"].to_numpy(float), adjusted_bars["symbol"].to_numpy(dtype=object)
    if not len(close):
        return pd.Series(dtype=float, index=adjusted_bars.index, name="log_return")
    follows = np.concatenate(([False], symbol[1:] == symbol[:-1]))
    last_close, step = np.full(len(close), np.nan), np.ones(len(close))
    last_close[1:], step[1:] = close[:-1], factor[:-1] / factor[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        neighbour = np.abs(previous / last_close - 1) < SAME_PRICE
        opening = np.log(adjusted_bars["open"].to_numpy(float) / previous)
        on_this_day = neighbour | (np.abs(opening - np.log(step)) < np.abs(opening))
        returns = np.log(close / (previous * np.where(on_this_day, step, 1.0)))
    days_apart = adjusted_bars["date"].diff().dt.days.to_numpy(float)
    suspended = neighbour & (days_apart > MAX_DAYS_APART)
    returns[~follows | suspended | ~np.isfinite(returns)] = np.nan
    return pd.Series(returns, index=adjusted_bars.index, name="log_return")


def metrics(
    adjusted_bars: pd.DataFrame,
    session: date | pd.Timestamp,
    market_returns: pd.Series | None = None,
    shares: set[str] | None = None,
    jumps: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Volatility, beta and usual volume of every symbol as known at the close of one session.

    Parameters
    ----------
    adjusted_bars
        Adjusted frame with at least the last 252 sessions and one row before; later rows are cut off.
    market_returns
        Log returns of an index by date, used for beta instead of the mean of the shares.
    shares
        Symbols whose mean return is the market; default: all symbols given. Funds belong out of it.
    jumps
        Columns symbol and date (see ``jumps.unexplained_jumps``): the returns of these rows are unknown and left
        out, so that a split nobody announced is not taken for risk.

    Returns
    -------
    DataFrame
        Indexed by symbol, every symbol with a row in the last 252 sessions: historical_volatility_1y (percent a
        year), beta (plain), avg_volume_30d (shares a session, in shares of ``session``), returns_counted. NaN with
        fewer than ``MIN_RETURNS`` returns (``MIN_VOLUME_SESSIONS`` volumes) in the window.

    Notes
    -----
    Point in time: rows up to ``session`` alone. The window is counted in sessions of the market, not in rows of the
    symbol, so a share back from a year's suspension has no volatility of a year ago; a missing session is left out of
    the mean volume rather than counted as zero.
    """
    day = pd.Timestamp(session)
    past = adjusted_bars[adjusted_bars["date"] <= day]
    sessions = np.unique(past["date"].to_numpy())[-(SESSIONS_PER_YEAR + 1) :]
    if not len(sessions):
        return pd.DataFrame(columns=list(METRIC_COLUMNS), index=pd.Index([], name="symbol"), dtype=float)
    past = past[past["date"] >= sessions[0]].sort_values(["symbol", "date"], kind="stable")
    window = sessions[-SESSIONS_PER_YEAR:]
    returns = daily_returns(past).where(~_flagged(past, jumps))
    # The last row of the day: volumes in shares as they are at the session, whatever was split since.
    scale = past.groupby("symbol")["factor"].transform("last")
    volume = past["volume"] * scale / past["factor"]
    in_window = past["date"] >= window[0]
    matrix = _by_session(past[in_window], returns[in_window], window)
    recent = past["date"] >= sessions[-VOLUME_SESSIONS:][0]
    volumes = volume[recent].groupby(past.loc[recent, "symbol"]).agg(["mean", "count"])
    market = _market(matrix, market_returns, shares)
    counted = matrix.notna().sum()
    enough = counted >= MIN_RETURNS
    table = pd.DataFrame(
        {
            "historical_volatility_1y": (matrix.std(ddof=1) * np.sqrt(SESSIONS_PER_YEAR) * 100).where(enough),
            "beta": _beta(matrix, market),
            "avg_volume_30d": volumes["mean"].where(volumes["count"] >= MIN_VOLUME_SESSIONS),
            "returns_counted": counted,
        },
        index=matrix.columns,
    )
    table.index.name = "symbol"
    return table


def _flagged(bars: pd.DataFrame, jumps: pd.DataFrame | None) -> pd.Series:
    if jumps is None or jumps.empty:
        return pd.Series(False, index=bars.index)
    rows = pd.MultiIndex.from_frame(bars[["symbol", "date"]])
    return pd.Series(rows.isin(pd.MultiIndex.from_frame(jumps[["symbol", "date"]])), index=bars.index)


def _by_session(past: pd.DataFrame, returns: pd.Series, window: npt.NDArray[np.datetime64]) -> pd.DataFrame:
    """Returns as a table, sessions by symbols, NaN where a share did not trade."""
    codes, symbols = pd.factorize(past["symbol"].to_numpy(dtype=object), sort=True)
    table = np.full((len(window), len(symbols)), np.nan)
    table[np.searchsorted(window, past["date"].to_numpy()), codes] = returns.to_numpy()
    return pd.DataFrame(table, index=pd.DatetimeIndex(window), columns=pd.Index(symbols, dtype=object))


def _market(matrix: pd.DataFrame, given: pd.Series | None, shares: set[str] | None) -> pd.Series:
    if given is not None:
        return given.reindex(matrix.index).astype(float)
    members = matrix if shares is None else matrix.loc[:, matrix.columns.isin(shares)]
    return members.mean(axis=1).where(members.notna().sum(axis=1) >= MIN_MARKET_SHARES)


def _beta(matrix: pd.DataFrame, market: pd.Series) -> pd.Series:
    """Slope of each share's returns on the market's over the sessions where both are known."""
    x = market.to_numpy(float)[:, None]
    y = matrix.to_numpy(float)
    both = np.isfinite(x) & np.isfinite(y)
    count = both.sum(axis=0)
    x, y = np.where(both, x, 0.0), np.where(both, y, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        x_off = np.where(both, x - x.sum(axis=0) / count, 0.0)
        beta = (x_off * y).sum(axis=0) / (x_off**2).sum(axis=0)
    return pd.Series(np.where(count >= MIN_RETURNS, beta, np.nan), index=matrix.columns)
