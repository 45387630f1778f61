"""What the same capital would have become without choosing: all tradable shares alike, or a fund of the index; pure.

Neither pays anything for trading. The fund keeps its dividends, the shares' are left out as the backtest leaves them.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

FUND = "NIFTYBEES"

Floats = npt.NDArray[np.float64]


def equal_weight_returns(closes: pd.DataFrame, universe: pd.DataFrame, sessions: Sequence[date]) -> Floats:
    """Mean return (plain) of the tradable shares on each session; the first is 0.

    Parameters
    ----------
    closes
        symbol, date, adj_close (₹) of the sessions.
    universe
        symbol, date: the shares that were tradable at a session's close.

    Notes
    -----
    Close to close, of the shares that were tradable on the session before. A share without a bar returns 0 until it
    trades; a session before which no share is known to be tradable returns 0.
    """
    days = pd.DatetimeIndex(pd.to_datetime(list(sessions)))
    codes, symbols = pd.factorize(closes["symbol"])
    adjusted = np.full((len(days), len(symbols)), np.nan)
    adjusted[days.get_indexer(pd.DatetimeIndex(closes["date"])), codes] = closes["adj_close"]
    before = pd.DataFrame(adjusted).ffill().shift().to_numpy(dtype=np.float64)
    returns = np.nan_to_num(adjusted / before - 1)
    member = np.zeros(adjusted.shape, dtype=bool)
    row = days.get_indexer(pd.DatetimeIndex(universe["date"])) + 1
    column = pd.Index(symbols).get_indexer(pd.Index(universe["symbol"]))
    known = (row > 0) & (row < len(days)) & (column >= 0)
    member[row[known], column[known]] = True
    count = member.sum(axis=1)
    return np.asarray(np.where(member, returns, 0.0).sum(axis=1) / np.maximum(count, 1))


def fund_returns(closes: pd.DataFrame, sessions: Sequence[date]) -> Floats | None:
    """Return (plain) of a fund on each session, 0 on the first; None where it had not traded by then.

    `closes` are date and adj_close (₹), also of before the first session.
    """
    if closes.empty:
        return None
    series = pd.Series(closes["adj_close"].to_numpy(dtype=np.float64), index=pd.DatetimeIndex(closes["date"]))
    levels = series.reindex(pd.DatetimeIndex(pd.to_datetime(list(sessions))), method="ffill").to_numpy()
    if np.isnan(levels[0]):
        return None
    return np.concatenate([[0.0], levels[1:] / levels[:-1] - 1])
