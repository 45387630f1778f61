"""What the checks of a session look at: its bars beside each symbol's bars before, and what else was known by it; pure.

Point in time: `bars_with_past` looks back only, row by row, so a session's evidence is the same whether the frame ends
with it or goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

LOOKBACK_SESSIONS = 25
"""Sessions before the one checked that its evidence is made of."""

USUAL_ROWS = 10
REPEATS_LOOKED_FOR = 5
"""A file is held against those of so many sessions before."""

_PRICES = ("open", "high", "low", "close")
_PAST = ("close", "date", "ordinal", "volume", "adj_close")


@dataclass(frozen=True)
class Evidence:
    """All that the checks of one session may know.

    Attributes
    ----------
    session
        The session.
    bars
        Its final bars with the columns of `bars_with_past`, beside kind, first_seen (its first session) and
        factor (of the events whose ex-date it is).
    before
        The bars of the session just before, same columns; empty at the beginning.
    counts
        Number of final bars a session, ascending, the session last; up to ``LOOKBACK_SESSIONS`` before it.
    totals
        Turnover (₹ lakh) a session, same index.
    provisional
        Number of bars of the session that are not final.
    loaded
        Sessions with a file read, up to this one.
    calendar
        Days the exchange trades on: date → kind; the known future among them.
    indicators
        Indicator rows of the session, and of each symbol's bar before where that was the session before
        (columns ending in ``_before``).
    metrics
        Rows of `stock_metrics` of the session with the exchange's and the screener's own figures beside them; empty
        where none are stored.
    events
        Event frame known by the session, under the symbols in use.
    jumps
        Symbols that the adjustment flagged on the session.
    """

    session: date
    bars: pd.DataFrame
    before: pd.DataFrame
    counts: pd.Series
    totals: pd.Series
    provisional: int
    loaded: Sequence[date]
    calendar: dict[date, str]
    indicators: pd.DataFrame
    metrics: pd.DataFrame
    events: pd.DataFrame
    jumps: frozenset[str]

    @property
    def traded(self) -> pd.DataFrame:
        """Bars with a volume."""
        return self.bars.loc[self.bars["volume"] > 0]

    @property
    def adjacent(self) -> pd.DataFrame:
        """Bars of symbols that traded on the very session before."""
        return self.bars.loc[self.bars["age"] == 1]


def bars_with_past(bars: pd.DataFrame, sessions: Sequence[date]) -> pd.DataFrame:
    """Put beside each bar what the symbol's bars of the ``LOOKBACK_SESSIONS`` before say.

    Parameters
    ----------
    bars
        Final bars sorted by symbol and date.
    sessions
        Every session of the calendar in their range, and every day they bear; ascending.

    Returns
    -------
    DataFrame
        Same rows; besides `last_close`, `last_date`, `last_volume`, `last_adj_close` of the bar before; `age`, its
        distance in sessions; `identical`, how many bars in a row, up to five and this one not counted, bear its prices
        on adjacent sessions; `repeats`, how many sessions ago, up to five, the symbol bore the same prices and volume
        (0: it did not); `usual_volume`, `usual_lot` (shares a trade) and `usual_turnover` (₹ lakh), medians of the ten
        bars before; NaN where there are none.
    """
    frame = bars.reset_index(drop=True)
    frame["ordinal"] = np.searchsorted(pd.DatetimeIndex(list(sessions)), frame["date"].to_numpy())
    frame["lot"] = frame["volume"].astype(float) / frame["trades"].astype("Float64").to_numpy(float, na_value=np.nan)
    groups = frame.groupby("symbol", sort=False)
    past = groups[list(_PAST)].shift()
    seen = frame["ordinal"] - past["ordinal"] <= LOOKBACK_SESSIONS
    for column in _PAST:
        frame[f"last_{column}"] = past[column].where(seen)
    frame["age"] = frame["ordinal"] - frame["last_ordinal"]
    same = (frame["age"] == 1) & (frame[list(_PRICES)] == groups[list(_PRICES)].shift()).all(axis=1)
    frame["identical"] = same.groupby((~same).cumsum(), sort=False).cumsum().astype(int).clip(upper=REPEATS_LOOKED_FOR)
    frame["repeats"] = _repeats(frame)
    for column, wanted in (("volume", "usual_volume"), ("lot", "usual_lot"), ("turnover_lakh", "usual_turnover")):
        frame[wanted] = _usual(frame, column)
    return frame


def _repeats(frame: pd.DataFrame) -> pd.Series:
    columns = [*_PRICES, "volume"]
    groups = frame.groupby("symbol", sort=False)
    found = pd.Series(0, index=frame.index)
    for back in range(REPEATS_LOOKED_FOR, 0, -1):
        there = (frame[columns] == groups[columns].shift(back)).all(axis=1)
        ago = frame["ordinal"] - groups["ordinal"].shift(back)
        found = found.mask(there & (ago <= REPEATS_LOOKED_FOR), ago)
    return found.astype(int)


def _usual(frame: pd.DataFrame, column: str) -> pd.Series:
    """Return the median of the symbol's ten bars before, where all of them lie within the sessions looked back."""
    median: pd.Series = frame[column].rolling(USUAL_ROWS).median().shift()
    first = frame.groupby("symbol", sort=False)["ordinal"].shift(USUAL_ROWS)
    return median.where(frame["ordinal"] - first <= LOOKBACK_SESSIONS)


def factors_on(bars: pd.DataFrame, events: pd.DataFrame) -> pd.Series:
    """Return the product of the factors whose ex-date is each bar's day; 1 where there are none.

    It is what the day's previous close, which is published unadjusted, must be multiplied with. After a gap that close
    is of another series' last session, so that only events of the day itself lie between.

    Parameters
    ----------
    bars
        Columns symbol, date.
    events
        Event frame known by the bars' date; one event a symbol and ex-date.
    """
    acting = events.loc[events["factor"].gt(0) & events["ex_date"].isin(bars["date"]), ["symbol", "ex_date", "factor"]]
    found = acting.groupby(["symbol", "ex_date"])["factor"].prod()
    known = found.reindex(pd.MultiIndex.from_frame(bars[["symbol", "date"]])).to_numpy()
    return pd.Series(known, index=bars.index, dtype=float).fillna(1.0)
